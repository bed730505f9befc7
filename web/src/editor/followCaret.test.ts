// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { connectedDocuments, linesOf, writerOn, type Writer } from '../testing/editors';

function pair(text: string): [Writer, Writer] {
  const [a, b] = connectedDocuments();
  const writers: [Writer, Writer] = [writerOn(a), writerOn(b)];
  writers[0].editor.commands.setContent(text);
  return writers;
}
function around(writer: Writer): string {
  const { $head } = writer.editor.state.selection;
  const text = $head.parent.textContent;
  return `${text.slice(0, $head.parentOffset)}|${text.slice($head.parentOffset)}`;
}

test.each([
  ['at the end of the split paragraph', 'Hello brave new world', 21, 12, 'new world|'],
  ['in the middle of the part that moved', 'Hello brave new world', 16, 12, 'new |world'],
  ['in the part that stays', 'Hello brave new world', 3, 12, 'Hel|lo brave '],
])('caret %s stays beside its text', (_case, text, caret, split, expected) => {
  const [ann, bo] = pair(`<p>${text}</p>`);
  ann.editor.commands.setTextSelection(caret + 1);
  bo.editor.chain().setTextSelection(split + 1).splitBlock().run();
  expect(linesOf(ann)).toEqual(['Hello brave ', 'new world']);
  expect(around(ann)).toBe(expected);
});
