/**
 * Shows tables whose rows differ in length as whole ones, without a word in the shared text. A
 * place that has no cell is drawn as an empty one; who clicks into it makes the cell.
 */
import type { Node, NodeType } from '@tiptap/pm/model';
import { Plugin, PluginKey, TextSelection, type Transaction } from '@tiptap/pm/state';
import { selectedRect, TableMap, tableNodeTypes } from '@tiptap/pm/tables';
import { Decoration, DecorationSet, type EditorView } from '@tiptap/pm/view';
import { isForeign } from './foreignTypes';
import { holesIn, isWhole } from './tableMap';

const key = new PluginKey<DecorationSet>('tablePadding');

/** Where cells are missing: the end of a row, from the start of the block that was looked at. */
interface Gap {
  readonly position: number;
  readonly count: number;
  readonly isHeader: boolean;
}

/** The plugin that draws them. */
export function tablePadding(): Plugin {
  return new Plugin({
    key,
    state: {
      init: (_config, state) => paddingIn(state.doc),
      apply: (transaction, before) =>
        transaction.docChanged ? paddingIn(transaction.doc) : before,
    },
    props: { decorations: (state) => key.getState(state) },
  });
}

/** Makes all cells that the selection's table lacks: part of what a person does with it just then. */
export function fillTable(view: EditorView): void {
  const { table, tableStart } = selectedRect(view.state);
  if (isWhole(table)) return;
  const { tr } = view.state;
  // From the last row to the first: what is above keeps its position.
  for (const gap of gapsOfTable(table, tableStart).reverse()) fill(tr, gap, gap.count);
  view.dispatch(tr);
}

function paddingIn(doc: Node): DecorationSet {
  const found: Decoration[] = [];
  doc.forEach((block, offset) => {
    for (const { position, count, isHeader } of gapsIn(block)) {
      for (let index = 0; index < count; index += 1) {
        found.push(padding(offset + position, index, isHeader));
      }
    }
  });
  return found.length === 0 ? DecorationSet.empty : DecorationSet.create(doc, found);
}

const known = new WeakMap<Node, readonly Gap[]>();

/** Blocks are never changed, only replaced: each is looked through once. */
function gapsIn(block: Node): readonly Gap[] {
  const found = known.get(block) ?? findGaps(block);
  known.set(block, found);
  return found;
}

function findGaps(block: Node): readonly Gap[] {
  if (block.isTextblock || block.isAtom) return [];
  const found = isTable(block) ? gapsOfTable(block, 1) : [];
  block.descendants((node, position) => {
    if (isForeign(node) || node.isTextblock) return false;
    if (isTable(node)) found.push(...gapsOfTable(node, position + 2));
    return true;
  });
  return found;
}

function isTable(node: Node): boolean {
  return node.type.spec['tableRole'] === 'table';
}

function gapsOfTable(table: Node, start: number): Gap[] {
  const found: Gap[] = [];
  const map = TableMap.get(table);
  table.forEach((row, offset, index) => {
    const isHeader = row.lastChild?.type.spec['tableRole'] === 'header_cell';
    const position = start + offset + row.nodeSize - 1;
    const count = holesIn(map, index);
    if (count > 0) found.push({ position, count, isHeader });
  });
  return found;
}

function padding(position: number, index: number, isHeader: boolean): Decoration {
  const make = (view: EditorView, getPosition: () => number | undefined) => {
    const cell = document.createElement(isHeader ? 'th' : 'td');
    cell.className = 'padding';
    cell.addEventListener('mousedown', (event) => {
      const at = getPosition();
      if (at === undefined || !view.editable || event.button !== 0) return;
      event.preventDefault();
      makeCells(view, { position: at, count: index + 1, isHeader });
    });
    return cell;
  };
  return Decoration.widget(position, make, {
    key: `padding ${index} ${String(isHeader)}`,
    side: 1,
    ignoreSelection: true,
    stopEvent: () => true,
  });
}

/** The cells up to the one that was clicked, and the caret into it. */
function makeCells(view: EditorView, gap: Gap): void {
  const { tr } = view.state;
  const end = fill(tr, gap, gap.count);
  view.dispatch(tr.setSelection(TextSelection.near(tr.doc.resolve(end - 1), -1)));
  view.focus();
}

function fill(tr: Transaction, gap: Gap, count: number): number {
  const types = tableNodeTypes(tr.doc.type.schema);
  const type = (gap.isHeader ? types['header_cell'] : types['cell']) as NodeType;
  const cells = Array.from({ length: count }, () => type.createAndFill()).filter(
    (cell) => cell !== null,
  );
  tr.insert(gap.position, cells);
  return cells.reduce((position, cell) => position + cell.nodeSize, gap.position);
}
