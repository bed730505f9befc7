// @vitest-environment jsdom
/**
 * What each command replaces in the shared text. What it replaces, others may be writing in: so each
 * line that is not named here keeps all its letters, and the words that somebody else adds to it at
 * the same time stand in it afterwards.
 */
import { yXmlFragmentToProseMirrorRootNode } from '@tiptap/y-tiptap';
import { NodeSelection } from '@tiptap/pm/state';
import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { TEXT_NAME } from '../net/gate';
import { lettersOf, replacedLines } from '../testing/letters';
import { caretIn, linesOf, press, writerOn, type Writer } from '../testing/editors';
import { blocks } from './blocks';

const [ONE, TWO, THREE] = ['first line', 'second line is here', 'third line'];
const LINES = `<p>${ONE}</p><p>${TWO}</p><p>${THREE}</p>`;
const item = (text: string, more = '') => `<li><p>${text}</p>${more}</li>`;
const task = (text: string) =>
  `<li data-type="taskItem" data-checked="false"><div><p>${text}</p></div></li>`;
const LIST = `<ul>${item(ONE)}${item(TWO)}${item(THREE)}</ul>`;
const TASKS = `<ul data-type="taskList">${task(ONE)}${task(TWO)}${task(THREE)}</ul>`;
const NESTED = `<ul>${item(ONE, `<ul>${item(TWO)}</ul>`)}${item(THREE)}</ul>`;
const BETWEEN = `<ul>${item(ONE)}</ul><p>${TWO}</p><ul>${item(THREE)}</ul>`;

type Command = (writer: Writer) => unknown;

function block(id: string): Command {
  return ({ editor }) => {
    const found = blocks.find((one) => one.id === id);
    return found?.apply(editor.chain()).run();
  };
}

const key = (name: string): Command => {
  return (writer) => expect(press(writer, name)).toBe(true);
};

const dragToEnd: Command = ({ editor }) => {
  const { tr, selection } = editor.state;
  tr.setSelection(NodeSelection.create(tr.doc, selection.$from.before(1)));
  const { node } = tr.selection as NodeSelection;
  editor.view.dispatch(tr.deleteSelection().insert(tr.doc.content.size, node));
};

interface Case {
  readonly name: string;
  readonly text: string;
  /** The caret's place in the second line. */
  readonly at?: number;
  readonly command: Command;
  /** The lines that have to be made anew. */
  readonly replaces: readonly string[];
}

