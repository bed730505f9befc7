/** Editors for tests: bound to their own replicas, in jsdom, without a page around them. */
import { Editor, type Extensions } from '@tiptap/core';
import { onTestFinished } from 'vitest';
import type * as Y from 'yjs';
import { binding } from '../editor/binding';
import { textExtensions } from '../editor/extensions';
import { followCaret } from '../editor/followCaret';
import { foreignNodes } from '../editor/foreignNodes';

/** An editor bound to a replica. */
export interface Writer {
  readonly editor: Editor;
  readonly document: Y.Doc;
}

/** Binds an editor. */
export function writerOn(document: Y.Doc, besides: Extensions = []): Writer {
  const editor = new Editor({
    element: globalThis.document.createElement('div'),
    injectCSS: false,
    extensions: [
      ...textExtensions,
      followCaret,
      ...besides,
      foreignNodes,
      binding(document, (error) => {
        throw error;
      }),
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
