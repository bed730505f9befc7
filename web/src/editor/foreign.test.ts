// @vitest-environment jsdom
/** What the page does not know is shown, stays what it is, and does not keep anybody from the rest. */
import { NodeSelection, Plugin } from '@tiptap/pm/state';
import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import {
  documentOf,
  element,
  idsIn,
  paragraph,
  receive,
  run,
  stateOf,
  textIn,
} from '../testing/shared';
import { pageOn } from '../testing/wholePage';
import { isForeign } from './foreignTypes';

const cell = (attributes: Record<string, unknown>) =>
  element('tableCell', attributes, paragraph('inside'));

const FOREIGN: readonly [string, () => Y.XmlElement, string][] = [
  [
    'picture of a stock editor',
    () => element('image', { src: 'x.png', alt: 'Our garden' }),
    'A picture that this page cannot edit yetOur garden',
  ],
  [
    'unknown element',
    () => element('callout', { tone: 'warn', data: { a: [1] } }, paragraph('inside')),
    'Unknown content: calloutinside',
  ],
  [
    'unknown element in an unknown element',
    () => element('columns', {}, element('column', {}, paragraph('inside'))),
    'inside',
  ],
  [
    'unknown element in a quote',
    () => element('blockquote', {}, paragraph('known'), element('callout')),
    'known',
  ],
  [
    'unknown element in a line',
    () => element('paragraph', {}, run('to '), element('mention', { id: 7 }), run(' end')),
    'Unknown content: mention',
  ],
  ['list with a line in it', () => element('bulletList', {}, paragraph('inside')), 'inside'],
  [
    'list of unknown items',
    () => element('bulletList', {}, element('toggle', {}, paragraph('inside'))),
    'inside',
  ],
  [
    'heading of a level that is none',
    () => element('heading', { level: 1e21 }, run('inside')),
    'inside',
  ],
  [
    'table with a cell too wide',
    () => element('table', {}, element('tableRow', {}, cell({ colspan: 1_000_000 }))),
    'inside',
  ],
  ['bold in code', () => element('codeBlock', {}, run('inside', { bold: {} })), 'inside'],
  ['item outside of a list', () => element('listItem', {}, paragraph('inside')), 'inside'],
  ['block in a line', () => element('paragraph', {}, run('a'), paragraph('inside')), 'inside'],
  [
    'names that are names of something else',
    () => element('constructor', {}, element('__proto__', {}, paragraph('inside'))),
    'inside',
  ],
  ['name of the inner type', () => element('foreignBlock', {}, paragraph('inside')), 'inside'],
];

function open(make: () => Y.XmlElement) {
  const document = documentOf(paragraph('first'), make(), paragraph('last'));
  const page = pageOn(document);
  const foreign = () => String(textIn(document).get(1));
  return { ...page, ids: () => idsIn(textIn(document)), foreign };
}

