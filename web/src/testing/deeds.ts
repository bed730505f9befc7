/** What people do to a text's form: the commands of the page, at random places. */
import type { Editor } from '@tiptap/core';
import { TextSelection } from '@tiptap/pm/state';
import { blocks } from '../editor/blocks';
import { press, type Writer } from './editors';
import type { Random } from './random';

/** Something that somebody does; says what it was. */
export type Deed = (writer: Writer, chance: Random) => string;

const KEYS = [
  'Enter',
  'Backspace',
  'Delete',
  'Tab',
  'Shift-Tab',
  'Alt-ArrowUp',
  'Alt-ArrowDown',
  'Mod-Enter',
  'Mod-Shift-8',
  'Shift-Enter',
];

/** Puts the caret anywhere, often at the start or the end of a line. */
export function goAnywhere({ editor }: Writer, chance: Random): void {
  const at = anywhere(editor, chance);
  editor.view.dispatch(editor.state.tr.setSelection(TextSelection.create(editor.state.doc, at)));
}

/** Selects from one place to another. */
export function selectAnything({ editor }: Writer, chance: Random): void {
  const { doc, tr } = editor.state;
  const [from, to] = [anywhere(editor, chance), anywhere(editor, chance)];
  editor.view.dispatch(tr.setSelection(TextSelection.create(doc, from, to)));
}

function anywhere(editor: Editor, chance: Random): number {
  const places: number[] = [];
  editor.state.doc.descendants((node, position) => {
    if (!node.isTextblock) return;
    const inside = chance.below(node.content.size + 1);
    places.push(position + 1, position + 1 + node.content.size, position + 1 + inside);
  });
  return chance.pick(places);
}

/** Changes the form of the line with the caret, or of the selected lines. */
export const changeForm: Deed = (writer, chance) => {
  const { editor } = writer;
  if (chance.below(4) === 0) selectAnything(writer, chance);
  else goAnywhere(writer, chance);
  if (chance.below(2) === 0) return pressKey(writer, chance);
  const block = chance.pick(blocks.filter(({ id }) => id !== 'table' || chance.below(3) === 0));
  // These two stand in the place of what is selected.
  if (block.id === 'rule' || block.id === 'table') {
    editor.commands.setTextSelection(editor.state.selection.head);
  }
  block.apply(editor.chain()).run();
  return block.id;
};

function pressKey(writer: Writer, chance: Random): string {
  const { editor } = writer;
  // With a selection, these would delete what is in it.
  const { empty, head } = editor.state.selection;
  if (!empty) editor.commands.setTextSelection(head);
  const name = chance.pick(KEYS);
  // A browser deletes letters by itself; the editor only hears of it.
  press(writer, name);
  return name;
}

/** Adds or takes rows and columns, where there is a table. */
export const changeTable: Deed = (writer, chance) => {
  goAnywhere(writer, chance);
  const { commands } = writer.editor;
  const [name, run] = chance.pick([
    ['add row', () => commands.addRowAfter()],
    ['add column', () => commands.addColumnAfter()],
    ['delete row', () => commands.deleteRow()],
    ['delete column', () => commands.deleteColumn()],
  ] as const);
  run();
  return name;
};

/** Makes some letters bold, or plain again. */
export const changeMarks: Deed = (writer, chance) => {
  selectAnything(writer, chance);
  writer.editor.commands.toggleMark(chance.pick(['bold', 'italic', 'code']));
  return 'mark';
};
