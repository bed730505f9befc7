// @vitest-environment jsdom
import { Node } from '@tiptap/pm/model';
import { expect, test } from 'vitest';
import { textSchema } from './extensions';
import { blocksOfMarkdown } from './markdown';
import { looksLikeMarkdown } from './markdownPaste';

/** The content as ProseMirror writes it, after the schema has checked it. */
function read(markdown: string): string[] {
  return blocksOfMarkdown(markdown).map((block) => {
    const node = Node.fromJSON(textSchema, block);
    node.check();
    return node.toString();
  });
}

test.each([
  ['# Plan', ['heading("Plan")']],
  [
    'one **two** *three* ~~four~~ `five`',
    [
      'paragraph("one ", bold("two"), " ", italic("three"), " ", strike("four"), " ", code("five"))',
    ],
  ],
  [
    '- a\n- b\n  - c',
    [
      'bulletList(listItem(paragraph("a")), listItem(paragraph("b"), bulletList(listItem(paragraph("c")))))',
    ],
  ],
  ['3. a\n4. b', ['orderedList(listItem(paragraph("a")), listItem(paragraph("b")))']],
  [
    '- [x] done\n- [ ] open',
    ['taskList(taskItem(paragraph("done")), taskItem(paragraph("open")))'],
  ],
  [
    '- [x] done\n- point',
    ['taskList(taskItem(paragraph("done")))', 'bulletList(listItem(paragraph("point")))'],
  ],
  ['> said', ['blockquote(paragraph("said"))']],
  ['```rust\nfn main() {}\n```', ['codeBlock("fn main() {}")']],
  [
    '| a | b |\n|---|---|\n| 1 | 2 |',
    [
      'table(tableRow(tableHeader(paragraph("a")), tableHeader(paragraph("b"))), tableRow(tableCell(paragraph("1")), tableCell(paragraph("2"))))',
    ],
  ],
  ['a\n\n---\n\nb', ['paragraph("a")', 'horizontalRule', 'paragraph("b")']],
  ['[site](https://example.org)', ['paragraph(link("site"))']],
  ['**[site](https://example.org)**', ['paragraph(link(bold("site")))']],
  ['- # odd', ['bulletList(listItem(paragraph, heading("odd")))']],
  ['-', ['bulletList(listItem(paragraph))']],
  ['a & b < c', ['paragraph("a & b < c")']],
  ['a\\*b', ['paragraph("a*b")']],
])('%j', (markdown, blocks) => {
  expect(read(markdown)).toEqual(blocks);
});

test('HTML stays visible as text', () => {
  expect(read('<img src=x onerror=alert(1)>')).toEqual([
    'paragraph("<img src=x onerror=alert(1)>")',
  ]);
  expect(read('a <b>c</b>')).toEqual(['paragraph("a <b>c</b>")']);
});

test.each([
  ['# Plan', true],
  ['- a\n- b', true],
  ['see [this](https://example.org)', true],
  ['**bold** words', true],
  ['| a |\n|---|\n', true],
  ['Plain words. 3 - 2 = 1, 2 * 3 * 4.', false],
  ['an email: a_b_c@example.org', false],
  ['#hashtag', false],
])('%j looks like Markdown: %j', (text, expected) => {
  expect(looksLikeMarkdown(text)).toBe(expected);
});
