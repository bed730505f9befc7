/** Editors for tests: bound to their own replicas, in jsdom, without a page around them. */
import { Editor, type Extensions } from '@tiptap/core';
import Collaboration from '@tiptap/extension-collaboration';
import { onTestFinished } from 'vitest';
import type * as Y from 'yjs';
import { textExtensions } from '../editor/extensions';
import { followCaret } from '../editor/followCaret';
import { keys } from '../editor/keys';
import { leastEdits } from '../editor/leastEdits';
import { TextUndo } from '../editor/textUndo';
import { TEXT_NAME } from '../net/gate';

/** An editor bound to a replica. */
export interface Writer {
  readonly editor: Editor;
  readonly document: Y.Doc;
}

/** Binds an editor; `more` stands for what a test leaves out or adds. */
export function writerOn(document: Y.Doc, more: Extensions = [leastEdits]): Writer {
  const undoManager = new TextUndo(document.getXmlFragment(TEXT_NAME));
  const editor = new Editor({
    element: globalThis.document.createElement('div'),
    injectCSS: false,
    extensions: [
      ...textExtensions,
      followCaret,
      ...more,
      keys({ editLink: () => undefined, focusTitle: () => undefined }),
      Collaboration.configure({ document, field: TEXT_NAME, yUndoOptions: { undoManager } }),
    ],
  });
  // An editor left alive looks at a page that the test run has already taken away.
  onTestFinished(() => editor.destroy());
  return { editor, document };
}

/** The blocks' text, line by line. */
export function linesOf(writer: Writer): string[] {
  const lines: string[] = [];
  writer.editor.state.doc.descendants((node) => {
    if (node.isTextblock) lines.push(node.textContent);
  });
  return lines;
}

/** Sets the caret `offset` letters into the line that has `text`. */
export function caretIn(writer: Writer, text: string, offset: number): void {
  let start = 0;
  writer.editor.state.doc.descendants((node, position) => {
    if (node.isTextblock && node.textContent === text) start = position + 1;
  });
  writer.editor.commands.setTextSelection(start + offset);
}

const KEY_CODES: Readonly<Record<string, number>> = {
  Backspace: 8,
  Tab: 9,
  Enter: 13,
  Delete: 46,
};

/** Presses a key that the editor handles itself, with the modifiers before it: `Alt-ArrowUp`. */
export function press(writer: Writer, name: string): boolean {
  const parts = name.split('-');
  const key = parts.pop() ?? '';
  const event = new KeyboardEvent('keydown', {
    key,
    keyCode: KEY_CODES[key] ?? 0,
    altKey: parts.includes('Alt'),
    ctrlKey: parts.includes('Mod'),
    shiftKey: parts.includes('Shift'),
  });
  const { view } = writer.editor;
  return view.someProp('handleKeyDown', (handle) => handle(view, event)) === true;
}
