/**
 * Tables, without what the stock ones write by themselves: prosemirror-tables mends every table that
 * a change made ragged, in every open page, and the pages' mending makes it ragged again. Here a
 * ragged table is only shown whole (`tablePadding.ts`), and the commands take it as it is
 * (`tableCommands.ts`).
 */
import { TableCell } from '@tiptap/extension-table/cell';
import { TableHeader } from '@tiptap/extension-table/header';
import { TableRow } from '@tiptap/extension-table/row';
import type { Slice } from '@tiptap/pm/model';
import { Plugin } from '@tiptap/pm/state';
import {
  __pastedCells,
  CellSelection,
  handlePaste,
  isInTable,
  tableEditing,
} from '@tiptap/pm/tables';
import type { EditorView } from '@tiptap/pm/view';
import { ForeignView } from './foreignNodes';
import { isForeign } from './foreignTypes';
import { TableNode } from './tableNode';
import { fillTable, tablePadding } from './tablePadding';
import { TableView } from './tableView';

const TextTable = TableNode.extend({
  addNodeView() {
    return ({ node }) => (isForeign(node) ? new ForeignView(node) : new TableView(node));
  },
  addProseMirrorPlugins() {
    return [quietTableEditing(), tablePadding()];
  },
});

/** Tables, rows and cells. */
export const tableExtensions = [TextTable, TableRow, TableHeader, TableCell];

/** Selecting cells, moving among them and pasting into them; but nothing is mended. */
function quietTableEditing(): Plugin {
  const stock = tableEditing({ allowTableNodeSelection: true });
  const { appendTransaction } = stock.spec;
  return new Plugin({
    ...stock.spec,
    props: {
      ...stock.spec.props,
      handlePaste: (view, event, slice) => {
        if (isForCells(view, slice)) fillTable(view);
        return handlePaste(view, event, slice);
      },
    },
    // Asked about a state that did not change, it looks at the selection only.
    appendTransaction: (transactions, _before, after) =>
      appendTransaction?.call(stock, transactions, after, after),
  });
}

function isForCells(view: EditorView, slice: Slice): boolean {
  if (!isInTable(view.state)) return false;
  return view.state.selection instanceof CellSelection || __pastedCells(slice) !== null;
}
