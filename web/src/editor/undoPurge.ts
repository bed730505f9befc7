/**
 * Deletes what an undoing takes back, and nothing that somebody else has put into it.
 *
 * An element goes when nothing alive is left in it but what goes too. One that stays keeps its
 * attributes, and its first child when the next one is of another kind: a point of a list is not
 * allowed without its line.
 */
import * as Y from 'yjs';
import { keyOf, setOf, type Id, type Keys } from './undoIds';
import { isLine } from './undoMoves';

/** Deletes single letters and marks. */
export function deleteIds(transaction: Y.Transaction, ids: readonly Id[]): void {
  if (ids.length === 0) return;
  Y.iterateDeletedStructs(transaction, setOf(ids), (item) => {
    if (item instanceof Y.Item && !item.deleted) item.delete(transaction);
  });
}

/** Deletes the doomed elements under `root` that are not needed any more; says whether there were any. */
export function purge(transaction: Y.Transaction, root: Y.XmlFragment, doomed: Keys): boolean {
  if (root instanceof Y.XmlText) return false;
  const purged = childrenOf(root).map((child) => purgeChild(transaction, child, doomed));
  return purged.includes(true);
}

function purgeChild(transaction: Y.Transaction, child: Child, doomed: Keys): boolean {
  const { item, type } = child;
  if (!doomed.has(keyOf(item.id))) {
    const isHollow = purge(transaction, type, doomed) && childrenOf(type).length === 0;
    // A list must not be left without a point. A line may be empty.
    if (isHollow && type instanceof Y.XmlElement && !isLine(type)) item.delete(transaction);
    return isHollow;
  }
  if (isNeeded(child, doomed)) purgeKept(transaction, type, doomed);
  else item.delete(transaction);
  return item.deleted;
}

function purgeKept(transaction: Y.Transaction, kept: Y.XmlFragment, doomed: Keys): void {
  const children = childrenOf(kept);
  children.forEach((child, index) => {
    const next = children[index + 1];
    const mustLead = index === 0 && next !== undefined && nameOf(next) !== nameOf(child);
    if (mustLead && child.type instanceof Y.XmlElement) return;
    purgeChild(transaction, child, doomed);
  });
}

interface Child {
  readonly item: Y.Item;
  readonly type: Y.XmlFragment;
}

function childrenOf(parent: Pick<Y.XmlFragment, '_start'>): Child[] {
  const children: Child[] = [];
  for (let item = parent._start; item !== null; item = item.right) {
    const { content } = item;
    if (item.deleted || !(content instanceof Y.ContentType)) continue;
    children.push({ item, type: content.type as Y.XmlFragment });
  }
  return children;
}

function isNeeded({ item, type }: Child, doomed: Keys): boolean {
  if (type instanceof Y.XmlText) return type.length > 0;
  return !doomed.has(keyOf(item.id)) || childrenOf(type).some((child) => isNeeded(child, doomed));
}

function nameOf({ type }: Child): string {
  return type instanceof Y.XmlElement ? type.nodeName : '';
}

/** Deletes a line that came back empty because others had replaced it, and the list around it. */
export function deleteEmptyLine(transaction: Y.Transaction, line: Y.Item, restored: Keys): void {
  let item: Y.Item | null = line;
  while (item !== null && restored.has(keyOf(item.id)) && isEmpty(item)) {
    item.delete(transaction);
    item = (item.parent as Y.XmlFragment)._item;
  }
}

function isEmpty({ content }: Y.Item): boolean {
  if (!(content instanceof Y.ContentType)) return false;
  return childrenOf(content.type as Y.XmlFragment).every(
    ({ type }) => type instanceof Y.XmlText && type.length === 0,
  );
}
