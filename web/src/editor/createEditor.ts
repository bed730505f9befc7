/** Binds a Tiptap editor to a note's inner replica. */
import { Editor, type Extensions } from '@tiptap/core';
import Collaboration from '@tiptap/extension-collaboration';
import { Placeholder } from '@tiptap/extensions';
import type { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { TEXT_NAME } from '../net/gate';
import { cursorSender } from '../presence/cursor';
import { words } from '../ui/words';
import { textExtensions } from './extensions';
import { followCaret } from './followCaret';
import { keys, type KeyActions } from './keys';
import { leastEdits } from './leastEdits';
import { markdownPaste } from './markdownPaste';
import { slashMenu, type SlashListener } from './slash';
import { TextUndo } from './textUndo';

/** What the editor is made of besides its text. */
export interface EditorParts {
  readonly element: HTMLElement;
  readonly document: Y.Doc;
  readonly awareness: Awareness;
  readonly label: string;
  readonly slash: SlashListener;
  readonly actions: KeyActions;
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

function editorExtensions(parts: EditorParts): Extensions {
  const undoManager = new TextUndo(parts.document.getXmlFragment(TEXT_NAME));
  return [
    ...textExtensions,
    leastEdits,
    Collaboration.configure({
      document: parts.document,
      field: TEXT_NAME,
      yUndoOptions: { undoManager },
    }),
    Placeholder.configure({ placeholder: words.note.placeholder }),
    followCaret,
    cursorSender(parts.awareness),
    slashMenu(parts.slash),
    keys(parts.actions),
    markdownPaste,
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