const CASES: readonly Case[] = [
  { name: 'heading', text: LINES, command: block('heading1'), replaces: [TWO] },
  {
    name: 'heading of another level',
    text: `<p>${ONE}</p><h1>${TWO}</h1><p>${THREE}</p>`,
    command: block('heading2'),
    replaces: [],
  },
  {
    name: 'heading back to text',
    text: `<p>${ONE}</p><h1>${TWO}</h1><p>${THREE}</p>`,
    command: block('paragraph'),
    replaces: [TWO],
  },
  { name: 'bullet', text: LINES, command: block('bulletList'), replaces: [TWO] },
  {
    name: 'bullet between two lists',
    text: BETWEEN,
    command: block('bulletList'),
    replaces: [TWO],
  },
  {
    name: 'bullet between two lists, by key',
    text: BETWEEN,
    command: key('Mod-Shift-8'),
    replaces: [TWO],
  },
  {
    name: 'bullet under a list',
    text: `<ul>${item(ONE)}</ul><p>${TWO}</p><p>${THREE}</p>`,
    command: block('bulletList'),
    replaces: [TWO],
  },
  {
    name: 'bullet above a list',
    text: `<p>${ONE}</p><p>${TWO}</p><ul>${item(THREE)}</ul>`,
    command: block('bulletList'),
    replaces: [TWO],
  },
  // The list ends before the line, so what is behind it becomes another list.
  { name: 'bullet off', text: LIST, command: block('bulletList'), replaces: [TWO, THREE] },
  { name: 'number', text: LINES, command: block('orderedList'), replaces: [TWO] },
  { name: 'task', text: LINES, command: block('taskList'), replaces: [TWO] },
  // A list's kind is its element's name, which nobody can change.
  {
    name: 'points to numbers',
    text: LIST,
    command: block('orderedList'),
    replaces: [ONE, TWO, THREE],
  },
  { name: 'quote', text: LINES, command: block('blockquote'), replaces: [TWO] },
  {
    name: 'quote off',
    text: `<p>${ONE}</p><blockquote><p>${TWO}</p></blockquote><p>${THREE}</p>`,
    command: block('blockquote'),
    replaces: [TWO],
  },
  { name: 'code block', text: LINES, command: block('codeBlock'), replaces: [TWO] },
  { name: 'Enter at the end', text: LINES, at: 19, command: key('Enter'), replaces: [] },
  { name: 'Enter at the start', text: LINES, at: 0, command: key('Enter'), replaces: [] },
  { name: 'Enter in the middle', text: LINES, at: 15, command: key('Enter'), replaces: [TWO] },
  { name: 'Enter in a list', text: LIST, at: 15, command: key('Enter'), replaces: [TWO] },
  { name: 'Enter at the start of a task', text: TASKS, at: 0, command: key('Enter'), replaces: [] },
  {
    name: 'Backspace at the start',
    text: LINES,
    at: 0,
    command: key('Backspace'),
    replaces: [ONE],
  },
  { name: 'Delete at the end', text: LINES, at: 19, command: key('Delete'), replaces: [THREE] },
  {
    name: 'Backspace under an empty line',
    text: `<p></p><p>${TWO}</p><p>${THREE}</p>`,
    at: 0,
    command: key('Backspace'),
    replaces: [],
  },
  {
    name: 'Delete at the end of a point',
    text: LIST,
    at: 19,
    command: key('Delete'),
    replaces: [THREE],
  },
  { name: 'Tab', text: LIST, command: key('Tab'), replaces: [TWO] },
  { name: 'Shift+Tab', text: NESTED, command: key('Shift-Tab'), replaces: [TWO] },
  { name: 'Alt+Up', text: LINES, command: key('Alt-ArrowUp'), replaces: [TWO] },
  { name: 'Alt+Down', text: LINES, command: key('Alt-ArrowDown'), replaces: [TWO] },
  {
    name: 'Alt+Up with nothing else',
    text: `<p>${ONE}</p><p>${TWO}</p>`,
    command: key('Alt-ArrowUp'),
    replaces: [TWO],
  },
  { name: 'Alt+Up in a list', text: LIST, command: key('Alt-ArrowUp'), replaces: [TWO] },
  { name: 'Alt+Down of a task', text: TASKS, command: key('Alt-ArrowDown'), replaces: [TWO] },
  { name: 'drag to the end', text: LINES, command: dragToEnd, replaces: [TWO] },
  { name: 'tick', text: TASKS, command: key('Mod-Enter'), replaces: [] },
];

function opened({ text, at = 3 }: Case): Writer {
  const writer = writerOn(new Y.Doc());
  writer.editor.commands.setContent(text);
  caretIn(writer, TWO, at);
  return writer;
}

/** The editor shows what is in the shared text, to the last attribute. */
function expectSame(writer: Writer): void {
  const { editor, document } = writer;
  const shared = yXmlFragmentToProseMirrorRootNode(
    document.getXmlFragment(TEXT_NAME),
    editor.schema,
  );
  expect(shared.toJSON()).toEqual(editor.state.doc.toJSON());
}

test.each(CASES)('$name replaces no more than it must', (one) => {
  const writer = opened(one);
  const before = lettersOf(writer.document);
  one.command(writer);
  expect(replacedLines(before, lettersOf(writer.document))).toEqual(one.replaces);
  expectSame(writer);
});

// Not at letter 0: there, the words and a line joined in front of it have no order.
describe.each([1, 4, 10])('words that come at letter %i of another line', (offset) => {
  test.each(CASES)('stay in it: $name', (one) => {
    const writer = opened(one);
    const other = new Y.Doc();
    Y.applyUpdate(other, Y.encodeStateAsUpdate(writer.document));
    const lines = [ONE, TWO, THREE].filter((line) => !one.replaces.includes(line));
    const expected = lines.map((line) => addWords(other, line, offset));
    one.command(writer);
    Y.applyUpdate(writer.document, Y.encodeStateAsUpdate(other));
    const missing = expected.filter((text) => !linesOf(writer).some((line) => line.includes(text)));
    expect(missing).toEqual([]);
    expectSame(writer);
  });
});

function addWords(document: Y.Doc, line: string, offset: number): string {
  const text = textOf(document.getXmlFragment(TEXT_NAME), line);
  text?.insert(offset, '[words]');
  return text === null ? '' : `${line.slice(0, offset)}[words]${line.slice(offset)}`;
}

function textOf(parent: Y.XmlFragment, line: string): Y.XmlText | null {
  for (const child of parent.toArray()) {
    if (child instanceof Y.XmlText && child.toString() === line) return child;
    const found = child instanceof Y.XmlElement ? textOf(child, line) : null;
    if (found !== null) return found;
  }
  return null;
}
