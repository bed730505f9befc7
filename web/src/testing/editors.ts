/** Editors for tests: bound to their own replicas, in jsdom, without a page around them. */
import { Editor, type Extensions } from '@tiptap/core';
import { onTestFinished } from 'vitest';
import type * as Y from 'yjs';
import { binding, type BindingParts } from '../editor/binding';
import { textExtensions } from '../editor/extensions';
import { followCaret } from '../editor/followCaret';
import { foreignNodes } from '../editor/foreignNodes';
import { keys } from '../editor/keys';
import { loadReversal } from '../editor/undoLoading';

// An undo of a test does not wait.
await loadReversal();

/** An editor bound to a replica. */
export interface Writer {
  readonly editor: Editor;
  readonly document: Y.Doc;
}

/** Binds an editor, with extensions `besides` the page's. */
export function writerOn(
  document: Y.Doc,
  besides: Extensions = [],
  parts: BindingParts = {},
): Writer {
  return writerWith(document, [...besides, binding(document, rethrow, parts)]);
}

/** Binds an editor that writes each edit as the stock binding does. */
export function stockWriterOn(document: Y.Doc): Writer {
  return writerWith(document, [binding(document, rethrow, { writers: [] })]);
}

function rethrow(error: unknown): never {
  throw error;
}

function writerWith(document: Y.Doc, more: Extensions): Writer {
  const editor = new Editor({
    element: globalThis.document.createElement('div'),
    injectCSS: false,
    extensions: [
      ...textExtensions,
      followCaret,
      foreignNodes,
      keys({ editLink: () => undefined, focusTitle: () => undefined }),
      ...more,
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

/** The caret's line, with a bar where the caret is. */
export function around(writer: Writer): string {
  const { $head } = writer.editor.state.selection;
  const text = $head.parent.textContent;
  return `${text.slice(0, $head.parentOffset)}|${text.slice($head.parentOffset)}`;
}

/** The position behind the first such text. */
export function placeAfter({ editor }: Writer, text: string): number {
  let found = -1;
  editor.state.doc.descendants((node, position) => {
    if (found >= 0 || !node.isTextblock) return;
    const index = node.textContent.indexOf(text);
    if (index >= 0) found = position + 1 + index + text.length;
  });
  if (found < 0) throw new Error(`the text has no ${text}`);
  return found;
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
