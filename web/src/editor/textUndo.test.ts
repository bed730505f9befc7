// @vitest-environment jsdom
/** Bo takes back what he did to a line's form; what Ann wrote into it since is still there. */
import { expect, test } from 'vitest';
import { connectedDocuments } from '../testing/documents';
import { caretIn, linesOf, press, writerOn, type Writer } from '../testing/editors';
import { blocks } from './blocks';

interface Pair {
  readonly ann: Writer;
  readonly bo: Writer;
}

/** Ann has written the text, Bo sees it. */
function pairOn(text: string): Pair {
  const [a, b] = connectedDocuments();
  const [ann, bo] = [writerOn(a), writerOn(b)];
  ann.editor.commands.setContent(text);
  return { ann, bo };
}

function type(writer: Writer, line: string, offset: number, letters: string): void {
  caretIn(writer, line, offset);
  writer.editor.view.dispatch(writer.editor.state.tr.insertText(letters));
}

function make(writer: Writer, line: string, id: string): void {
  caretIn(writer, line, 0);
  blocks
    .find((block) => block.id === id)
    ?.apply(writer.editor.chain())
    .run();
}

const ONE = '<p>first line</p>';
const TWO = '<p>first line</p><p>second line</p>';

/** What both see, without the ids and such that only browsers need. */
function shown({ ann, bo }: Pair): string {
  expect(bo.editor.getHTML()).toBe(ann.editor.getHTML());
  return ann.editor.getHTML().replaceAll(/ aria-level="\d"/g, '');
}

test.each(['heading1', 'bulletList', 'taskList', 'blockquote', 'codeBlock'])(
  'undo of %s keeps what another wrote in it',
  (id) => {
    const pair = pairOn(ONE);
    make(pair.bo, 'first line', id);
    type(pair.ann, 'first line', 5, ', by Ann,');
    pair.bo.editor.commands.undo();
    expect(shown(pair)).toBe('<p>first, by Ann, line</p>');
    pair.bo.editor.commands.redo();
    expect(linesOf(pair.ann)).toEqual(['first, by Ann, line']);
    expect(shown(pair)).not.toBe('<p>first, by Ann, line</p>');
    pair.bo.editor.commands.undo();
    expect(shown(pair)).toBe('<p>first, by Ann, line</p>');
  },
);

test('words at the start and the end of the line come along', () => {
  const pair = pairOn(ONE);
  make(pair.bo, 'first line', 'heading1');
  type(pair.ann, 'first line', 0, 'A ');
  type(pair.ann, 'A first line', 12, ' Z');
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe('<p>A first line Z</p>');
});

test('marks of the words come along, and no others', () => {
  const pair = pairOn('<p><strong>bold</strong> plain</p>');
  make(pair.bo, 'bold plain', 'heading1');
  type(pair.ann, 'bold plain', 10, ' more');
  const { editor } = pair.ann;
  editor.commands.setTextSelection({ from: 11, to: 16 });
  editor.commands.toggleItalic();
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe('<p><strong>bold</strong> plain<em> more</em></p>');
});

test('words in an empty line that was made a heading', () => {
  const pair = pairOn('<p></p><p>end</p>');
  make(pair.bo, '', 'heading1');
  type(pair.ann, '', 0, 'title by Ann');
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe('<p>title by Ann</p><p>end</p>');
});

test('undo of a split puts words of the second part behind the same letters', () => {
  const pair = pairOn(ONE);
  caretIn(pair.bo, 'first line', 6);
  press(pair.bo, 'Enter');
  type(pair.ann, 'line', 4, ' by Ann');
  type(pair.ann, 'first ', 6, 'very ');
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe('<p>first very line by Ann</p>');
  pair.bo.editor.commands.redo();
  expect(linesOf(pair.bo)).toEqual(['first very ', 'line by Ann']);
});

test('undo of a join puts words back into their line', () => {
  const pair = pairOn(TWO);
  caretIn(pair.bo, 'second line', 0);
  press(pair.bo, 'Backspace');
  type(pair.ann, 'first linesecond line', 21, ' by Ann');
  type(pair.ann, 'first linesecond line by Ann', 5, 'ly');
  pair.bo.editor.commands.undo();
  expect(linesOf(pair.ann)).toEqual(['firstly line', 'second line by Ann']);
  shown(pair);
});

