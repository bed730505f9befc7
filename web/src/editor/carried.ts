/**
 * Notices when what was typed is on the screen and not in the shared text.
 *
 * The binding writes each change of the editor into the shared text at once. Where it fails, by a
 * fault of its own or of another plugin, the page would go on taking letters that no update carries,
 * and the ledger, which counts updates, would go on saying that everything is stored.
 */
import { Extension } from '@tiptap/core';
import { Plugin, type Transaction } from '@tiptap/pm/state';
import type { EditorView } from '@tiptap/pm/view';
import { ySyncPluginKey } from '@tiptap/y-tiptap';
import * as Y from 'yjs';
import { SharedMoment, textOf } from './sharedMoment';

/** Tells whether the shared text has what was typed, each time that this changes. */
export function carriedWatch(tell: (isCarried: boolean) => void): Extension {
  return Extension.create({
    name: 'carriedWatch',
    // Behind the binding, which has written a change when this hears of it.
    priority: 1,
    addProseMirrorPlugins: () => [carriedPlugin(tell)],
  });
}

function carriedPlugin(tell: (isCarried: boolean) => void): Plugin {
  const watch = new Watch(tell);
  return new Plugin({
    state: {
      init: () => null,
      apply: (transaction) => {
        if (isTyped(transaction)) watch.typed();
        return null;
      },
    },
    view: (view) => {
      const text: Y.XmlFragment | undefined = ySyncPluginKey.getState(view.state)?.type;
      watch.look = () => text === undefined || hasLineOf(text, view);
      text?.doc?.on('update', watch.written);
      return {
        update: () => watch.shown(),
        destroy: () => {
          watch.look = () => true;
          text?.doc?.off('update', watch.written);
        },
      };
    },
  });
}

function isTyped(transaction: Transaction): boolean {
  const isOfOthers = transaction.getMeta(ySyncPluginKey) !== undefined;
  return (
    transaction.docChanged &&
    !isOfOthers &&
    transaction.getMeta('appendedTransaction') === undefined
  );
}

class Watch {
  readonly #tell: (isCarried: boolean) => void;
  #isWaiting = false;
  #isCarried = true;
  /** Whether the shared text has the caret's line. */
  look = () => true;

  constructor(tell: (isCarried: boolean) => void) {
    this.#tell = tell;
  }

  /** A change has been made, and is to be written before anything else happens. */
  typed(): void {
    if (!this.#isWaiting) setTimeout(() => this.shown());
    this.#isWaiting = true;
  }

  /** One update of the binding carries all that the editor has. */
  readonly written = (_update: Uint8Array, origin: unknown): void => {
    if (origin !== ySyncPluginKey) return;
    this.#isWaiting = false;
    this.#say(true);
  };

  /** The editor shows the change, or should by now. */
  shown(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#say(this.look());
  }

  #say(isCarried: boolean): void {
    if (isCarried === this.#isCarried) return;
    this.#isCarried = isCarried;
    this.#tell(isCarried);
  }
}

/** Whether the shared text has the caret's line as it is on the screen. */
function hasLineOf(text: Y.XmlFragment, { state }: EditorView): boolean {
  const line = state.selection.$head.parent;
  if (!line.isTextblock || line.content.size === 0) return true;
  // Of a transaction that changed nothing, all is as it was.
  const moment = new SharedMoment(text, new Y.Transaction(new Y.Doc(), null, false));
  return moment
    .linesNow(state.doc)
    .some(({ element }) => moment.lineIn(element).came === textOf(line));
}
