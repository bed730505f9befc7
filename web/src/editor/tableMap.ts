/**
 * The places of a table, also of one whose rows differ in length.
 *
 * Two people who add a row and a column at once leave a row that is one cell short. Nobody may
 * mend that by themselves, so the editor has to live with it: a place without a cell is a hole.
 * The map of prosemirror-tables marks a hole by 0, but its users take that for a cell's position,
 * which is the first row's: emptying selected cells would empty that row.
 */
import type { Node } from '@tiptap/pm/model';
import { TableMap } from '@tiptap/pm/tables';

/** No cell begins at the start of its table: a row does. */
export const HOLE = 0;

const { cellsInRect, nextCell, positionAt } = TableMap.prototype;
Object.assign(TableMap.prototype, {
  cellsInRect(this: TableMap, ...rect: Parameters<typeof cellsInRect>) {
    return cellsInRect.apply(this, rect).filter((position) => position !== HOLE);
  },
  nextCell(this: TableMap, ...step: Parameters<typeof nextCell>) {
    const next = nextCell.apply(this, step);
    return next === HOLE ? null : next;
  },
  /** Holes are at the end of their row; in the first row the stock function stops at them. */
  positionAt(this: TableMap, ...place: Parameters<typeof positionAt>) {
    const position = positionAt.apply(this, place);
    return position === HOLE ? place[2].child(0).nodeSize - 1 : position;
  },
});

/** The row's places without a cell; all of them are shown at its end. */
export function holesIn(map: TableMap, row: number): number {
  // A table without any cell is shown with one in each row, to be seen and written into.
  if (map.width === 0) return 1;
  const places = map.map.slice(row * map.width, (row + 1) * map.width);
  return places.filter((position) => position === HOLE).length;
}

/** Whether each row has all its cells. */
export function isWhole(table: Node): boolean {
  const map = TableMap.get(table);
  return map.width > 0 && !map.map.includes(HOLE);
}
