/**
 * Adding and deleting rows and columns, also in tables whose rows differ in length.
 *
 * A short row stays short: a column is added to the rows that reach it. So the size of a table as
 * it is shown is what the commands of all people add up to, whatever they do at once. Filling the
 * row first would be done by each of them, and make it too long.
 */
import type { EditorState, Transaction } from '@tiptap/pm/state';
import { isInTable, selectedRect, type Rect } from '@tiptap/pm/tables';
import { addColumn, removeColumn } from './tableColumns';
import { placeAt, type Place } from './tablePlace';
import { addRow, removeRow } from './tableRows';

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
