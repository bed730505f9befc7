// @vitest-environment jsdom
import { AllSelection, NodeSelection } from '@tiptap/pm/state';
import { CellSelection } from '@tiptap/pm/tables';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { around, linesOf, placeAfter, writerOn, type Writer } from '../testing/editors';

/** Ann's and Bo's editors on the same text, with no connection until `deliver` is called. */
function apart(content: string): { ann: Writer; bo: Writer; deliver: () => void } {
  const [ann, bo] = [writerOn(new Y.Doc()), writerOn(new Y.Doc())];
  ann.editor.commands.setContent(content);
  deliverFrom(ann, bo);
  return { ann, bo, deliver: () => deliverFrom(bo, ann) };
}

/** As the server does after an absence: everything that was missed, in one update. */
function deliverFrom(from: Writer, to: Writer): void {
  const missed = Y.encodeStateAsUpdate(from.document, Y.encodeStateVector(to.document));
  Y.applyUpdate(to.document, missed, 'others');
}

function remove(writer: Writer, text: string): void {
  const to = placeAfter(writer, text);
  writer.editor.commands.deleteRange({ from: to - text.length, to });
}

/*
 * The caret stood at the end of its line, and letters were deleted there while the connection was
 * off. The line below began as the deleted ones ended, which was taken for a split.
 */
test.each([
  ['Buy milk today', 'today', '<p>yes</p>', 'Buy milk |'],
  ['Buy milk', 'k', '<p>k</p>', 'Buy mil|'],
  ['Call Bob', 'Bob', '<p>Bobbing</p>', 'Call |'],
  ['one two three', 'three', '<p>trees there</p>', 'one two |'],
])(
  'in %j typing goes on where %j was deleted, though %s is below',
  (line, gone, below, expected) => {
    const { ann, bo, deliver } = apart(`<p>top</p><p>${line}</p>${below}<p>end</p>`);
    ann.editor.commands.setTextSelection(placeAfter(ann, line));
    remove(bo, gone);
    deliver();
    expect(around(ann)).toBe(expected);
  },
);

test('a new line below that begins as the deleted end did is no split', () => {
  const { ann, bo, deliver } = apart('<p>Buy bread</p><p>end</p>');
  ann.editor.commands.setTextSelection(placeAfter(ann, 'Buy bread'));
  remove(bo, 'd');
  bo.editor.commands.insertContentAt(bo.editor.state.doc.child(0).nodeSize, '<p>dogs and cats</p>');
  deliver();
  expect(around(ann)).toBe('Buy brea|');
});

test.each([
  ['heading', (bo: Writer) => bo.editor.commands.setHeading({ level: 2 })],
  ['list', (bo: Writer) => bo.editor.commands.toggleBulletList()],
  ['task list', (bo: Writer) => bo.editor.commands.toggleTaskList()],
  ['quote', (bo: Writer) => bo.editor.commands.toggleBlockquote()],
  ['code', (bo: Writer) => bo.editor.commands.toggleCodeBlock()],
])('caret stays in its line when another makes it a %s', (_case, change) => {
  const { ann, bo, deliver } = apart('<p>above</p><p>Hello brave new world</p><p>below</p>');
  ann.editor.commands.setTextSelection(placeAfter(ann, 'Hello brave'));
  bo.editor.commands.setTextSelection(placeAfter(bo, 'Hello'));
  change(bo);
  deliver();
  expect(around(ann)).toBe('Hello brave| new world');
});

test('caret in a line without a letter stays in it when another makes it a list', () => {
  const { ann, bo, deliver } = apart('<p>above</p><p></p><p>below</p>');
  const between = ann.editor.state.doc.child(0).nodeSize + 1;
  for (const writer of [ann, bo]) writer.editor.commands.setTextSelection(between);
  bo.editor.commands.toggleBulletList();
  deliver();
  ann.editor.commands.insertContent('x');
  expect(linesOf(ann)).toEqual(['above', 'x', 'below']);
});

test('caret goes along when another joins its line to the one above', () => {
  const { ann, bo, deliver } = apart('<p>one</p><p>two</p><p>three</p>');
  ann.editor.commands.setTextSelection(placeAfter(ann, 'tw'));
  bo.editor.chain().setTextSelection(6).joinBackward().run();
  deliver();
  expect(around(ann)).toBe('onetw|o');
});

/** Deletes everything and puts in what was there before, as a restore may. */
function replaceAll(document: Y.Doc, change: (blocks: Y.XmlElement[]) => Y.XmlElement[]): void {
  const text = document.getXmlFragment('default');
  const blocks = (text.toArray() as Y.XmlElement[]).map((block) => block.clone());
  document.transact(() => {
    text.delete(0, text.length);
    text.insert(0, change(blocks as Y.XmlElement[]));
  });
}

