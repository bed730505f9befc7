/** Letters and elements of the shared text by their ids: where one is now, and sets of them. */
import * as Y from 'yjs';

/** One letter, or one element, by the id that it got when it was made. */
export interface Id {
  readonly client: number;
  readonly clock: number;
}

/** A set of ids as Yjs has it. */
export type IdSet = ReturnType<typeof Y.createDeleteSet>;

/** A set of ids to ask. */
export type Keys = ReadonlySet<string>;

/** What an id is called in sets and maps. */
export function keyOf({ client, clock }: Id): string {
  return `${client}:${clock}`;
}

/** `length` ids, `first` among them. */
export function idsFrom({ client, clock }: Id, length: number): Id[] {
  return Array.from({ length }, (_, index) => ({ client, clock: clock + index }));
}

/** The id that something has after all the undoing and redoing that brought it back. */
export function latestOf(document: Y.Doc, id: Id): Id {
  const item = structAt(document, id);
  if (!(item instanceof Y.Item) || item.redone === null) return id;
  const { client, clock } = item.redone;
  return latestOf(document, { client, clock: clock + id.clock - item.id.clock });
}

/** The item that has it now; `null` when it is deleted. */
export function livingAt(document: Y.Doc, id: Id): Y.Item | null {
  const item = structAt(document, latestOf(document, id));
  return item instanceof Y.Item && !item.deleted ? item : null;
}

function structAt({ store }: Y.Doc, { client, clock }: Id): Y.Item | Y.GC | null {
  const structs = store.clients.get(client);
  if (structs === undefined || clock >= Y.getState(store, client)) return null;
  return structs[Y.findIndexSS(structs, clock)] ?? null;
}

/** All ids of a set. */
export function idsOf(set: IdSet): Id[] {
  return [...set.clients].flatMap(([client, ranges]) =>
    ranges.flatMap(({ clock, len }) => idsFrom({ client, clock }, len)),
  );
}

/** A set of ids, for Yjs. */
export function setOf(ids: readonly Id[]): IdSet {
  const set = Y.createDeleteSet();
  const sorted = [...ids].sort((a, b) => a.client - b.client || a.clock - b.clock);
  for (const { client, clock } of sorted) {
    const ranges = set.clients.get(client) ?? [];
    const last = ranges.at(-1);
    if (last !== undefined && last.clock + last.len === clock) last.len += 1;
    else ranges.push({ clock, len: 1 });
    set.clients.set(client, ranges);
  }
  return set;
}

/** The set without these ids. */
export function without(set: IdSet, keys: Keys): IdSet {
  return keys.size === 0 ? set : setOf(idsOf(set).filter((id) => !keys.has(keyOf(id))));
}
