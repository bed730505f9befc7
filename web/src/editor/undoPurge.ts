/**
 * Deletes what an undoing takes back, and nothing that somebody else has put into it.
 *
 * An element goes when nothing alive is left in it but what goes too. One that stays keeps its
 * attributes, and what the schema asks for: a point of a list is not allowed without its line, and
 * an element that is not allowed would be deleted by each editor that shows it.
 */
import * as Y from 'yjs';
import { textSchema } from './extensions';
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
  const children = childrenOf(root);
  const leaving = children.filter((child) => isLeaving(child, doomed));
  const areAll = leaving.length > 0 && leaving.length === children.length;
  for (const { item } of leaving) {
    if (areAll || isAllowedWithout(root, item)) item.delete(transaction);
  }
  const inside = children.filter(({ item }) => !item.deleted);
  return inside.map((child) => purgeInside(transaction, child, doomed)).includes(true) || areAll;
}

function purgeInside(transaction: Y.Transaction, { item, type }: Child, doomed: Keys): boolean {
  const isOurs = doomed.has(keyOf(item.id));
  // A table that stays keeps its shape: a row with a cell less would be mended by every page.
  if (isOurs && ['table', 'row'].includes(roleOf(type))) return false;
  const inside = roleOf(type) === 'table' ? withoutColumns(type, doomed) : doomed;
  const isHollow = purge(transaction, type, inside) && childrenOf(type).length === 0;
  // A list must not be left without a point. A line may be empty.
  if (isHollow && !isOurs && type instanceof Y.XmlElement && !isLine(type)) {
    item.delete(transaction);
  }
  return item.deleted;
}

/** Cells that were added to others' rows go all together, or not at all. */
function withoutColumns(table: Y.XmlFragment, doomed: Keys): Keys {
  const rows = childrenOf(table).filter(({ item }) => !doomed.has(keyOf(item.id)));
  const cells = rows.flatMap(({ type }) => childrenOf(type));
  const ours = cells.filter(({ item }) => doomed.has(keyOf(item.id)));
  if (ours.every((cell) => isLeaving(cell, doomed))) return doomed;
  const staying = new Set(ours.map(({ item }) => keyOf(item.id)));
  return new Set([...doomed].filter((key) => !staying.has(key)));
}

function isLeaving(child: Child, doomed: Keys): boolean {
  return doomed.has(keyOf(child.item.id)) && !isNeeded(child, doomed);
}

/** Whether the schema allows what is in the parent now, without the item. */
function isAllowedWithout(parent: Y.XmlFragment, without: Y.Item): boolean {
  const name = parent instanceof Y.XmlElement ? parent.nodeName : 'doc';
  let match = textSchema.nodes[name]?.contentMatch ?? null;
  for (const { item, type } of childrenOf(parent)) {
    const child = type instanceof Y.XmlElement ? textSchema.nodes[type.nodeName] : undefined;
    if (item === without || type instanceof Y.XmlText) continue;
    match = child === undefined ? match : (match?.matchType(child) ?? null);
  }
  return match?.validEnd === true;
}

function roleOf(type: Y.XmlFragment): string {
  const name = type instanceof Y.XmlElement ? type.nodeName : '';
  return String(textSchema.nodes[name]?.spec['tableRole'] ?? '');
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