test('restore of everything keeps the caret in its line, also among equal lines', () => {
  const { ann, bo, deliver } = apart(
    '<p>milk</p><p>bread</p><p>milk</p><p>eggs</p><p>milk</p><p>end</p>',
  );
  const third = ann.editor.state.doc.resolve(15);
  ann.editor.commands.setTextSelection(third.start() + 2);
  replaceAll(bo.document, (blocks) => blocks.slice(1));
  deliver();
  expect(around(ann)).toBe('mi|lk');
  ann.editor.commands.insertContent('X');
  expect(linesOf(ann)).toEqual(['bread', 'miXlk', 'eggs', 'milk', 'end']);
});

test('a line that is gone leaves the caret at the end of the one before', () => {
  const { ann, bo, deliver } = apart('<p>one</p><p>two</p><p>three</p>');
  ann.editor.commands.setTextSelection(placeAfter(ann, 'tw'));
  bo.editor.commands.deleteRange({ from: 5, to: 10 });
  deliver();
  expect(around(ann)).toBe('one|');
});

const TABLE = '<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>';

/* Delete hit the wrong thing: the selected cells had become a caret in one of them. */
test('selected cells stay selected when another types at the top, and Delete empties them', () => {
  const { ann, bo, deliver } = apart(`<p>top</p>${TABLE}<p>end</p>`);
  const cells: number[] = [];
  ann.editor.state.doc.descendants((node, position) => {
    if (node.type.name === 'tableCell') cells.push(position);
  });
  const [from = 0, , to = 0] = cells;
  const { state, view } = ann.editor;
  view.dispatch(state.tr.setSelection(CellSelection.create(state.doc, from, to)));
  bo.editor.commands.insertContentAt(1, 'at the ');
  deliver();
  expect(ann.editor.state.selection).toBeInstanceOf(CellSelection);
  const emptied = view.someProp('handleKeyDown', (handle) =>
    handle(view, new KeyboardEvent('keydown', { key: 'Delete' })),
  );
  expect(emptied).toBe(true);
  expect(linesOf(ann)).toEqual(['at the top', '', 'b', '', 'd', 'end']);
});

test('of selected cells those that are left stay selected', () => {
  const { ann, bo, deliver } = apart(`<p>top</p>${TABLE}<p>end</p>`);
  const { state, view } = ann.editor;
  const [first, last] = [placeAfter(ann, 'a') - 3, placeAfter(ann, 'd') - 3];
  view.dispatch(state.tr.setSelection(CellSelection.create(state.doc, first, last)));
  bo.editor.chain().setTextSelection(placeAfter(bo, 'd')).deleteRow().run();
  deliver();
  const { selection } = ann.editor.state;
  const texts: string[] = [];
  if (selection instanceof CellSelection)
    selection.forEachCell((cell) => texts.push(cell.textContent));
  expect(texts).toEqual(['a', 'b']);
});

test('selected rule stays selected, and when it is gone another is not selected for it', () => {
  const { ann, bo, deliver } = apart('<p>top</p><hr><hr><p>end</p>');
  ann.editor.commands.setNodeSelection(5);
  bo.editor.commands.insertContentAt(1, 'at the ');
  deliver();
  expect(ann.editor.state.selection).toBeInstanceOf(NodeSelection);
  expect(ann.editor.state.selection.from).toBe(12);
  bo.editor.commands.deleteRange({ from: 12, to: 13 });
  deliver();
  expect(ann.editor.state.selection).not.toBeInstanceOf(NodeSelection);
  expect(around(ann)).toBe('at the top|');
});

test('everything selected stays everything selected', () => {
  const { ann, bo, deliver } = apart('<p>one</p><p>two</p>');
  ann.editor.view.dispatch(
    ann.editor.state.tr.setSelection(new AllSelection(ann.editor.state.doc)),
  );
  bo.editor.commands.insertContentAt(9, ' and more');
  deliver();
  expect(ann.editor.state.selection).toBeInstanceOf(AllSelection);
});

test('style that was switched on for the next letter is still on when others have typed', () => {
  const { ann, bo, deliver } = apart('<p>one</p><p>two</p>');
  ann.editor.chain().setTextSelection(4).toggleBold().run();
  bo.editor.commands.insertContentAt(9, '!');
  deliver();
  ann.editor.view.dispatch(ann.editor.state.tr.insertText('X'));
  expect(ann.editor.getHTML()).toContain('one<strong>X</strong>');
});
