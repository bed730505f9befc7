/** Adds and deletes a row. */
import type { Node, NodeType } from '@tiptap/pm/model';
import { rowIsHeader, type TableMap, tableNodeTypes } from '@tiptap/pm/tables';
import { HOLE } from './tableMap';
import { at, beginsIn, cellAt, newCell, type Place } from './tablePlace';

/** Adds a row in front of that one; what spans both neighbours becomes higher. */
export function addRow(place: Place, row: number): boolean {
  const { tr, start, table, map } = place;
  const beside = besideRow(map, table, row);
  const cells: Node[] = [];
  for (let column = 0; column < map.width; column += 1) {
    const above = at(map, row - 1, column);
    if (above !== HOLE && (above === at(map, row, column) || hangsBelow(place, above, row))) {
      if (map.colCount(above) === column) heighten(place, above, row);
    } else cells.push(newCell(place, beside === null ? HOLE : at(map, row + beside, column)));
  }
  const type = tableNodeTypes(table.type.schema).row as NodeType;
  tr.insert(start + rowStart(table, row), type.create(null, cells));
  return true;
}

function besideRow(map: TableMap, table: Node, row: number): -1 | 0 | null {
  const beside = row > 0 ? -1 : 0;
  if (!rowIsHeader(map, table, row + beside)) return beside;
  return row === 0 || row === map.height ? null : 0;
}

/** Whether a cell of the last row is said to be higher than the table: it would hang into a new one. */
function hangsBelow(place: Place, position: number, row: number): boolean {
  if (row < place.map.height) return false;
  const { top } = place.map.findCell(position);
  return top + Number(cellAt(place, position).attrs['rowspan']) > row;
}

function heighten(place: Place, position: number, row: number): void {
  if (hangsBelow(place, position, row)) return;
  setRowspan(place, position, 1);
}

function setRowspan(place: Place, position: number, change: number): void {
  const { attrs } = cellAt(place, position);
  const rowspan = Number(attrs['rowspan']) + change;
  place.tr.setNodeMarkup(place.start + position, null, { ...attrs, rowspan });
}

function rowStart(table: Node, row: number): number {
  let position = 0;
  for (let index = 0; index < row; index += 1) position += table.child(index).nodeSize;
  return position;
}

/** Deletes a row; what spans it becomes lower. */
export function removeRow(place: Place, row: number): void {
  const { tr, start, table, map } = place;
  const reaching: number[] = [];
  for (let column = map.width - 1; column >= 0; column -= 1) {
    const position = at(map, row, column);
    if (position === HOLE || map.colCount(position) !== column) continue;
    if (!beginsIn(map, position, row)) reaching.push(position);
    else if (at(map, row + 1, column) === position) moveDown(place, position, row + 1, column);
  }
  const from = start + rowStart(table, row);
  tr.delete(from, from + table.child(row).nodeSize);
  for (const position of reaching) setRowspan(place, position, -1);
}

/** A cell that also covers rows below goes on there. */
function moveDown(place: Place, position: number, row: number, column: number): void {
  const cell = cellAt(place, position);
  const attrs = { ...cell.attrs, rowspan: Number(cell.attrs['rowspan']) - 1 };
  const target = place.start + place.map.positionAt(row, column, place.table);
  place.tr.insert(target, cell.type.create(attrs, cell.content, cell.marks));
}
