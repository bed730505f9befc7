/** Editors for tests: bound to their own replicas, in jsdom, without a page around them. */
import { Editor } from '@tiptap/core';
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
export function writerOn(document: Y.Doc): Writer {
  const editor = new Editor({
    element: globalThis.document.createElement('div'),
    injectCSS: false,
    extensions: [
      ...textExtensions,
      followCaret,
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
