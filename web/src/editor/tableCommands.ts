/**
 * Adding and deleting rows and columns, also in tables whose rows differ in length.
 *
 * A short row stays short: a column is added to the rows that reach it. So the size of a table as
 * it is shown is what the commands of all people add up to, whatever they do at once. Filling the
 * row first would be done by each of them, and make it too long.
 */
import type { Node, NodeType } from '@tiptap/pm/model';
import type { EditorState, Transaction } from '@tiptap/pm/state';
import {
  addColSpan,
  columnIsHeader,
  isInTable,
  removeColSpan,
  rowIsHeader,
  selectedRect,
  TableMap,
  tableNodeTypes,
  type Rect,
} from '@tiptap/pm/tables';
import { HOLE } from './tableMap';

/** A table in a transaction. */
interface Place {
  readonly tr: Transaction;
  readonly start: number;
  readonly table: Node;
  readonly map: TableMap;
}

type Spans = Parameters<typeof addColSpan>[0];

/** A command on the rows or columns of the selection; false where there is none, or nothing would be left. */
export type TableCommand = (state: EditorState, tr: Transaction | null) => boolean;

/** Adds a column. */
export const columnBefore: TableCommand = (state, tr) =>
  inTable(state, tr, (place, rect) => addColumn(place, rect.left));
export const columnAfter: TableCommand = (state, tr) =>
  inTable(state, tr, (place, rect) => addColumn(place, rect.right));

/** Adds a row. */
export const rowBefore: TableCommand = (state, tr) =>
  inTable(state, tr, (place, rect) => addRow(place, rect.top));
export const rowAfter: TableCommand = (state, tr) =>
  inTable(state, tr, (place, rect) => addRow(place, rect.bottom));

/** Deletes the columns of the selection. */
export const columnsAway: TableCommand = (state, tr) =>
  inTable(state, tr, (place, rect) => {
    if (rect.left === 0 && rect.right === place.map.width) return false;
    let at: Place = place;
    for (let column = rect.right - 1; column >= rect.left; column -= 1) {
      removeColumn(at, column);
      at = placeAt(at.tr, at.start);
    }
    return true;
  });

/** Deletes the rows of the selection. */
export const rowsAway: TableCommand = (state, tr) =>
  inTable(state, tr, (place, rect) => {
    if (rect.top === 0 && rect.bottom === place.map.height) return false;
    let at: Place = place;
    for (let row = rect.bottom - 1; row >= rect.top; row -= 1) {
      removeRow(at, row);
      at = placeAt(at.tr, at.start);
    }
    return true;
  });

function inTable(
  state: EditorState,
  tr: Transaction | null,
  change: (place: Place, rect: Rect) => boolean,
): boolean {
  if (!isInTable(state)) return false;
  try {
    const rect = selectedRect(state);
    // A trial changes a transaction of its own.
    return change(placeAt(tr ?? state.tr, rect.tableStart), rect);
  } catch (error) {
    // A cell that lies under others is not in the map.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function placeAt(tr: Transaction, start: number): Place {
  const table = tr.doc.nodeAt(start - 1);
  if (table === null) throw new RangeError('no table');
  return { tr, start, table, map: TableMap.get(table) };
}

function at(map: TableMap, row: number, column: number): number {
  if (row < 0 || column < 0 || row >= map.height || column >= map.width) return HOLE;
  return map.map[row * map.width + column] ?? HOLE;
}

function cellAt({ table }: Place, position: number): Node {
  const cell = table.nodeAt(position);
  if (cell === null) throw new RangeError('no cell');
  return cell;
}

/** Whether the cell begins in that row: one that spans rows is changed there only. */
function beginsIn(map: TableMap, position: number, row: number): boolean {
  return at(map, row - 1, map.colCount(position)) !== position;
}

function addColumn(place: Place, column: number): boolean {
  const { tr, start, table, map } = place;
  const beside = besideColumn(map, table, column);
  // From the last row to the first: what is above keeps its position.
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

function newCell(place: Place, like: number): Node {
  const plain = tableNodeTypes(place.table.type.schema).cell as NodeType;
  const type = like === HOLE ? plain : cellAt(place, like).type;
  const cell = type.createAndFill();
  if (cell === null) throw new RangeError('no cell can be made');
  return cell;
}

function removeColumn(place: Place, column: number): void {
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

function addRow(place: Place, row: number): boolean {
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

function removeRow(place: Place, row: number): void {
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
