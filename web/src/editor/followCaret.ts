/**
 * Keeps caret, selection and view at their text while others change it.
 *
 * The binding shows each change of others by replacing the whole document, and knows a selection
 * only as two places. A place in a line that was split or became a heading is lost to it, selected
 * cells become a caret, and a style that was switched on for the next letter is off again. So after
 * such a change this plugin says where the selection is. Known upstream as tiptap #7213.
 *
 * An undo is left to the binding, which knows where the caret was when the undone was done.
 */
import { Extension } from '@tiptap/core';
import { Plugin, type EditorState, type Selection, type Transaction } from '@tiptap/pm/state';
import type { EditorView } from '@tiptap/pm/view';
import { ySyncPluginKey } from '@tiptap/y-tiptap';
import type * as Y from 'yjs';
import { followedSelection } from './followedSelection';
import { SharedMoment } from './sharedMoment';
import { steadyView } from './steadyView';

interface Change {
  readonly isChangeOrigin?: boolean;
  readonly isUndoRedoOperation?: boolean;
}

/** The extension. */
export const followCaret = Extension.create({
  name: 'followCaret',
  addProseMirrorPlugins: () => [followPlugin(), steadyView()],
});

function followPlugin(): Plugin {
  let moment: SharedMoment | null = null;
  return new Plugin({
    view: (view) => watchShared(view, (next) => (moment = next)),
    appendTransaction: (transactions, before, after) =>
      moment === null ? null : follow(transactions, before, after, moment),
  });
}

/** Tells the transaction that is being observed, as long as its deletions can be read. */
function watchShared(view: EditorView, tell: (moment: SharedMoment | null) => void) {
  const sync = ySyncPluginKey.getState(view.state);
  const text: Y.XmlFragment | undefined = sync?.type;
  const begin = (transaction: Y.Transaction) => {
    if (text !== undefined) tell(new SharedMoment(text, transaction));
  };
  const end = () => tell(null);
  text?.doc?.on('beforeObserverCalls', begin);
  text?.doc?.on('afterTransaction', end);
  return {
    destroy: () => {
      text?.doc?.off('beforeObserverCalls', begin);
      text?.doc?.off('afterTransaction', end);
    },
  };
}

function follow(
  transactions: readonly Transaction[],
  before: EditorState,
  after: EditorState,
  moment: SharedMoment,
): Transaction | null {
  const at = transactions.findIndex(isOfOthers);
  const remote = transactions[at];
  if (remote === undefined) return null;
  let selection: Selection | null = followedSelection(before.selection, moment, remote.doc);
  for (const { doc, mapping } of transactions.slice(at + 1)) {
    selection = selection?.map(doc, mapping) ?? null;
  }
  const isMoved = selection !== null && !selection.eq(after.selection);
  if (!isMoved && before.storedMarks === null) return null;
  // Said to be part of the change that it follows, or the step that undo takes back would end here.
  const own = after.tr.setMeta('addToHistory', false).setMeta(ySyncPluginKey, {
    isChangeOrigin: true,
  });
  if (selection !== null && isMoved) own.setSelection(selection);
  return own.setStoredMarks(before.storedMarks);
}

function isOfOthers(transaction: Transaction): boolean {
  const change: Change | undefined = transaction.getMeta(ySyncPluginKey);
  return (
    transaction.docChanged && change?.isChangeOrigin === true && change.isUndoRedoOperation !== true
  );
}
