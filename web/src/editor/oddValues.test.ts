// @vitest-environment jsdom
/** Every attribute of every node and mark of the schema, with every odd value. */
import { describe, expect, test } from 'vitest';
import type * as Y from 'yjs';
import { writerOn, type Writer } from '../testing/editors';
import { nameOfValue, ODD_VALUES } from '../testing/oddValues';
import { documentOf, element, paragraph, receive, run, stateOf, textIn } from '../testing/shared';
import { textSchema } from './extensions';
import { createGuard } from './guard';

/** Far above what it takes on a busy machine, far below the minute that a wide table once took. */
const PATIENCE_MS = 5000;
const UNKNOWN = ['textAlign'];
/** Names that something on the way might take for its own. */
const TREACHEROUS = ['style', 'class', 'ychange', '__proto__', 'constructor', 'level'];

/** A block that holds a node of that name with these attributes, and the text "odd". */
function blockWith(name: string, attributes: Record<string, unknown>): Y.XmlElement {
  const text = () => run('odd');
  const line = () => paragraph('odd');
  switch (name) {
    case 'text':
    case 'doc':
      return element(name, attributes, line());
    case 'paragraph':
    case 'heading':
    case 'codeBlock':
      return element(name, attributes, text());
    case 'blockquote':
      return element(name, attributes, line());
    case 'bulletList':
    case 'orderedList':
      return element(name, attributes, element('listItem', {}, line()));
    case 'listItem':
      return element('bulletList', {}, element(name, attributes, line()));
    case 'taskList':
      return element(name, attributes, element('taskItem', {}, line()));
    case 'taskItem':
      return element('taskList', {}, element(name, attributes, line()));
    case 'hardBreak':
      return element('paragraph', {}, text(), element(name, attributes));
    case 'horizontalRule':
      return element('blockquote', {}, element(name, attributes), line());
    case 'table':
      return element(name, attributes, rowOf(element('tableCell', {}, line())));
    case 'tableRow':
      return element('table', {}, element(name, attributes, element('tableCell', {}, line())));
    case 'tableCell':
    case 'tableHeader':
      return element(
        'table',
        {},
        rowOf(element(name, attributes, line())),
        rowOf(element('tableCell', {}, line())),
      );
    default:
      return element(name, attributes, line());
  }
}

function rowOf(...cells: Y.XmlElement[]): Y.XmlElement {
  return element('tableRow', {}, ...cells);
}

const nodes = Object.entries(textSchema.nodes).flatMap(([name, type]) =>
  [
    ...Object.keys(type.spec.attrs ?? {}),
    ...UNKNOWN,
    ...(['paragraph', 'table'].includes(name) ? TREACHEROUS : []),
  ].map((attribute) => ({
    what: `${name}.${attribute}`,
    make: (value: unknown) => blockWith(name, { [attribute]: value }),
  })),
);

const marks = Object.entries(textSchema.marks).flatMap(([name, type]) => [
  // A mark without a value cannot be stored.
  { what: `mark ${name}`, make: (value: unknown) => paragraph('odd', { [name]: value ?? null }) },
  ...[...Object.keys(type.spec.attrs ?? {}), ...UNKNOWN].map((attribute) => ({
    what: `mark ${name}.${attribute}`,
    make: (value: unknown) => paragraph('odd', { [name]: { [attribute]: value } }),
  })),
]);

const oddTexts = (writer: Writer) => writer.editor.view.dom.textContent.split('odd').length - 1;

/** Letters typed at the end of the first line, and whether an update carries them. */
function carriesTyping(writer: Writer): boolean {
  let carried = false;
  const listen = () => (carried = true);
  writer.document.on('update', listen);
  writer.editor.commands.insertContentAt(1, 'typed ');
  writer.document.off('update', listen);
  return carried && textIn(writer.document).toString().startsWith('<paragraph>typed ');
}

describe.each([...nodes, ...marks])('$what', { timeout: 30_000 }, ({ make }) => {
  test('opens with every value, shows the text, writes nothing, and the rest can be edited', () => {
    const blocks = ODD_VALUES.map(make);
    const document = documentOf(paragraph('first'), ...blocks, paragraph('last'));
    const expected = textIn(document).toString().split('odd').length - 1;
    expect(createGuard().all(textIn(document))).toEqual([]);
    const before = stateOf(document);
    const started = performance.now();
    const writer = writerOn(document);
    expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
    expect(stateOf(document) === before).toBe(true);
    // A task says its text to screen readers once more.
    expect(oddTexts(writer)).toBeGreaterThanOrEqual(expected);
    expect(carriesTyping(writer)).toBe(true);
  });

  test('receives every value and its end, and writes nothing', () => {
    const document = documentOf(paragraph('first'), paragraph('last'));
    const writer = writerOn(document);
    const local: unknown[] = [];
    document.on('update', (_update: Uint8Array, origin: unknown) => {
      if (origin !== 'others') local.push(origin);
    });
    for (const value of ODD_VALUES) {
      receive(document, (text) => text.insert(1, [make(value)]));
      expect(oddTexts(writer), nameOfValue(value)).toBeGreaterThan(0);
      receive(document, (text) => text.delete(1, 1));
    }
    expect(local).toEqual([]);
    expect(carriesTyping(writer)).toBe(true);
  });
});
