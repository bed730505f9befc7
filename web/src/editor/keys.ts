/** The keys that the stock extensions do not bind, or bind to more than is wanted. */
import { Extension, type Editor } from '@tiptap/core';
import { Plugin, TextSelection, type EditorState, type Transaction } from '@tiptap/pm/state';
import { keepingListsApart } from './lists';

/** What the page does when a key asks for something outside the text. */
export interface KeyActions {
  readonly editLink: () => void;
  readonly focusTitle: () => void;
}

/** Makes the extension. */
export function keys(actions: KeyActions): Extension {
  return Extension.create({
    name: 'coscribeKeys',
    priority: 1050,
    addKeyboardShortcuts() {
      return {
        'Mod-k': () => {
          actions.editLink();
          return true;
        },
        'Mod-Shift-x': () => this.editor.commands.toggleStrike(),
        'Mod-Enter': () => tickTask(this.editor),
        'Mod-Shift-8': () => keepingListsApart(this.editor.chain().toggleBulletList()).run(),
        'Mod-Shift-9': () => keepingListsApart(this.editor.chain().toggleTaskList()).run(),
        'Alt-ArrowUp': () => moveBlock(this.editor, -1),
        'Alt-ArrowDown': () => moveBlock(this.editor, 1),
        ArrowUp: () => leaveUpwards(this.editor, actions),
      };
    },
    addProseMirrorPlugins: () => [escapeThenTab()],
  });
}

function tickTask(editor: Editor): boolean {
  if (!editor.isActive('taskItem')) return false;
  const checked = editor.getAttributes('taskItem')['checked'] === true;
  return editor.commands.updateAttributes('taskItem', { checked: !checked });
}

/** From the first line of the text up into the title. */
function leaveUpwards(editor: Editor, actions: KeyActions): boolean {
  const { selection } = editor.state;
  const isFirstBlock =
    selection.empty && selection.$from.index(0) === 0 && selection.$from.depth === 1;
  if (!isFirstBlock || !editor.view.endOfTextblock('up')) return false;
  actions.focusTitle();
  return true;
}

function moveBlock(editor: Editor, direction: -1 | 1): boolean {
  const transaction = movedBlock(editor.state, direction);
  if (transaction === null) return false;
  editor.view.dispatch(transaction.scrollIntoView());
  return true;
}

/** Swaps the caret's list item, or else its outermost block, with its neighbour. */
export function movedBlock(state: EditorState, direction: -1 | 1): Transaction | null {
  const { $from } = state.selection;
  const depth = movableDepth(state);
  const parent = $from.node(depth - 1);
  const index = $from.index(depth - 1);
  const neighbour = parent.maybeChild(index + direction);
  if (neighbour === null) return null;
  const block = $from.node(depth);
  const start = $from.before(depth);
  const target = direction < 0 ? start - neighbour.nodeSize : start + neighbour.nodeSize;
  const transaction = state.tr.delete(start, start + block.nodeSize).insert(target, block);
  const shift = target - start;
  const { anchor, head } = state.selection;
  return transaction.setSelection(
    TextSelection.create(
      transaction.doc,
      anchor + shift,
      Math.min(head + shift, target + block.nodeSize - 1),
    ),
  );
}

function movableDepth(state: EditorState): number {
  const { $from } = state.selection;
  for (let depth = $from.depth; depth > 1; depth -= 1) {
    const { name } = $from.node(depth).type;
    if (name === 'listItem' || name === 'taskItem') return depth;
  }
  return 1;
}

/** Tab indents in lists and walks through tables, so Escape first gives Tab back to the page. */
function escapeThenTab(): Plugin {
  let leaving = false;
  return new Plugin({
    props: {
      handleDOMEvents: {
        keydown: (_view, event) => {
          const isTab = event.key === 'Tab';
          const leaves = leaving && isTab;
          if (event.key !== 'Shift') leaving = event.key === 'Escape';
          // Taken from the editor, not from the browser: focus moves on.
          return leaves;
        },
      },
    },
  });
}
