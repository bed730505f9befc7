/** Whether the server's reason says that the note has no more room, in the words of `docs/protocol.md`. */

const AT_LIMIT = /document is at its limit of (\d+) bytes/;

/** How many bytes the note may have, when `reason` says that it has as many; else `null`. */
export function readLimit(reason: string): number | null {
  const bytes = AT_LIMIT.exec(reason)?.[1];
  return bytes === undefined ? null : Number(bytes);
}
