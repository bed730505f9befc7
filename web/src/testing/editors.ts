/** Editors for tests: bound to their own replicas, in jsdom, without a page around them. */
import { Editor } from '@tiptap/core';
import Collaboration from '@tiptap/extension-collaboration';
import * as Y from 'yjs';
import { textExtensions } from '../editor/extensions';
import { followCaret } from '../editor/followCaret';
import { TEXT_NAME } from '../net/gate';

/** An editor bound to a replica. */
export interface Writer {
  readonly editor: Editor;
  readonly document: Y.Doc;
}

/** Two replicas that pass on every change at once. */
export function connectedDocuments(): [Y.Doc, Y.Doc] {
  const [a, b] = [new Y.Doc(), new Y.Doc()];
  const pass = (from: Y.Doc, to: Y.Doc) =>
    from.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'passed on') Y.applyUpdate(to, update, 'passed on');
    });
  pass(a, b);
  pass(b, a);
  return [a, b];
}

/** Binds an editor. */
export function writerOn(document: Y.Doc): Writer {
  const editor = new Editor({
    element: globalThis.document.createElement('div'),
    injectCSS: false,
    extensions: [...textExtensions, followCaret, Collaboration.configure({ document, field: TEXT_NAME })],
  });
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
