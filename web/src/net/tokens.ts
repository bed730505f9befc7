/**
 * What opens a note: a login's token, or the secret of a share link. It comes behind the `#` of an
 * address (`/n/NAME#token=TOKEN`), which browsers keep to themselves, and is taken out of the
 * address at once.
 *
 * A token is kept for its note alone, and in this tab alone: it says who somebody is. A share
 * link's secret is kept on the device besides, so that the list of recent notes opens what the
 * link opened. Nothing else in the page keeps a token, and nothing shows one.
 */
import { documentIdOfPath } from './documentId';

const SHARE_PREFIX = 'share-';
const KEY_PREFIX = 'coscribe.token:';
/** The server reads no longer ones. */
const TOKEN_LENGTH_MAX = 8192;

/** Where storage is blocked, tokens live as long as the page. */
const taken = new Map<string, string>();

/** Takes the token out of the address, if there is one; says whether there was one for a note. */
export function takeToken(): boolean {
  const token = tokenIn(location.hash);
  if (token === null) return false;
  history.replaceState(history.state, '', location.pathname + location.search);
  const id = documentIdOfPath(location.pathname);
  if (id === null || token === '' || token.length > TOKEN_LENGTH_MAX) return false;
  keep(id, token);
  return true;
}

/** Calls `tell` when a link with a token is opened in this tab over the same note; returns how to stop. */
export function onNewToken(tell: () => void): () => void {
  const listen = () => {
    if (takeToken()) tell();
  };
  addEventListener('hashchange', listen);
  return () => removeEventListener('hashchange', listen);
}

/** The token for a note, `null` if this tab has none. */
export function tokenOf(id: string): string | null {
  const stores = [() => sessionStorage, () => localStorage];
  const stored = stores.map((store) => attempt(() => store().getItem(KEY_PREFIX + id)));
  return stored.find((token) => token !== null) ?? taken.get(id) ?? null;
}

/**
 * Whether a token may be good for administering: only then is the server asked, which alone knows.
 * Share links never are.
 */
export function claimsAdmin(token: string): boolean {
  return claimsOf(token)['level'] === 'admin';
}

/** Forgets the token for a note, in this tab and on the device. */
export function forgetToken(id: string): void {
  taken.delete(id);
  attempt(() => sessionStorage.removeItem(KEY_PREFIX + id));
  attempt(() => localStorage.removeItem(KEY_PREFIX + id));
}

function keep(id: string, token: string): void {
  taken.set(id, token);
  attempt(() => sessionStorage.setItem(KEY_PREFIX + id, token));
  if (token.startsWith(SHARE_PREFIX)) attempt(() => localStorage.setItem(KEY_PREFIX + id, token));
}

function tokenIn(hash: string): string | null {
  return new URLSearchParams(hash.slice(1)).get('token');
}

/** What a login's token says, unverified; empty for a share link's secret and for what cannot be read. */
function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const [, payload = ''] = token.split('.');
  const claims: unknown = attempt(() =>
    JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))),
  );
  return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
}

/** The result, `null` where it throws: the browser gives no storage, or a token is no token. */
function attempt<T>(use: () => T): T | null {
  try {
    return use();
  } catch {
    return null;
  }
}
