/** Binds a Tiptap editor to a note's inner replica. */
import { Editor, type Extensions } from '@tiptap/core';
import { Placeholder } from '@tiptap/extensions/placeholder';
import type { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { cursorSender } from '../presence/cursor';
import { words } from '../ui/words';
import { binding, type FaultListener } from './binding';
import { carriedWatch } from './carried';
import { textExtensions } from './extensions';
import { followCaret } from './followCaret';
import { foreignNodes } from './foreignNodes';
import { keys, type KeyActions } from './keys';
import { markdownPaste } from './markdownPaste';
import { pastedValues } from './pastedValues';
import { slashMenu, type SlashListener } from './slash';

/** What the editor is made of besides its text. */
export interface EditorParts {
  readonly element: HTMLElement;
  readonly document: Y.Doc;
  readonly awareness: Awareness;
  readonly label: string;
  readonly slash: SlashListener;
  readonly actions: KeyActions;
  readonly onFault: FaultListener;
  /** Something was to be undone, and what does it could not be loaded. */
  readonly onUndoMissing: () => void;
  /** Hears whether the shared text has what was typed, each time that this changes. */
  readonly onCarried: (isCarried: boolean) => void;
}

/** Makes the editor; `destroy()` of it unbinds. Making it writes nothing to the document. */
export function createEditor(parts: EditorParts): Editor {
  return new Editor({
    element: parts.element,
    extensions: editorExtensions(parts),
    // Its style element would be refused by the content security policy; ui/text.css has it.
    injectCSS: false,
    editorProps: {
      attributes: { ...labelled(parts.label), class: 'text', spellcheck: 'true' },
      handleClick: openLink,
    },
  });
}

/** The attributes that name the textbox. */
export function labelled(label: string): Record<string, string> {
  return { role: 'textbox', 'aria-multiline': 'true', 'aria-label': label };
}

/** All of the page's extensions. */
export function editorExtensions(parts: EditorParts): Extensions {
  return [
    ...textExtensions,
    foreignNodes,
    binding(parts.document, parts.onFault, { onUndoMissing: parts.onUndoMissing }),
    Placeholder.configure({ placeholder: words.note.placeholder }),
    followCaret,
    carriedWatch(parts.onCarried),
    cursorSender(parts.awareness),
    slashMenu(parts.slash),
    keys(parts.actions),
    markdownPaste,
    pastedValues,
  ];
}

/** A plain click sets the caret; with Mod it follows the link. */
function openLink(_view: unknown, _position: number, event: MouseEvent): boolean {
  if (!event.metaKey && !event.ctrlKey) return false;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || link.href === '') return false;
  window.open(link.href, '_blank', 'noopener,noreferrer');
  return true;
}
