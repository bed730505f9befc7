/** A table within a transaction, and its places. */
import type { Node, NodeType } from '@tiptap/pm/model';
import type { Transaction } from '@tiptap/pm/state';
import { TableMap, tableNodeTypes } from '@tiptap/pm/tables';
import { HOLE } from './tableMap';

/** A table in a transaction. */
export interface Place {
  readonly tr: Transaction;
  readonly start: number;
  readonly table: Node;
  readonly map: TableMap;
}

/** The table whose content begins there. */
export function placeAt(tr: Transaction, start: number): Place {
  const table = tr.doc.nodeAt(start - 1);
  if (table === null) throw new RangeError('no table');
  return { tr, start, table, map: TableMap.get(table) };
}

/** The position of the cell that covers a place, or a hole. */
export function at(map: TableMap, row: number, column: number): number {
  if (row < 0 || column < 0 || row >= map.height || column >= map.width) return HOLE;
  return map.map[row * map.width + column] ?? HOLE;
}

/** The cell at a position. */
export function cellAt({ table }: Place, position: number): Node {
  const cell = table.nodeAt(position);
  if (cell === null) throw new RangeError('no cell');
  return cell;
}

/** Whether the cell begins in that row: one that spans rows is changed there only. */
export function beginsIn(map: TableMap, position: number, row: number): boolean {
  return at(map, row - 1, map.colCount(position)) !== position;
}

/** An empty cell like the one at that position; a plain one where there is none. */
export function newCell(place: Place, like: number): Node {
  const plain = tableNodeTypes(place.table.type.schema).cell as NodeType;
  const type = like === HOLE ? plain : cellAt(place, like).type;
  const cell = type.createAndFill();
  if (cell === null) throw new RangeError('no cell can be made');
  return cell;
}
