// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { connectedDocuments } from '../testing/documents';
import { around, linesOf, writerOn, type Writer } from '../testing/editors';

function pair(text: string): [Writer, Writer] {
  const [a, b] = connectedDocuments();
  const writers: [Writer, Writer] = [writerOn(a), writerOn(b)];
  writers[0].editor.commands.setContent(text);
  return writers;
}

/*
 * Bo pressed Enter in the middle of Ann's paragraph while she wrote at its end, and her next
 * letters came out in the middle of the line above (tiptap #7213).
 */
test.each([
  ['at the end of the split paragraph', 'Hello brave new world', 21, 12, 'new world|'],
  ['in the middle of the part that moved', 'Hello brave new world', 16, 12, 'new |world'],
  ['in the part that stays', 'Hello brave new world', 3, 12, 'Hel|lo brave '],
])('caret %s stays beside its text', (_case, text, caret, split, expected) => {
  const [ann, bo] = pair(`<p>${text}</p>`);
  ann.editor.commands.setTextSelection(caret + 1);
  bo.editor
    .chain()
    .setTextSelection(split + 1)
    .splitBlock()
    .run();
  expect(linesOf(ann)).toEqual(['Hello brave ', 'new world']);
  expect(around(ann)).toBe(expected);
});

test('caret stays when its text is deleted and the block below was there before', () => {
  const [ann, bo] = pair('<p>Hello world</p><p>bad</p>');
  ann.editor.commands.setTextSelection(12);
  bo.editor.commands.deleteRange({ from: 7, to: 12 });
  expect(around(ann)).toBe('Hello |');
});

test('selection that reaches over the split keeps both ends at their text', () => {
  const [ann, bo] = pair('<p>Hello brave new world</p>');
  ann.editor.commands.setTextSelection({ from: 4, to: 17 });
  bo.editor.chain().setTextSelection(13).splitBlock().run();
  const { from, to } = ann.editor.state.selection;
  expect(ann.editor.state.doc.textBetween(from, to, '/')).toBe('lo brave /new ');
});

test('split of a list item takes the caret along', () => {
  const [ann, bo] = pair('<ul><li><p>milk and bread</p></li></ul>');
  ann.editor.commands.setTextSelection(17);
  bo.editor.chain().setTextSelection(8).splitListItem('listItem').run();
  expect(linesOf(ann)).toEqual(['milk ', 'and bread']);
  expect(around(ann)).toBe('and bread|');
});
