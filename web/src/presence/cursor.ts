/**
 * Tells the others where this page's caret is, and finds theirs in our text.
 *
 * The field `cursor` holds two relative positions, `anchor` and `head`, as the stock caret plugins
 * of y-prosemirror and Tiptap write and read them. Ours is sent at most every `SEND_INTERVAL_MS`,
 * and only when it moved.
 */
import { Extension } from '@tiptap/core';
import { Plugin, type EditorState } from '@tiptap/pm/state';
import type { EditorView } from '@tiptap/pm/view';
import {
  absolutePositionToRelativePosition,
  relativePositionToAbsolutePosition,
  ySyncPluginKey,
} from '@tiptap/y-tiptap';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';

const SEND_INTERVAL_MS = 60;

/** A selection in our text. */
export interface Caret {
  readonly anchor: number;
  readonly head: number;
}

/** Sends this page's caret. */
export function cursorSender(awareness: Awareness): Extension {
  return Extension.create({
    name: 'cursorSender',
    addProseMirrorPlugins: () => [senderPlugin(awareness)],
  });
}

function senderPlugin(awareness: Awareness): Plugin {
  return new Plugin({
    view: (view) => {
      let timer: ReturnType<typeof setTimeout> | null = null;
      const send = () => {
        timer = null;
        publish(awareness, view);
      };
      const sendSoon = () => {
        timer ??= setTimeout(send, SEND_INTERVAL_MS);
      };
      view.dom.addEventListener('focusin', sendSoon);
      view.dom.addEventListener('focusout', sendSoon);
      return {
        update: (_view, before) => {
          if (!view.state.selection.eq(before.selection) || view.state.doc !== before.doc)
            sendSoon();
        },
        destroy: () => {
          if (timer !== null) clearTimeout(timer);
          view.dom.removeEventListener('focusin', sendSoon);
          view.dom.removeEventListener('focusout', sendSoon);
        },
      };
    },
  });
}

function publish(awareness: Awareness, view: EditorView): void {
  const known: unknown = awareness.getLocalState()?.['cursor'] ?? null;
  const next = view.hasFocus() ? encodeCaret(view.state) : null;
  if (JSON.stringify(known) !== JSON.stringify(next)) awareness.setLocalStateField('cursor', next);
}

function encodeCaret(state: EditorState): { anchor: unknown; head: unknown } | null {
  const sync = ySyncPluginKey.getState(state);
  if (sync === undefined) return null;
  const relative = (position: number): unknown =>
    absolutePositionToRelativePosition(position, sync.type, sync.binding.mapping);
  return { anchor: relative(state.selection.anchor), head: relative(state.selection.head) };
}

/** Somebody's caret in our text; `null` when it points to nothing that is here. */
export function findCaret(cursor: unknown, state: EditorState): Caret | null {
  const sync = ySyncPluginKey.getState(state);
  if (sync === undefined || typeof cursor !== 'object' || cursor === null) return null;
  const absolute = (json: unknown): number | null => {
    const position = Y.createRelativePositionFromJSON(json);
    return relativePositionToAbsolutePosition(sync.doc, sync.type, position, sync.binding.mapping);
  };
  try {
    const anchor = 'anchor' in cursor ? absolute(cursor.anchor) : null;
    const head = 'head' in cursor ? absolute(cursor.head) : null;
    if (anchor === null || head === null) return null;
    const end = state.doc.content.size;
    return { anchor: Math.min(anchor, end), head: Math.min(head, end) };
  } catch {
    // Whatever a foreign client put there is no position.
    return null;
  }
}
