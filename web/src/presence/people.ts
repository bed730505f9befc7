/** Who else is in the note, from awareness. */
import type { Awareness } from 'y-protocols/awareness';
import { readPerson, type Person } from './person';

/** One open page of somebody. */
export interface Visitor extends Person {
  readonly clientId: number;
  /** The raw caret, `null` while they are not in the text. */
  readonly cursor: unknown;
  readonly isSelf: boolean;
}

/** Everybody who has said who they are, this page first, the others by client id. */
export function visitors(awareness: Awareness): readonly Visitor[] {
  const found: Visitor[] = [];
  for (const [clientId, state] of awareness.getStates()) {
    const isSelf = clientId === awareness.clientID;
    if (state['user'] === undefined) continue;
    found.push({
      ...readPerson(state['user'], clientId),
      clientId,
      cursor: state['cursor'] ?? null,
      isSelf,
    });
  }
  return found.sort((a, b) => Number(b.isSelf) - Number(a.isSelf) || a.clientId - b.clientId);
}

/** One or two letters for a small circle. */
export function initials(name: string): string {
  const parts = name.split(/\s+/).filter((part) => part !== '');
  const letters =
    parts.length > 1
      ? [parts[0], parts.at(-1)].map((part) => [...(part ?? '')][0])
      : [...name].slice(0, 2);
  return letters.join('');
}
