/**
 * The slash menu's state: open while the caret stands behind a `/` that was typed here, with the
 * letters after it as the query. Shows nothing itself; `ui/SlashMenu.svelte` draws it.
 */
import { Extension } from '@tiptap/core';
import { Plugin, PluginKey, type EditorState, type Transaction } from '@tiptap/pm/state';
import type { EditorView } from '@tiptap/pm/view';

/** Where the slash stands and what was typed after it. */
export interface Slash {
  readonly from: number;
  readonly to: number;
  readonly query: string;
}

/** How the menu is told, and what it does with keys. */
export interface SlashListener {
  show(slash: Slash | null, view: EditorView): void;
  /** Whether the menu took the key. */
  key(event: KeyboardEvent): boolean;
}

const QUERY = /(?:^|\s)\/([\p{L}\p{N} ]{0,20})$/u;
const key = new PluginKey<Slash | null>('slash');

/** Makes the menu's plugin for one listener. */
export function slashMenu(listener: SlashListener): Extension {
  return Extension.create({
    name: 'slashMenu',
    // Before lists and tables, so that Enter and Tab choose from the open menu.
    priority: 1100,
    addProseMirrorPlugins: () => [slashPlugin(listener)],
  });
}

/** Closes the menu without a choice. */
export function closeSlash(view: EditorView): void {
  view.dispatch(view.state.tr.setMeta(key, 'close'));
}

function slashPlugin(listener: SlashListener): Plugin<Slash | null> {
  return new Plugin<Slash | null>({
    key,
    state: { init: () => null, apply: nextSlash },
    props: {
      handleKeyDown: (view, event) => {
        if (key.getState(view.state) === null || !view.editable) return false;
        if (event.key === 'Escape') {
          closeSlash(view);
          return true;
        }
        return listener.key(event);
      },
      handleDOMEvents: {
        blur: (view) => {
          if (key.getState(view.state) !== null) closeSlash(view);
          return false;
        },
      },
    },
    view: (view) => {
      let shown: Slash | null = null;
      return {
        update: () => {
          const slash = key.getState(view.state) ?? null;
          if (slash !== shown) listener.show(slash, view);
          shown = slash;
        },
        destroy: () => listener.show(null, view),
      };
    },
  });
}

function nextSlash(
  transaction: Transaction,
  before: Slash | null,
  _old: EditorState,
  state: EditorState,
): Slash | null {
  if (transaction.getMeta(key) === 'close') return null;
  if (!transaction.docChanged && !transaction.selectionSet) return before;
  const slash = findSlash(state);
  if (slash === null) return null;
  // Walking the caret behind an old slash opens nothing; typing the slash does.
  if (before !== null) return sameSlash(before, slash) ? before : slash;
  return transaction.docChanged && slash.query === '' && isTyped(transaction) ? slash : null;
}

/** One character longer: a slash that was typed, not pasted, moved or sent by somebody else. */
function isTyped(transaction: Transaction): boolean {
  return transaction.doc.content.size - transaction.before.content.size === 1;
}

function sameSlash(a: Slash, b: Slash): boolean {
  return a.from === b.from && a.query === b.query;
}

function findSlash(state: EditorState): Slash | null {
  const { $from, empty } = state.selection;
  if (!empty || !$from.parent.isTextblock || $from.parent.type.spec.code === true) return null;
  const before = $from.parent.textBetween(0, $from.parentOffset, undefined, '\uFFFC');
  const query = QUERY.exec(before)?.[1];
  if (query === undefined) return null;
  return { from: $from.pos - query.length - 1, to: $from.pos, query };
}
