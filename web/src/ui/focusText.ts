/**
 * Puts the focus into the text at once. The editor's own command waits until a frame is drawn, and on
 * a busy machine the next keys would miss the text; it could also take the focus away from where
 * the person has gone meanwhile.
 */
import type { ChainedCommands, Editor } from '@tiptap/core';
import { Selection } from '@tiptap/pm/state';

/** Focuses the text, and begins a chain of commands there. */
export function chainInText(editor: Editor): ChainedCommands {
  editor.view.focus();
  return editor.chain();
}

/** Focuses the start or the end of the text. */
export function focusTextAt(editor: Editor, place: 'start' | 'end'): void {
  const { doc } = editor.state;
  const caret = place === 'start' ? Selection.atStart(doc) : Selection.atEnd(doc);
  editor.view.dispatch(editor.state.tr.setSelection(caret).scrollIntoView());
  editor.view.focus();
}
