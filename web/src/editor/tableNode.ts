/**
 * The table's node, its commands and its keys. It has the name, the content and the commands' names
 * of Tiptap's own, which would bring twice the code: it mends tables, and drags columns.
 */
import { Node, type CommandProps, type Editor } from '@tiptap/core';
import type { Node as TextNode, Schema } from '@tiptap/pm/model';
import { TextSelection } from '@tiptap/pm/state';
import { CellSelection, deleteTable, goToNextCell, tableNodeTypes } from '@tiptap/pm/tables';
// For the types of the commands and of `tableRole`.
import type {} from '@tiptap/extension-table';
import {
  columnAfter,
  columnBefore,
  columnsAway,
  rowAfter,
  rowBefore,
  rowsAway,
  type TableCommand,
} from './tableCommands';

/** The size of a new table. */
interface Size {
  readonly rows?: number;
  readonly cols?: number;
  readonly withHeaderRow?: boolean;
}

/** The node. */
export const TableNode = Node.create({
  name: 'table',
  group: 'block',
  content: 'tableRow+',
  tableRole: 'table',
  isolating: true,
  parseHTML: () => [{ tag: 'table' }],
  renderHTML: ({ HTMLAttributes }) => ['table', HTMLAttributes, ['tbody', 0]],
  extendNodeSchema: ({ config }) => ({ tableRole: config.tableRole }),
  addCommands: () => ({
    insertTable: (size) => (props) => insertTable(props, size ?? {}),
    deleteTable:
      () =>
      ({ state, dispatch }) =>
        deleteTable(state, dispatch),
    addColumnBefore: () => run(columnBefore),
    addColumnAfter: () => run(columnAfter),
    deleteColumn: () => run(columnsAway),
    addRowBefore: () => run(rowBefore),
    addRowAfter: () => run(rowAfter),
    deleteRow: () => run(rowsAway),
    goToNextCell: () => goToCell(1),
    goToPreviousCell: () => goToCell(-1),
    setCellSelection:
      ({ anchorCell, headCell }) =>
      ({ tr }) => {
        tr.setSelection(CellSelection.create(tr.doc, anchorCell, headCell));
        return true;
      },
  }),
  addKeyboardShortcuts() {
    const remove = () => removeIfAllSelected(this.editor);
    return {
      Tab: () => goOn(this.editor),
      'Shift-Tab': () => this.editor.commands.goToPreviousCell(),
      Backspace: remove,
      'Mod-Backspace': remove,
      Delete: remove,
      'Mod-Delete': remove,
    };
  },
});

function run(command: TableCommand) {
  return ({ state, tr, dispatch }: CommandProps) =>
    command(state, dispatch === undefined ? null : tr);
}

function goToCell(direction: 1 | -1) {
  return ({ state, dispatch }: CommandProps) => goToNextCell(direction)(state, dispatch);
}

/** With the caret in its first cell. */
function insertTable({ tr, dispatch, editor }: CommandProps, size: Size): boolean {
  if (dispatch === undefined) return true;
  const inside = tr.selection.from + 1;
  tr.replaceSelectionWith(newTable(editor.schema, size));
  tr.setSelection(TextSelection.near(tr.doc.resolve(inside))).scrollIntoView();
  return true;
}

function newTable(schema: Schema, { rows = 3, cols = 3, withHeaderRow = true }: Size): TextNode {
  const types = tableNodeTypes(schema);
  const rowsOfIt = Array.from({ length: rows }, (_, row) => {
    const type = withHeaderRow && row === 0 ? types.header_cell : types.cell;
    const cells = Array.from({ length: cols }, () => type.createAndFill());
    return types.row.createChecked(
      null,
      cells.filter((cell) => cell !== null),
    );
  });
  return types.table.createChecked(null, rowsOfIt);
}

/** Into the next cell; behind the last one, into a new row. */
function goOn(editor: Editor): boolean {
  if (editor.commands.goToNextCell()) return true;
  if (!editor.can().addRowAfter()) return false;
  return editor.chain().addRowAfter().goToNextCell().run();
}

/** A table of which every cell is selected goes as a whole. */
function removeIfAllSelected(editor: Editor): boolean {
  const { selection } = editor.state;
  if (!(selection instanceof CellSelection)) return false;
  const isWhole = selection.isRowSelection() && selection.isColSelection();
  return isWhole && editor.commands.deleteTable();
}
