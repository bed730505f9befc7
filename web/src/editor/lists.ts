/**
 * Lists are made beside lists without taking them along.
 *
 * The stock commands join a new list with both its neighbours. Yjs cannot move an element, so all
 * items of one neighbour would be made anew because somebody else's line between them became a
 * point. A new item goes into one neighbour; the other stays a list of its own. Numbers go on
 * counting only inside one list, so numbered lists are joined as ever.
 */
import type { ChainedCommands } from '@tiptap/core';
import type { Node, ResolvedPos } from '@tiptap/pm/model';
import type { Transaction } from '@tiptap/pm/state';

const APART: ReadonlySet<string> = new Set(['bulletList', 'taskList']);

/** `chain`, and then no two of the lists that were there before are one. */
export function keepingListsApart(chain: ChainedCommands): ChainedCommands {
  return chain.command(({ tr }) => {
    splitJoined(tr);
    return true;
  });
}

function splitJoined(transaction: Transaction): void {
  const heads: ReadonlySet<number> = new Set(
    listsOf(transaction.before).map((list) => transaction.mapping.map(list + 1, 1)),
  );
  for (const position of [...heads].sort((a, b) => b - a)) {
    const place = transaction.doc.resolve(position);
    if (isJoined(place, heads)) transaction.split(position);
  }
}

function listsOf(text: Node): number[] {
  const lists: number[] = [];
  text.descendants((node, position) => {
    if (APART.has(node.type.name)) lists.push(position);
  });
  return lists;
}

/** Whether a list's first item stands behind the first item of another list. */
function isJoined(place: ResolvedPos, heads: ReadonlySet<number>): boolean {
  return APART.has(place.parent.type.name) && place.index() > 0 && heads.has(place.start());
}