test('undo of a move takes the words back with the line', () => {
  const pair = pairOn(TWO);
  caretIn(pair.bo, 'second line', 0);
  press(pair.bo, 'Alt-ArrowUp');
  type(pair.ann, 'second line', 6, ' and best');
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe('<p>first line</p><p>second and best line</p>');
});

test('letters that another deleted since do not come back', () => {
  const pair = pairOn(ONE);
  make(pair.bo, 'first line', 'heading1');
  const { editor } = pair.ann;
  editor.commands.deleteRange({ from: 1, to: 7 });
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe('<p>line</p>');
});

test('line that another split since is not doubled', () => {
  const pair = pairOn(ONE);
  make(pair.bo, 'first line', 'heading1');
  caretIn(pair.ann, 'first line', 6);
  press(pair.ann, 'Enter');
  pair.bo.editor.commands.undo();
  expect(linesOf(pair.ann)).toEqual(['first ', 'line']);
  shown(pair);
});

test('line that another made a quote since stays what it is', () => {
  const pair = pairOn(ONE);
  make(pair.bo, 'first line', 'heading1');
  make(pair.ann, 'first line', 'bulletList');
  const before = shown(pair);
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe(before);
});

test('point that another added to a list stays when the list is undone', () => {
  const pair = pairOn(ONE);
  make(pair.bo, 'first line', 'bulletList');
  caretIn(pair.ann, 'first line', 10);
  press(pair.ann, 'Enter');
  type(pair.ann, '', 0, 'by Ann');
  pair.bo.editor.commands.undo();
  expect(linesOf(pair.ann)).toEqual(['first line', 'by Ann']);
  shown(pair);
});

test('point under a point of an undone list stays', () => {
  const pair = pairOn(ONE);
  make(pair.bo, 'first line', 'bulletList');
  caretIn(pair.ann, 'first line', 10);
  press(pair.ann, 'Enter');
  type(pair.ann, '', 0, 'by Ann');
  press(pair.ann, 'Tab');
  pair.bo.editor.commands.undo();
  expect(linesOf(pair.ann).filter((line) => line !== '')).toEqual(['first line', 'by Ann']);
  shown(pair);
});

test('undo takes back only what was typed here', () => {
  const pair = pairOn(ONE);
  type(pair.bo, 'first line', 5, ' of Bo');
  type(pair.ann, 'first of Bo line', 8, ' Ann and');
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe('<p>first Ann and line</p>');
  pair.bo.editor.commands.redo();
  expect(linesOf(pair.ann)[0]).toContain(' Ann and');
  expect(linesOf(pair.ann)[0]).toContain('Bo');
});

test('level of a heading goes back alone', () => {
  const pair = pairOn('<h1>first line</h1>');
  make(pair.bo, 'first line', 'heading2');
  type(pair.ann, 'first line', 10, ' by Ann');
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toBe('<h1>first line by Ann</h1>');
  pair.bo.editor.commands.redo();
  expect(shown(pair)).toBe('<h2>first line by Ann</h2>');
});

test('divider and line break of another stay when a change above them is undone', () => {
  const pair = pairOn(TWO);
  caretIn(pair.ann, 'second line', 6);
  press(pair.ann, 'Shift-Enter');
  pair.ann.editor.commands.setTextSelection(pair.ann.editor.state.doc.content.size - 1);
  pair.ann.editor.commands.setHorizontalRule();
  make(pair.bo, 'first line', 'heading1');
  pair.bo.editor.commands.undo();
  expect(shown(pair)).toContain('<p>first line</p><p>second<br> line</p><hr>');
});

test('table that another has written into keeps its shape', () => {
  const pair = pairOn('<p>first line</p><p></p>');
  make(pair.bo, '', 'table');
  const rows = () => shown(pair).split('<tr>').length - 1;
  expect(rows()).toBe(3);
  caretIn(pair.ann, '', 0);
  pair.ann.editor.view.dispatch(pair.ann.editor.state.tr.insertText('by Ann'));
  pair.bo.editor.commands.undo();
  expect(linesOf(pair.ann)).toContain('by Ann');
  expect([0, 3]).toContain(rows());
});
