/** Share links, as the server's API has them. Every call carries the token of whoever administers the note. */
import { call, documentPath, fieldsOf, type Answer } from './call';

/** What a link lets people do. */
export type LinkLevel = 'read' | 'comment' | 'write';

/** A link that still works. Its secret is known only when it is made. */
export interface ShareLink {
  readonly id: string;
  readonly level: LinkLevel;
  /** Empty when it was given none. */
  readonly label: string;
  readonly createdAtMs: number;
  /** `null` when it never ends by itself. */
  readonly expiresAtMs: number | null;
}

/** What a new link should be; `expiresInS` is `null` for one without an end. */
export interface NewLink {
  readonly level: LinkLevel;
  readonly expiresInS: number | null;
  readonly label: string;
}

const LEVELS: readonly LinkLevel[] = ['read', 'comment', 'write'];

/** The links of a note that work, newest first. `denied` says that the token does not administer it. */
export async function fetchLinks(id: string, token: string): Promise<Answer<readonly ShareLink[]>> {
  const answer = await call('GET', linksPath(id), token);
  if (answer.kind === 'failed') return answer;
  const { links } = fieldsOf(answer.value);
  const read = Array.isArray(links) ? links.map(readLink) : [];
  return { kind: 'ok', value: read.filter((link) => link !== null) };
}

/** Makes a link; the answer is its secret, which is shown this once. */
export async function makeLink(id: string, token: string, link: NewLink): Promise<Answer<string>> {
  const { level, label, expiresInS } = link;
  const end = expiresInS === null ? {} : { expires_in_s: expiresInS };
  const answer = await call('POST', linksPath(id), token, { level, label, ...end });
  if (answer.kind === 'failed') return answer;
  const { secret } = fieldsOf(answer.value);
  if (typeof secret === 'string') return { kind: 'ok', value: secret };
  return { kind: 'failed', fault: { kind: 'unreachable' } };
}

/** Ends a link for good, also for those who have the note open by it. */
export async function revokeLink(linkId: string, token: string): Promise<Answer<null>> {
  const answer = await call('DELETE', `/api/v1/links/${encodeURIComponent(linkId)}`, token);
  return answer.kind === 'failed' ? answer : { kind: 'ok', value: null };
}

function linksPath(id: string): string {
  return documentPath(id, 'links');
}

/** A link out of the server's list; `null` for one that has ended, and for what cannot be read. */
function readLink(value: unknown): ShareLink | null {
  const fields = fieldsOf(value);
  const level = LEVELS.find((known) => known === fields['level']);
  const { id, label, created_at_ms: createdAtMs } = fields;
  const expiresAtMs = fields['expires_at_ms'] ?? null;
  const hasEnded = 'revoked_at_ms' in fields || Number(expiresAtMs ?? Infinity) <= Date.now();
  if (level === undefined || hasEnded || typeof id !== 'string') return null;
  return {
    id,
    level,
    label: typeof label === 'string' ? label : '',
    createdAtMs: Number(createdAtMs),
    expiresAtMs: expiresAtMs === null ? null : Number(expiresAtMs),
  };
}
