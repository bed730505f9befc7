// @vitest-environment jsdom
import { Editor } from '@tiptap/core';
import { expect, onTestFinished, test } from 'vitest';
import { blocks, findBlocks } from './blocks';
import { textExtensions } from './extensions';
import { slashMenu, type Slash } from './slash';

interface Typed {
  readonly editor: Editor;
  readonly shown: (string | null)[];
}

function start(content = '<p></p>'): Typed {
  const shown: (string | null)[] = [];
  const listener = {
    show: (slash: Slash | null) => shown.push(slash?.query ?? null),
    key: () => false,
  };
  const editor = new Editor({
    element: document.createElement('div'),
    injectCSS: false,
    content,
    extensions: [...textExtensions, slashMenu(listener)],
  });
  onTestFinished(() => editor.destroy());
  editor.commands.focus('end');
  return { editor, shown };
}

function type({ editor }: Typed, text: string): void {
  for (const letter of text) editor.view.dispatch(editor.state.tr.insertText(letter));
}

test('slash opens, letters narrow, a space after nothing found closes', () => {
  const typed = start();
  type(typed, '/he');
  expect(typed.shown).toEqual(['', 'h', 'he']);
});

test('slash inside a word opens nothing', () => {
  const typed = start();
  type(typed, 'and/or');
  expect(typed.shown).toEqual([]);
});

test('slash in code opens nothing', () => {
  const typed = start('<pre><code>x </code></pre>');
  type(typed, '/');
  expect(typed.shown).toEqual([]);
});

test('walking behind an old slash opens nothing', () => {
  const typed = start('<p>/h</p><p>x</p>');
  typed.editor.commands.setTextSelection(3);
  expect(typed.shown).toEqual([]);
});

test('leaving the slash closes', () => {
  const typed = start('<p>x</p>');
  type(typed, ' /');
  typed.editor.commands.setTextSelection(1);
  expect(typed.shown).toEqual(['', null]);
});

test('pasted slash opens nothing', () => {
  const typed = start();
  typed.editor.view.dispatch(typed.editor.state.tr.insertText('a /'));
  expect(typed.shown).toEqual([]);
});

test.each([
  ['', blocks.map((block) => block.id)],
  ['head', ['heading1', 'heading2', 'heading3']],
  ['todo', ['taskList']],
  ['LIST', ['bulletList', 'orderedList', 'taskList']],
  ['nothing', []],
])('query %j finds %j', (query, ids) => {
  expect(findBlocks(query).map((block) => block.id)).toEqual(ids);
});
