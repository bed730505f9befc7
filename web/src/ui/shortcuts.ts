/** What the sheet of keyboard shortcuts lists. */
import { words } from './words';

interface Group {
  readonly title: string;
  readonly keys: readonly { readonly does: string; readonly keys: string }[];
}

const mod = words.mod;
const { blocks } = words.editor;

/** In groups, as they are shown. */
export const shortcuts: readonly Group[] = [
  {
    title: 'Words',
    keys: [
      { does: words.editor.bold, keys: `${mod}+B` },
      { does: words.editor.italic, keys: `${mod}+I` },
      { does: words.editor.underline, keys: `${mod}+U` },
      { does: words.editor.code, keys: `${mod}+E` },
      { does: words.editor.strike, keys: `${mod}+Shift+X` },
      { does: words.editor.link, keys: `${mod}+K` },
      { does: 'Undo, redo your own changes', keys: `${mod}+Z, ${mod}+Shift+Z` },
      { does: 'Paste without formatting', keys: `${mod}+Shift+V` },
    ],
  },
  {
    title: 'Blocks',
    keys: [
      { does: 'Choose a block', keys: '/' },
      { does: 'Text, headings', keys: `${mod}+Alt+0, 1, 2, 3` },
      { does: blocks.orderedList, keys: `${mod}+Shift+7` },
      { does: blocks.bulletList, keys: `${mod}+Shift+8` },
      { does: blocks.taskList, keys: `${mod}+Shift+9` },
      { does: 'Tick a task', keys: `${mod}+Enter` },
      { does: 'Move a block', keys: 'Alt+↑, Alt+↓' },
      { does: 'Indent in a list, next cell in a table', keys: 'Tab, Shift+Tab' },
    ],
  },
  {
    title: 'Page',
    keys: [
      { does: 'Leave the text', keys: 'Esc, then Tab' },
      { does: 'To the format bar', keys: 'Alt+F10' },
      { does: 'Next part of the page', keys: 'F6' },
      { does: 'List of notes', keys: `${mod}+\\` },
      { does: 'This list', keys: '? outside the text' },
    ],
  },
];
