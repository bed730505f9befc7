// @vitest-environment jsdom
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { TEXT_NAME } from '../net/gate';
import { writerOn } from '../testing/editors';
import { blocksOfMarkdown } from './markdown';
import { markdownOf } from './markdownOf';

/** What is written of a note that was made by pasting `markdown`. */
function thereAndBack(markdown: string): string {
  const document = new Y.Doc();
  writerOn(document).editor.commands.setContent({
    type: 'doc',
    content: blocksOfMarkdown(markdown),
  });
  return markdownOf('', document.getXmlFragment(TEXT_NAME));
}

test.each([
  '# Plan',
  'one **two** *three* ~~four~~ `five`',
  '- a\n- b\n  - c',
  '3. a\n4. b',
  '- [x] done\n- [ ] open',
  '> said\n>\n> twice',
  '```rust\nfn main() {}\n```',
  '````\n```\n````',
  '| a | b |\n| --- | --- |\n| 1 | 2 |',
  'a\n\n---\n\nb',
  '[site](<https://example.org>)',
  'first\\\nsecond',
  'two \\* three, a\\_b, \\<b\\>',
  '\\- no list',
  '1\\. no list',
  '\\## no heading',
  '\\--- no line',
])('%j comes back as it was', (markdown) => {
  expect(thereAndBack(markdown)).toBe(`${markdown}\n`);
});

test('the title is the first heading', () => {
  expect(markdownOf('A *plan*', new Y.Doc().getXmlFragment(TEXT_NAME))).toBe('# A \\*plan\\*\n');
});

test('of unknown content the words are kept', () => {
  const text = new Y.Doc().getXmlFragment(TEXT_NAME);
  const callout = new Y.XmlElement('callout');
  const run = new Y.XmlText();
  text.insert(0, [callout]);
  callout.insert(0, [run]);
  run.insert(0, 'mind the gap', { comment: { id: 7 } });
  expect(markdownOf('', text)).toBe('mind the gap\n');
});
