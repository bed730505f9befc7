/**
 * Binds the editor to the shared text by the stock binding, with two rules that the stock one
 * lacks.
 *
 * Receiving writes nothing. The nodes are made by `draw.ts`, which never deletes, and no plugin may
 * answer what was received with a change of its own: such a change would be written by every open
 * page, each answering the others.
 *
 * An error ends the binding. Text that is drawn no more must not be compared with the shared text:
 * what the page lacks would be taken for deleted.
 */
import Collaboration from '@tiptap/extension-collaboration';
import { Fragment, type Node, Slice } from '@tiptap/pm/model';
import { type EditorState, Plugin, type Transaction } from '@tiptap/pm/state';
import type { EditorView } from '@tiptap/pm/view';
import { type ProsemirrorBinding, ySyncPluginKey } from '@tiptap/y-tiptap';
import type * as Y from 'yjs';
import { TEXT_NAME } from '../net/gate';
import { writeDoubled } from './doubledTexts';
import { Drawing } from './draw';
import { DrawnMapping } from './drawnMapping';
import { leastEdits } from './leastEdits';
import { TextUndo } from './textUndo';

/** Is told, once, that the editor had to be given up; `kept`: all that was typed is in the shared text. */
export type FaultListener = (error: unknown, kept: boolean) => void;

/** What a binding may be told besides. */
export interface BindingParts {
  /** They write an edit's structure before the stock binding does. */
  readonly writers?: readonly Plugin[];
  /** Is told when something could not be undone because the page could not load what does it. */
  readonly onUndoMissing?: () => void;
}

/** The extension for one editor. */
export function binding(
  document: Y.Doc,
  onFault: FaultListener,
  { writers = [leastEdits()], onUndoMissing = () => undefined }: BindingParts = {},
) {
  const text = document.getXmlFragment(TEXT_NAME);
  const bound = new Bound(text, onFault);
  return Collaboration.extend({
    dispatchTransaction({ transaction, next }) {
      bound.dispatch(this.editor.view, transaction, next);
    },
    addProseMirrorPlugins() {
      bound.mapping.begin(this.editor.schema);
      // The first, so that they write before the stock binding does.
      return [bound.plugin(), ...writers, ...(this.parent?.() ?? [])];
    },
  }).configure({
    document,
    field: TEXT_NAME,
    ySyncOptions: { mapping: bound.mapping },
    yUndoOptions: { undoManager: new TextUndo(text, onUndoMissing) },
  });
}

class Bound {
  readonly mapping: DrawnMapping;
  readonly #text: Y.XmlFragment;
  readonly #onFault: FaultListener;
  /** What the view showed when it and the shared text were last one. */
  #synced: Node | null = null;
  #receiving = false;
  #ended = false;

  constructor(text: Y.XmlFragment, onFault: FaultListener) {
    this.#text = text;
    this.#onFault = onFault;
    this.mapping = new DrawnMapping(text, (error) => this.#end(error, true));
  }

  plugin(): Plugin {
    return new Plugin({
      filterTransaction: (transaction) => this.#isAllowed(transaction),
      view: (view) => {
        // The views of all plugins are made anew whenever one plugin comes or goes.
        if (this.#synced === null) this.#begin(view);
        return { update: (_view, before) => this.#updated(view, before) };
      },
    });
  }

  dispatch(view: EditorView, transaction: Transaction, next: (made: Transaction) => void): void {
    if (this.#ended) return;
    const outer = this.#receiving;
    const before = view.state;
    this.#receiving = outer || isReceived(transaction);
    try {
      if (this.#isAllowed(transaction)) next(transaction);
    } catch (error) {
      const kept = this.#receiving || this.#isWritten(view, before, transaction);
      this.#end(error, kept);
    } finally {
      this.#receiving = outer;
    }
  }

  #isAllowed(transaction: Transaction): boolean {
    return !this.#receiving || !transaction.docChanged || isReceived(transaction);
  }

  #end(error: unknown, kept: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onFault(error, kept);
  }

  #begin(view: EditorView): void {
    this.#showFirst(view);
    this.#writeChangesOnly(view);
  }

  /**
   * The stock binding compares the whole text at each update of the view. A text that others have
   * emptied is shown as an empty line, and a look at it would write that line.
   */
  #writeChangesOnly(view: EditorView): void {
    this.#synced = view.state.doc;
    const stock = stockBinding(view.state);
    if (stock === undefined) return;
    const write = stock._prosemirrorChanged.bind(stock);
    stock._prosemirrorChanged = (doc) => {
      if (doc === this.#synced || this.#ended) return;
      write(doc);
      this.#synced = doc;
    };
  }

  #updated(view: EditorView, before: EditorState): void {
    if (this.#receiving) this.#synced = view.state.doc;
    else if (view.state.doc !== before.doc) this.#writeDoubled(view, before);
  }

  #writeDoubled(view: EditorView, before: EditorState): void {
    const { doubled } = this.mapping;
    if (doubled.size === 0) return;
    stockBinding(view.state)?.mux(() => {
      this.#text.doc?.transact(() => {
        writeDoubled(doubled, this.mapping, before.doc, view.state.doc);
      }, ySyncPluginKey);
    });
  }

  #showFirst(view: EditorView): void {
    const blocks = this.mapping.draw();
    // An empty text is shown as an empty line, which is there already.
    if (blocks.length === 0) return;
    const { tr } = view.state;
    tr.replace(0, view.state.doc.content.size, new Slice(Fragment.from(blocks), 0, 0));
    tr.setMeta('addToHistory', false).setMeta(ySyncPluginKey, { isChangeOrigin: true });
    stockBinding(view.state)?.mux(() => view.dispatch(tr));
  }

  /** Writes what the view could not draw; whether all that was typed is in the shared text then. */
  #isWritten(view: EditorView, before: EditorState, transaction: Transaction): boolean {
    if (!transaction.docChanged) return true;
    const { state } = view;
    if (state.doc === before.doc) return false;
    try {
      const stock = stockBinding(state);
      stock?.mux(() => {
        this.#text.doc?.transact(() => stock._prosemirrorChanged(state.doc), ySyncPluginKey);
      });
      const written = new Drawing(state.schema, new Map()).blocks(this.#text);
      return Fragment.from(written).eq(state.doc.content);
    } catch {
      return false;
    }
  }
}

/** Whether the transaction shows what came from the shared text. */
function isReceived(transaction: Transaction): boolean {
  const meta: { isChangeOrigin?: boolean } | undefined = transaction.getMeta(ySyncPluginKey);
  return meta?.isChangeOrigin === true;
}

function stockBinding(state: EditorState): ProsemirrorBinding | undefined {
  return (ySyncPluginKey.getState(state) as { binding?: ProsemirrorBinding } | undefined)?.binding;
}
