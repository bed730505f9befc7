/**
 * Document ids and their addresses: `/n/` and the id, percent-encoded, slashes kept.
 *
 * The rule for ids is the server's: any UTF-8 that is not blank and has no NUL, at most 1,024
 * bytes, taken byte for byte.
 */

const NOTE_PREFIX = '/n/';
const ID_BYTES_MAX = 1024;
/** 128 random bits: nobody finds a note by guessing. */
const NEW_ID_BYTES = 16;

/** The id if it is one, else `null`. */
export function parseDocumentId(text: string): string | null {
  if (text.trim() === '' || text.includes('\0')) return null;
  return new TextEncoder().encode(text).length <= ID_BYTES_MAX ? text : null;
}

/** The id in the path of a note page, `null` when the path is no note's. */
export function documentIdOfPath(path: string): string | null {
  if (!path.startsWith(NOTE_PREFIX)) return null;
  try {
    return parseDocumentId(decodeURIComponent(path.slice(NOTE_PREFIX.length)));
  } catch {
    // Not UTF-8 after decoding.
    return null;
  }
}

/** The path of a note's page. */
export function pathOfDocument(id: string): string {
  return NOTE_PREFIX + id.split('/').map(encodeURIComponent).join('/');
}

/** A fresh id, letters, digits, `-` and `_` only. */
export function newDocumentId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(NEW_ID_BYTES));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
