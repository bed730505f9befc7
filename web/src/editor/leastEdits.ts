/**
 * Writes an edit into the shared text with as few replaced blocks as Yjs allows.
 *
 * The stock binding compares the text before and after, and guesses. A guess that replaces a block,
 * or writes one line's text over another's, loses or misplaces what others write there at the same
 * time. This plugin knows the edit's steps, so it changes the structure first, in the binding's own
 * name and transaction origin; the binding then finds nothing left to do. Typing inside one block
 * never comes here.
 */
import type { Node } from '@tiptap/pm/model';
import { Plugin, type EditorState, type Transaction } from '@tiptap/pm/state';
import type { StepMap } from '@tiptap/pm/transform';
import type { EditorView } from '@tiptap/pm/view';
import { ySyncPluginKey } from '@tiptap/y-tiptap';
import { BlockWriter, type Binding } from './blockWriter';
import { survivors } from './survival';

/** The steps that led to a text, and the text before them. */
interface Change {
  readonly before: Node;
  readonly maps: readonly StepMap[];
}

/** What the binding's plugin knows about the last transaction. */
interface BindingState {
  readonly binding: Binding;
  readonly isChangeOrigin: boolean;
  readonly addToHistory: boolean;
  readonly snapshot: unknown;
  readonly prevSnapshot: unknown;
}

/** The plugin; it stands before the binding's own. */
export function leastEdits(): Plugin {
  const changes = new WeakMap<Node, Change>();
  return new Plugin({
    state: {
      init: () => null,
      apply: (transaction: Transaction) => {
        if (transaction.docChanged) changes.set(transaction.doc, changeOf(transaction));
        return null;
      },
    },
    view: () => ({
      update: (view, previous) => {
        const maps = mapsBetween(changes, previous.doc, view.state.doc);
        if (maps !== null) write(view, previous, maps);
      },
    }),
  });
}

function changeOf(transaction: Transaction): Change {
  return { before: transaction.before, maps: transaction.mapping.maps };
}

/** The step maps from one text to the other; `null` when they are not known or there are none. */
function mapsBetween(
  changes: WeakMap<Node, Change>,
  before: Node,
  after: Node,
): readonly StepMap[] | null {
  const maps: StepMap[] = [];
  for (let text = after; text !== before;) {
    const change = changes.get(text);
    if (change === undefined) return null;
    changes.delete(text);
    maps.unshift(...change.maps);
    text = change.before;
  }
  return maps.length === 0 ? null : maps;
}

function write(view: EditorView, previous: EditorState, maps: readonly StepMap[]): void {
  const state = ySyncPluginKey.getState(view.state) as BindingState | undefined;
  if (state === undefined || state.isChangeOrigin) return;
  if (state.snapshot !== null || state.prevSnapshot !== null) return;
  const { doc } = view.state;
  if (isInsideOneBlock(previous.doc, doc)) return;
  const { binding, addToHistory } = state;
  binding.mux(() => {
    binding.doc.transact((transaction) => {
      transaction.meta.set('addToHistory', addToHistory);
      const stretches = survivors(previous.doc.content.size, maps);
      new BlockWriter(binding, stretches).write(binding.type, previous.doc, 0, doc, 0);
    }, ySyncPluginKey);
  });
}

/** Whether the two texts differ in the content of one block only, which the binding writes well. */
function isInsideOneBlock(before: Node, after: Node): boolean {
  if (before.type !== after.type) return false;
  if (before.inlineContent) return true;
  if (before.childCount !== after.childCount) return false;
  const changed: number[] = [];
  before.forEach((child, _offset, index) => {
    if (child !== after.child(index)) changed.push(index);
  });
  const [index] = changed;
  if (index === undefined) return true;
  return changed.length === 1 && isInsideOneBlock(before.child(index), after.child(index));
}
