/** Why the server does not let us into a note, as far as the page knows the word for it. */

const DENIALS = [
  /** The token opens nothing here, or there is none and one is needed. */
  'permission-denied',
  /** The token was good once. */
  'token-expired',
  /** The token, its user or the share link was revoked while the note was open. */
  'token-revoked',
  /** There is no note any more. */
  'document-deleted',
  /** What we have is of an earlier note of this name, which was removed for good. */
  'lineage-retired',
] as const;

/** A reason of which the page knows what to do. */
export type Denial = (typeof DENIALS)[number];

/** The denial that a reason in the server's words is; `null` for a sentence for people. */
export function readDenial(reason: string): Denial | null {
  return DENIALS.find((known) => known === reason) ?? null;
}