describe.each(FOREIGN)('%s', (_name, make, shown) => {
  test('is shown, and what is written around it leaves it alone', () => {
    const { editor, ids, foreign, faults } = open(make);
    const [before, was] = [ids(), foreign()];
    expect(editor.view.dom.textContent).toContain(shown);
    editor.commands.insertContentAt(1, 'typed ');
    editor.commands.insertContentAt(editor.state.doc.content.size - 1, ' typed');
    editor.commands.undo();
    editor.commands.redo();
    expect(ids()).toEqual(before);
    expect(foreign()).toBe(was);
    expect(editor.getText()).toContain('typed first');
    expect(faults).toEqual([]);
  });

  test('can arrive and change while somebody writes', () => {
    const document = documentOf(paragraph('first'));
    const { editor, faults } = pageOn(document);
    editor.commands.insertContentAt(1, 'typed ');
    receive(document, (text) => text.insert(1, [make()]));
    const before = idsIn(textIn(document));
    expect(editor.view.dom.textContent).toContain(shown);
    receive(document, (text) => (text.get(1) as Y.XmlElement).setAttribute('data', 'x'));
    editor.commands.insertContentAt(1, 'again ');
    expect(idsIn(textIn(document))).toEqual(before);
    expect(textIn(document).get(0).toString()).toBe('<paragraph>again typed first</paragraph>');
    expect((textIn(document).get(1) as Y.XmlElement).getAttribute('data')).toBe('x');
    expect(faults).toEqual([]);
  });

  test('no command on all of the text reaches into it', () => {
    const { editor, foreign, faults } = open(make);
    const was = foreign();
    const isWhole = isForeign(editor.state.doc.child(1));
    editor.commands.selectAll();
    editor.commands.toggleBold();
    editor.commands.selectAll();
    editor.commands.unsetAllMarks();
    editor.commands.selectAll();
    editor.commands.toggleHeading({ level: 2 });
    if (isWhole) expect(foreign()).toBe(was);
    expect(faults).toEqual([]);
  });

  test('is copied without a fault, and deleted by who means it', () => {
    const { editor, document } = open(make);
    const { view } = editor;
    editor.commands.selectAll();
    const copied = view.serializeForClipboard(view.state.selection.content());
    expect(copied.dom.textContent).toContain('first');
    const at = editor.state.doc.child(0).nodeSize;
    view.dispatch(view.state.tr.setSelection(NodeSelection.create(view.state.doc, at)));
    editor.commands.deleteSelection();
    expect(textIn(document).toString()).toBe(
      '<paragraph>first</paragraph><paragraph>last</paragraph>',
    );
    editor.commands.undo();
    expect(textIn(document)).toHaveLength(3);
  });
});

test.each([
  ['Backspace', 'last', 'callout'],
  ['Delete', 'first', 'callout'],
  ['Backspace', ' end', 'mention'],
  ['Delete', 'to ', 'mention'],
])('%s beside “%s” selects the %s first, and only then deletes it', (key, line, name) => {
  const make = () =>
    name === 'callout'
      ? element('callout', {}, paragraph('x'))
      : element('paragraph', {}, run('to '), element('mention'), run(' end'));
  const { editor, document } = open(make);
  const text = textIn(document);
  editor.state.doc.descendants((node, position) => {
    if (node.text === line) {
      editor.commands.setTextSelection(key === 'Delete' ? position + line.length : position);
    }
  });
  const press = () =>
    editor.view.someProp('handleKeyDown', (handle) =>
      handle(editor.view, new KeyboardEvent('keydown', { key })),
    );
  press();
  expect(text.toString()).toContain(`<${name}>`);
  expect(editor.state.selection).toBeInstanceOf(NodeSelection);
  press();
  expect(text.toString()).not.toContain(`<${name}>`);
  expect(text.toString()).toContain(line);
});

test('marks that the page does not know stay on their text when it is edited', () => {
  const mark = { comment: { id: 7 }, 'note--aB3+/x9=': { by: 'Bo' }, bold: true };
  const document = documentOf(paragraph('under a comment', mark));
  const { editor } = pageOn(document);
  const stored = () =>
    ((textIn(document).get(0) as Y.XmlElement).get(0) as Y.XmlText).toDelta() as unknown;
  editor.view.dispatch(editor.state.tr.insertText('!', 7));
  expect(stored()).toEqual([{ insert: 'under !a comment', attributes: mark }]);
  expect(editor.view.dom.querySelector('strong')?.textContent).toBe('under !a comment');
});

test('attributes that the page does not know stay on a block when its text and values change', () => {
  const task = element('taskItem', { checked: false, due: 'Monday' }, paragraph('task'));
  const document = documentOf(
    element('paragraph', { textAlign: 'right' }, run('line')),
    element('taskList', {}, task),
  );
  const { editor } = pageOn(document);
  editor.commands.insertContentAt(5, 's');
  editor.commands.setTextSelection(10);
  editor.commands.updateAttributes('taskItem', { checked: true });
  const [line, list] = textIn(document).toArray() as Y.XmlElement[];
  expect(line?.getAttributes()).toEqual({ textAlign: 'right' });
  expect((list?.get(0) as Y.XmlElement).getAttributes()).toEqual({ checked: true, due: 'Monday' });
});

