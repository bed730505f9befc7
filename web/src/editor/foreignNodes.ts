/**
 * Foreign nodes in the editor: how they are drawn and copied, and that each stays whole or goes.
 *
 * They are atoms, but some commands walk through the text without asking: with all selected, taking
 * bold away would take it away in a foreign node too. What such a command changed in one is put
 * back within the same transaction, as the same node, so that its shared element is not touched.
 */
import { Extension } from '@tiptap/core';
import { DOMSerializer, type Mark, type Node, type Schema } from '@tiptap/pm/model';
import {
  type EditorState,
  NodeSelection,
  Plugin,
  TextSelection,
  type Transaction,
} from '@tiptap/pm/state';
import type { EditorView, NodeView } from '@tiptap/pm/view';
import { ForeignTypes, isForeign } from './foreignTypes';
import { elementOfNode, plainOfNode } from './foreignView';

/** Shows a foreign node; drawn anew at each change, as the editor looks at no text in it. */
export class ForeignView implements NodeView {
  readonly dom: HTMLElement;

  constructor(node: Node) {
    this.dom = elementOfNode(node);
    this.dom.contentEditable = 'false';
  }

  update(): boolean {
    return false;
  }

  ignoreMutation(): boolean {
    return true;
  }
}

type Views = Record<string, (node: Node) => NodeView>;

/** The extension. */
export const foreignNodes = Extension.create({
  name: 'foreignNodes',
  priority: 1100,
  addKeyboardShortcuts() {
    return {
      Backspace: () => selectBeside(this.editor.view, -1),
      Delete: () => selectBeside(this.editor.view, 1),
    };
  },
  addProseMirrorPlugins() {
    const { schema } = this.editor;
    const views: Views = Object.create(null) as Views;
    for (const name of Object.keys(schema.nodes)) views[name] = viewOf;
    return [
      new Plugin({
        props: { nodeViews: views, clipboardSerializer: serializer(schema) },
        view: (view) => ({ destroy: addViews(view, schema, views) }),
        appendTransaction: (transactions, before, after) =>
          ForeignTypes.of(schema).isUsed && transactions.some(({ docChanged }) => docChanged)
            ? keptWhole(transactions, before, after)
            : null,
      }),
    ];
  },
});

/**
 * At the edge of a line beside a foreign node, the key selects the node; only the next one deletes.
 * The stock keys would delete at once what the page cannot make again.
 */
function selectBeside(view: EditorView, direction: -1 | 1): boolean {
  const { doc, selection, tr } = view.state;
  if (!(selection instanceof TextSelection) || !selection.empty) return false;
  const { $head } = selection;
  const inLine = direction < 0 ? $head.nodeBefore : $head.nodeAfter;
  const edge = direction < 0 ? $head.before() : $head.after();
  const beside = direction < 0 ? doc.resolve(edge).nodeBefore : doc.resolve(edge).nodeAfter;
  const node = inLine ?? beside;
  if (node === null || !isForeign(node)) return false;
  const at = inLine === null ? edge : $head.pos;
  const start = direction < 0 ? at - node.nodeSize : at;
  view.dispatch(tr.setSelection(NodeSelection.create(doc, start)).scrollIntoView());
  return true;
}

/** A view for a foreign node; for any other, what its type says. */
function viewOf(node: Node): NodeView {
  return isForeign(node) ? new ForeignView(node) : (undefined as unknown as NodeView);
}

/** Names that come up later need a view as well, and the editor asks for views only once. */
function addViews(view: EditorView, schema: Schema, views: Views): () => void {
  return ForeignTypes.of(schema).onName((name) => {
    views[name] ??= viewOf;
    (view as EditorView & { nodeViews: Views }).nodeViews[name] ??= viewOf;
  });
}

/** Foreign nodes leave the page as their text: what else they are, other pages need not know. */
function serializer(schema: Schema): DOMSerializer {
  const stock = DOMSerializer.fromSchema(schema);
  const nodes = new Proxy(stock.nodes, {
    get: (known, name: string) => (node: Node) =>
      isForeign(node) ? plainOfNode(node) : (known[name]?.(node) ?? ''),
  });
  const marks = new Proxy(stock.marks, {
    get: (known, name: string) => (mark: Mark, inline: boolean) =>
      mark.type === schema.marks[name] ? (known[name]?.(mark, inline) ?? ['span', 0]) : ['span', 0],
  });
  return new DOMSerializer(nodes, marks);
}

function keptWhole(
  transactions: readonly Transaction[],
  before: EditorState,
  after: EditorState,
): Transaction | null {
  const mend = after.tr;
  before.doc.descendants((node, position) => {
    if (!isForeign(node)) return true;
    const place = transactions.reduce<number | null>(
      (at, transaction) => (at === null ? null : placeIn(transaction, at)),
      position,
    );
    const now = place === null ? null : mend.doc.nodeAt(place);
    if (place !== null && now && now !== node && now.type === node.type) {
      mend.replaceWith(place, place + now.nodeSize, node);
    }
    return false;
  });
  return mend.docChanged ? mend : null;
}

function placeIn(transaction: Transaction, at: number): number | null {
  const { pos, deletedAfter } = transaction.mapping.mapResult(at);
  return deletedAfter ? null : pos;
}
