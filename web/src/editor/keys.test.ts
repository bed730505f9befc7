// @vitest-environment jsdom
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { linesOf, writerOn, type Writer } from '../testing/editors';
import { movedBlock } from './keys';

function writer(content: string, caretAfter: string): Writer {
  const made = writerOn(new Y.Doc());
  made.editor.commands.setContent(content);
  let at = 0;
  made.editor.state.doc.descendants((node, position) => {
    const index = node.isText ? (node.text ?? '').indexOf(caretAfter) : -1;
    if (index >= 0) at = position + index + caretAfter.length;
  });
  made.editor.commands.setTextSelection(at);
  return made;
}

function move(moved: Writer, direction: -1 | 1): boolean {
  const transaction = movedBlock(moved.editor.state, direction);
  if (transaction !== null) moved.editor.view.dispatch(transaction);
  return transaction !== null;
}

test('paragraph moves with its caret', () => {
  const moved = writer('<p>one</p><p>two</p><p>three</p>', 'tw');
  move(moved, 1);
  expect(linesOf(moved)).toEqual(['one', 'three', 'two']);
  moved.editor.commands.insertContent('|');
  expect(linesOf(moved)).toEqual(['one', 'three', 'tw|o']);
  move(moved, -1);
  move(moved, -1);
  expect(linesOf(moved)).toEqual(['tw|o', 'one', 'three']);
});

test('list item moves inside its list', () => {
  const moved = writer('<ul><li><p>one</p></li><li><p>two</p></li></ul><p>end</p>', 'one');
  expect(move(moved, 1)).toBe(true);
  expect(linesOf(moved)).toEqual(['two', 'one', 'end']);
  expect(move(moved, 1)).toBe(false);
});

test('first block does not move up', () => {
  expect(move(writer('<p>one</p><p>two</p>', 'one'), -1)).toBe(false);
});