test('value of one block is not carried to another kind of block', () => {
  const document = documentOf(
    element('heading', { level: 2 }, run('x')),
    element('paragraph', { level: 9 }, run('y')),
  );
  const { editor } = pageOn(document);
  editor.commands.setTextSelection(1);
  editor.commands.toggleBlockquote();
  expect(textIn(document).toString()).toContain('<heading level="2">x</heading>');
});

test('plugin that comes later draws nothing anew and leaves the caret', () => {
  const document = documentOf(
    paragraph('first'),
    element('callout', {}, paragraph('x')),
    paragraph('last'),
  );
  const { editor } = pageOn(document);
  const before = stateOf(document);
  const shown = editor.state.doc;
  editor.commands.setTextSelection(3);
  editor.registerPlugin(new Plugin({}));
  expect(editor.state.doc).toBe(shown);
  expect(editor.state.selection.from).toBe(3);
  receive(document, (text) => text.insert(0, [paragraph('news')]));
  editor.view.dispatch(editor.state.tr.insertText('!', 1));
  expect(stateOf(document) === before).toBe(false);
  expect(textIn(document).get(0).toString()).toBe('<paragraph>!news</paragraph>');
});

describe('error', () => {
  /** A view that cannot be drawn: what a plugin throws, at the letter that a person or another types. */
  function breakAt(letter: string): Plugin {
    return new Plugin({
      state: {
        init: () => null,
        apply: () => null,
      },
      view: () => ({
        update: (view) => {
          if (view.state.doc.textContent.includes(letter)) throw new Error('cannot be drawn');
        },
      }),
    });
  }

  test('while the page shows what others wrote ends the editor, and what they wrote stays', () => {
    const document = documentOf(paragraph('x'));
    const { editor, faults } = pageOn(document);
    editor.registerPlugin(breakAt('§'));
    receive(document, (text) => text.insert(0, [paragraph('§')]));
    expect(faults).toEqual([{ error: new Error('cannot be drawn'), kept: true }]);
    const after = stateOf(document);
    editor.commands.insertContentAt(1, 'lost?');
    editor.commands.setTextSelection(1);
    expect(stateOf(document) === after).toBe(true);
    expect(textIn(document).toString()).toBe('<paragraph>§</paragraph><paragraph>x</paragraph>');
  });

  test('while the page shows what was typed ends the editor, and the letter is kept', () => {
    const document = documentOf(paragraph('x'));
    const { editor, faults } = pageOn(document);
    editor.registerPlugin(breakAt('§'), (plugin, plugins) => [plugin, ...plugins]);
    editor.view.dispatch(editor.state.tr.insertText('§', 1));
    expect(faults).toEqual([{ error: new Error('cannot be drawn'), kept: true }]);
    expect(textIn(document).toString()).toBe('<paragraph>§x</paragraph>');
  });

  test('before the letter is in the text is told as a letter that is not kept', () => {
    const document = documentOf(paragraph('x'));
    const { editor, faults } = pageOn(document);
    const refuse = new Plugin({
      state: {
        init: () => null,
        apply: (transaction) => {
          if (transaction.docChanged) throw new Error('cannot be applied');
          return null;
        },
      },
    });
    editor.registerPlugin(refuse);
    editor.view.dispatch(editor.state.tr.insertText('§', 1));
    expect(faults).toEqual([{ error: new Error('cannot be applied'), kept: false }]);
    expect(textIn(document).toString()).toBe('<paragraph>x</paragraph>');
  });

  test('content that cannot be drawn is never deleted for it', () => {
    const document = documentOf(paragraph('x'));
    const { faults } = pageOn(document);
    const before = stateOf(document);
    // What the guard keeps out, had it not.
    const arrive = () =>
      receive(document, (text) =>
        ((text.get(0) as Y.XmlElement).get(0) as Y.XmlText).insertEmbed(0, {}),
      );
    expect(arrive).toThrow('no objects');
    expect(faults).toHaveLength(1);
    expect(stateOf(document).length).toBeGreaterThan(before.length);
    expect(textIn(document).toString()).toContain('x');
  });
});
