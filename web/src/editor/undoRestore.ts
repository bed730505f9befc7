/**
 * Brings back what a change deleted, each item behind what stood in front of it.
 *
 * Yjs does this too, item by item in the order of their ids. Where two people's letters are mixed
 * and have been undone before, it puts them out of order, and not in the same order everywhere. Here
 * a list is restored from its start to its end, and each item goes right behind a letter that is
 * looked up by its own id.
 */
import * as Y from 'yjs';
import { keyOf, latestOf, livingAt, type Id, type IdSet } from './undoIds';

/** Restores the set's items; what has no place any more stays deleted. */
export function restore(
  transaction: Y.Transaction,
  deletions: IdSet,
  /** The change that deleted them also made these, and nobody ever saw both. */
  insertions: IdSet,
  doomed: ReadonlySet<string>,
): void {
  const wanted = new Set<Y.Item>();
  Y.iterateDeletedStructs(transaction, deletions, (item) => {
    if (item instanceof Y.Item && item.deleted && !Y.isDeleted(insertions, item.id)) {
      wanted.add(item);
    }
  });
  new Restoring(transaction, wanted, doomed).run();
}

class Restoring {
  readonly #transaction: Y.Transaction;
  readonly #wanted: ReadonlySet<Y.Item>;
  readonly #doomed: ReadonlySet<string>;
  readonly #attributes = new Map<unknown, Y.Item[]>();
  readonly #done = new Set<unknown>();

  constructor(
    transaction: Y.Transaction,
    wanted: ReadonlySet<Y.Item>,
    doomed: ReadonlySet<string>,
  ) {
    this.#transaction = transaction;
    this.#wanted = wanted;
    this.#doomed = doomed;
    for (const item of wanted) {
      if (item.parentSub === null) continue;
      this.#attributes.set(item.parent, [...(this.#attributes.get(item.parent) ?? []), item]);
    }
  }

  run(): void {
    for (const item of this.#wanted) this.#list(item.parent as Y.XmlFragment);
  }

  /** All that is wanted of one element or text, in order; its own element first. */
  #list(parent: Y.XmlFragment): void {
    if (this.#done.has(parent)) return;
    this.#done.add(parent);
    const owner = parent._item;
    if (owner !== null && this.#wanted.has(owner)) this.#list(owner.parent as Y.XmlFragment);
    const target = this.#targetOf(parent);
    if (target === null) return;
    for (let item = parent._start; item !== null; item = item.right) {
      if (this.#wanted.has(item) && item.redone === null) this.#listItem(item, target);
    }
    for (const item of this.#attributes.get(parent) ?? []) this.#attribute(item, target);
  }

  /** What the parent is now; `null` when it is gone. */
  #targetOf(parent: Y.XmlFragment): Y.XmlFragment | null {
    if (parent._item === null) return parent;
    const living = livingAt(this.#transaction.doc, parent._item.id);
    return living?.content instanceof Y.ContentType ? (living.content.type as Y.XmlFragment) : null;
  }

  #listItem(item: Y.Item, target: Y.XmlFragment): void {
    const left = this.#leftOf(item, target);
    const right = left === null ? target._start : left.right;
    this.#add(item, target, left, right);
  }

  /** The nearest thing in front that is alive in the target, cut off right behind it. */
  #leftOf(item: Y.Item, target: Y.XmlFragment): Y.Item | null {
    for (let left = item.left; left !== null; left = left.left) {
      const last = { client: left.id.client, clock: left.id.clock + left.length - 1 };
      const living = livingAt(this.#transaction.doc, last);
      if (living !== null && living.parent === target) {
        return this.#cutBehind(living, latestOf(this.#transaction.doc, last));
      }
    }
    return null;
  }

  #cutBehind(item: Y.Item, { client, clock }: Id): Y.Item {
    const isLast = item.id.clock + item.length === clock + 1;
    if (!isLast) Y.getItemCleanStart(this.#transaction, Y.createID(client, clock + 1));
    return item;
  }

  /** An attribute comes back unless somebody else has set it since. */
  #attribute(item: Y.Item, target: Y.XmlFragment): void {
    const current = target._map.get(item.parentSub ?? '') ?? null;
    const isFree = current === null || current.deleted || this.#doomed.has(keyOf(current.id));
    if (item.redone === null && isFree) this.#add(item, target, current, null);
  }

  #add(item: Y.Item, target: Y.XmlFragment, left: Y.Item | null, right: Y.Item | null): void {
    if (item.content instanceof Y.ContentDeleted) return;
    const { doc } = this.#transaction;
    const id = Y.createID(doc.clientID, Y.getState(doc.store, doc.clientID));
    const copy = new Y.Item(
      id,
      left,
      left === null ? null : left.lastId,
      right,
      right === null ? null : right.id,
      target,
      item.parentSub,
      item.content.copy(),
    );
    item.redone = id;
    copy.integrate(this.#transaction, 0);
    keep(copy);
  }
}

/** As Yjs does: what is deleted again is not forgotten, so that it can be found by its first id. */
function keep(item: Y.Item): void {
  for (let one: Y.Item | null = item; one !== null && !one.keep;) {
    one.keep = true;
    one = (one.parent as Y.XmlFragment)._item;
  }
}
