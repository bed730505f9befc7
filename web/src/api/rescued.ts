/**
 * Text that the server kept aside: it was written in a line that somebody else removed at the same
 * time, so it has no place in the note. Whoever may write can put it back.
 */
import { call, documentPath, fieldsOf, type Answer } from './call';

/** A text without a place. */
export interface RescuedText {
  readonly id: string;
  readonly atMs: number;
  /** `null` for somebody without a name, or without a login. */
  readonly author: string | null;
  readonly text: string;
}

/** The type of the message with which the server says that the list has changed. */
const CHANGED = 'coscribe.rescued';

/** Whether a message from the server says that there is news. */
export function tellsOfRescued(payload: string): boolean {
  try {
    return fieldsOf(JSON.parse(payload))['type'] === CHANGED;
  } catch {
    return false;
  }
}

/** All that is kept aside of a note, oldest first. */
export async function fetchRescued(
  id: string,
  token: string | null,
): Promise<Answer<readonly RescuedText[]>> {
  const answer = await call('GET', documentPath(id, 'rescued'), token);
  if (answer.kind === 'failed') return answer;
  const { rescued } = fieldsOf(answer.value);
  const read = Array.isArray(rescued) ? rescued.map(readRescued) : [];
  const texts = read.filter((text) => text !== null);
  return { kind: 'ok', value: texts.sort((a, b) => a.atMs - b.atMs) };
}

/** Puts a text back into the note, as near to its old place as there is one. */
export function restoreRescued(
  id: string,
  textId: string,
  token: string | null,
): Promise<Answer<unknown>> {
  return call('POST', `${pathOf(id, textId)}/restore`, token);
}

/** Throws a text away. */
export function dismissRescued(
  id: string,
  textId: string,
  token: string | null,
): Promise<Answer<unknown>> {
  return call('DELETE', pathOf(id, textId), token);
}

function pathOf(id: string, textId: string): string {
  return documentPath(id, `rescued/${encodeURIComponent(textId)}`);
}

function readRescued(value: unknown): RescuedText | null {
  const { id, at_ms: atMs, author, text } = fieldsOf(value);
  const known = typeof id === 'string' || typeof id === 'number';
  if (!known || typeof text !== 'string' || text === '') return null;
  const name = typeof author === 'string' && author !== '' ? author : null;
  return { id: String(id), atMs: Number(atMs), author: name, text };
}
