/**
 * Tables. The stock extension, without what it writes by itself: prosemirror-tables mends every
 * table that a change made ragged, in every open page, and the pages' mending makes it ragged
 * again. Here a ragged table is only shown whole (`tablePadding.ts`), and the commands take it as
 * it is (`tableCommands.ts`).
 */
import { Table, TableCell, TableHeader, TableRow, updateColumns } from '@tiptap/extension-table';
import type { CommandProps } from '@tiptap/core';
import type { Node, Slice } from '@tiptap/pm/model';
import { Plugin } from '@tiptap/pm/state';
import {
  __pastedCells,
  CellSelection,
  handlePaste,
  isInTable,
  tableEditing,
} from '@tiptap/pm/tables';
import type { EditorView, NodeView, ViewMutationRecord } from '@tiptap/pm/view';
import { ForeignView } from './foreignNodes';
import { isForeign } from './foreignTypes';
import {
  columnAfter,
  columnBefore,
  columnsAway,
  rowAfter,
  rowBefore,
  rowsAway,
  type TableCommand,
} from './tableCommands';
import { fillTable, tablePadding } from './tablePadding';

const COLUMN_MIN_PX = 25;

const TextTable = Table.extend({
  addCommands() {
    return {
      ...this.parent?.(),
      addColumnBefore: () => run(columnBefore),
      addColumnAfter: () => run(columnAfter),
      deleteColumn: () => run(columnsAway),
      addRowBefore: () => run(rowBefore),
      addRowAfter: () => run(rowAfter),
      deleteRow: () => run(rowsAway),
      fixTables: () => () => false,
    };
  },
  addNodeView() {
    return ({ node }) => (isForeign(node) ? new ForeignView(node) : new TableView(node));
  },
  addProseMirrorPlugins() {
    return [quietTableEditing(), tablePadding()];
  },
});

/** Tables, rows and cells. */
export const tableExtensions = [TextTable, TableRow, TableHeader, TableCell];

function run(command: TableCommand) {
  return ({ state, tr, dispatch }: CommandProps) =>
    command(state, dispatch === undefined ? null : tr);
}

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

/** Draws the columns' widths; the stock view would also take any style that somebody stored. */
class TableView implements NodeView {
  readonly dom = document.createElement('div');
  readonly contentDOM: HTMLElement;
  readonly #table = document.createElement('table');
  readonly #columns = document.createElement('colgroup');
  #node: Node;

  constructor(node: Node) {
    this.#node = node;
    this.contentDOM = document.createElement('tbody');
    this.dom.className = 'tableWrapper';
    this.#table.append(this.#columns, this.contentDOM);
    this.dom.append(this.#table);
    this.#draw();
  }

  update(node: Node): boolean {
    if (!node.sameMarkup(this.#node)) return false;
    this.#node = node;
    this.#draw();
    return true;
  }

  ignoreMutation(mutation: ViewMutationRecord): boolean {
    const isOurs = !this.contentDOM.contains(mutation.target);
    return mutation.type !== 'selection' && isOurs;
  }

  #draw(): void {
    updateColumns(this.#node, this.#columns, this.#table, COLUMN_MIN_PX);
  }
}
