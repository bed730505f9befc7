/** The editor as the page makes it, with all its extensions, in jsdom. */
import { onTestFinished } from 'vitest';
import { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { createEditor } from '../editor/createEditor';
import { loadReversal } from '../editor/undoLoading';
import type { Writer } from './editors';

// An undo of a test does not wait.
await loadReversal();

/** What an editor told of its end. */
export interface Fault {
  readonly error: unknown;
  readonly kept: boolean;
}

/** Binds the page's editor; `faults` collects what it tells. */
export function pageOn(document: Y.Doc): Writer & { readonly faults: Fault[] } {
  const faults: Fault[] = [];
  const awareness = new Awareness(document);
  const editor = createEditor({
    element: globalThis.document.createElement('div'),
    document,
    awareness,
    label: 'Text',
    slash: { show: () => undefined, key: () => false },
    actions: { editLink: () => undefined, focusTitle: () => undefined },
    onCarried: () => undefined,
    onUndoMissing: () => undefined,
    onFault: (error, kept) => faults.push({ error, kept }),
  });
  onTestFinished(() => {
    editor.destroy();
    awareness.destroy();
  });
  return { editor, document, faults };
}
