/** Adds and deletes a column. Both go from the last row to the first: what is above keeps its position. */
import type { Node } from '@tiptap/pm/model';
import { addColSpan, columnIsHeader, removeColSpan, type TableMap } from '@tiptap/pm/tables';
import { HOLE } from './tableMap';
import { at, beginsIn, cellAt, newCell, type Place } from './tablePlace';

type Spans = Parameters<typeof addColSpan>[0];

/** Adds a column in front of that one, to the rows that reach it. */
export function addColumn(place: Place, column: number): boolean {
  const { tr, start, table, map } = place;
  const beside = besideColumn(map, table, column);
  for (let row = map.height - 1; row >= 0; row -= 1) {
    const [left, here] = [at(map, row, column - 1), at(map, row, column)];
    if (left !== HOLE && left === here) {
      if (beginsIn(map, here, row)) widen(place, here, column - map.colCount(here));
    } else if (column === 0 || left !== HOLE) {
      const cell = newCell(place, beside === null ? HOLE : at(map, row, column + beside));
      tr.insert(start + map.positionAt(row, column, table), cell);
    }
  }
  return true;
}

/** Which neighbour a new column is like: a column of headings is not repeated. */
function besideColumn(map: TableMap, table: Node, column: number): -1 | 0 | null {
  const beside = column > 0 ? -1 : 0;
  if (!columnIsHeader(map, table, column + beside)) return beside;
  return column === 0 || column === map.width ? null : 0;
}

function widen(place: Place, position: number, column: number): void {
  const attrs = addColSpan(cellAt(place, position).attrs as Spans, column);
  place.tr.setNodeMarkup(place.start + position, null, attrs);
}

/** Deletes a column; what spans it becomes narrower. */
export function removeColumn(place: Place, column: number): void {
  const { tr, start, map } = place;
  for (let row = map.height - 1; row >= 0; row -= 1) {
    const position = at(map, row, column);
    if (position === HOLE || !beginsIn(map, position, row)) continue;
    const cell = cellAt(place, position);
    const isWide = [column - 1, column + 1].some((other) => at(map, row, other) === position);
    if (isWide) {
      const attrs = removeColSpan(cell.attrs as Spans, column - map.colCount(position));
      tr.setNodeMarkup(start + position, null, attrs);
    } else tr.delete(start + position, start + position + cell.nodeSize);
  }
}
