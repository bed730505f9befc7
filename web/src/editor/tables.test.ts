// @vitest-environment jsdom
/**
 * Story: Ann adds a column to a table and Bo a row, at once. The merged table lacks a corner cell.
 * prosemirror-tables mends that in every open page; each mending reaches the others and makes the
 * table ragged again: a 2×2 table had 240 columns after eight seconds in which nobody typed.
 */
import { TableMap } from '@tiptap/pm/tables';
import { describe, expect, test } from 'vitest';
import type * as Y from 'yjs';
import { writerOn, type Writer } from '../testing/editors';
import { Pages } from '../testing/pages';
import { randomFrom } from '../testing/random';
import { documentOf, element, idsIn, paragraph, receive, stateOf, textIn } from '../testing/shared';

function tableOf(...rows: string[][]): Y.XmlElement {
  const cells = (row: string[]) => row.map((text) => element('tableCell', {}, paragraph(text)));
  return element('table', {}, ...rows.map((row) => element('tableRow', {}, ...cells(row))));
}

const twoByTwo = () =>
  documentOf(paragraph('before'), tableOf(['a', 'b'], ['c', 'd']), paragraph('after'));

/** Rows and columns as a person sees them; every row is drawn equally long. */
function shownSize(writer: Writer): string {
  const rows = [...writer.editor.view.dom.querySelectorAll('tr')];
  const lengths = new Set(rows.map((row) => row.children.length));
  return `${rows.length}×${[...lengths].join('/')}`;
}

function textsOf(writer: Writer): string[] {
  return [...writer.editor.view.dom.querySelectorAll('td:not(.padding)')].map(
    (cell) => cell.textContent,
  );
}

/** The caret into the n-th cell. */
function enterCell(writer: Writer, index: number): void {
  const positions: number[] = [];
  writer.editor.state.doc.descendants((node, position) => {
    if (node.type.name === 'tableCell') positions.push(position);
  });
  const position = positions[index % positions.length];
  if (position !== undefined) writer.editor.commands.setTextSelection(position + 2);
}

test('column by one and row by another at once: three by three, then quiet', () => {
  const pages = new Pages(2, twoByTwo());
  const [ann, bo] = pages.writers as [Writer, Writer];
  enterCell(ann, 1);
  enterCell(bo, 3);
  ann.editor.commands.addColumnAfter();
  bo.editor.commands.addRowAfter();
  pages.deliverAll(randomFrom(1).below);
  expect(pages.written).toBe(2);
  for (const page of pages.writers) expect(shownSize(page)).toBe('3×3');
});

test('column added at the end of a short first row goes into that row', () => {
  const writer = writerOn(documentOf(tableOf(['a'], ['b', 'c', 'd'])));
  enterCell(writer, 2);
  writer.editor.commands.addColumnBefore();
  const rows = writer.editor.state.doc.child(0).children.map((row) => row.childCount);
  expect(rows).toEqual([2, 4]);
});

test('missing corner is made by the click into it, and only then', () => {
  const document = documentOf(tableOf(['a', 'b', 'c'], ['d']));
  const writer = writerOn(document);
  const before = stateOf(document);
  const [, last] = writer.editor.view.dom.querySelectorAll('.padding');
  expect(stateOf(document) === before).toBe(true);
  last?.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, cancelable: true }));
  writer.editor.commands.insertContent('corner');
  expect(textsOf(writer)).toEqual(['a', 'b', 'c', 'd', '', 'corner']);
  expect(writer.editor.view.dom.querySelector('.padding')).toBeNull();
});

test('readers make no cell by clicking', () => {
  const writer = writerOn(documentOf(tableOf(['a', 'b'], ['c'])));
  const before = stateOf(writer.document);
  writer.editor.setEditable(false);
  const gap = writer.editor.view.dom.querySelector('.padding');
  gap?.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, cancelable: true }));
  expect(stateOf(writer.document) === before).toBe(true);
});

describe('ragged tables', { timeout: 30_000 }, () => {
  const odd: readonly [string, () => Y.XmlElement][] = [
    ['short last row', () => tableOf(['a', 'b'], ['c'])],
    ['short first row', () => tableOf(['a'], ['b', 'c', 'd'])],
    ['row without cells', () => tableOf(['a', 'b'], [])],
    ['no cells at all', () => tableOf([], [])],
    ['no rows', () => tableOf()],
    ['rowspan beyond the end', () => spanned({ rowspan: 99 })],
    ['honest colspan of 5 in a row of 8', () => spanned({ colspan: 5 }, 8)],
    ['colspan beyond the others', () => spanned({ colspan: 1000 })],
    ['widths of the wrong number', () => spanned({ colwidth: [100, 200, 300] })],
    ['colspan 1,000,000', () => spanned({ colspan: 1_000_000 })],
    ['many rows below a hanging cell', () => tall(4000)],
    ['colspan "1"', () => spanned({ colspan: '1' })],
    ['colspan "2"', () => spanned({ colspan: '2' })],
    ['colspan 1.5', () => spanned({ colspan: 1.5 })],
    ['colwidth "abc"', () => spanned({ colwidth: 'abc' })],
  ];

  function spanned(attributes: Record<string, unknown>, others = 1): Y.XmlElement {
    const first = element('tableCell', attributes, paragraph('odd'));
    const cells = Array.from({ length: others }, (_, index) => paragraph(`cell ${index}`));
    return element(
      'table',
      {},
      element('tableRow', {}, first),
      element('tableRow', {}, ...cells.map((cell) => element('tableCell', {}, cell))),
    );
  }

  /** Each row would be measured by looking at all above it. */
  function tall(rows: number): Y.XmlElement {
    const first = element('tableCell', { rowspan: 2 }, paragraph('odd'));
    const rest = Array.from({ length: rows }, () => element('tableRow', {}, element('tableCell')));
    return element('table', {}, element('tableRow', {}, first), ...rest);
  }

  test.each(odd)('%s: opened and received without a byte written', (_name, make) => {
    const document = documentOf(paragraph('first'), make(), paragraph('last'));
    const before = stateOf(document);
    const started = performance.now();
    const writer = writerOn(document);
    expect(performance.now() - started).toBeLessThan(5000);
    writer.editor.commands.setTextSelection(1);
    receive(document, (text) => text.insert(0, [paragraph('news')]));
    const updates: unknown[] = [];
    document.on('update', (_update: Uint8Array, origin: unknown) => updates.push(origin));
    writer.editor.commands.setTextSelection(3);
    expect(updates).toEqual([]);
    expect(stateOf(document).length).toBeGreaterThan(before.length);
    const ids = idsIn(textIn(document));
    writer.editor.commands.insertContentAt(1, 'typed ');
    expect(updates).toHaveLength(1);
    expect(idsIn(textIn(document))).toEqual(ids);
  });

  test.each(odd.slice(0, 3))('%s: commands keep every text and explode nothing', (_name, make) => {
    for (const command of COMMANDS) {
      const writer = writerOn(documentOf(make()));
      const texts = textsOf(writer).filter((text) => text !== '');
      enterCell(writer, 0);
      writer.editor.commands[command]();
      const left = textsOf(writer).filter((text) => text !== '');
      if (command.startsWith('add')) expect(left).toEqual(texts);
      expect(left.length, command).toBeGreaterThanOrEqual(command.startsWith('delete') ? 0 : 1);
      expect(shownSize(writer), command).toMatch(/^[1-3]×[1-4]$/);
    }
  });

  test('selected cells around a hole are emptied, and no others', () => {
    const writer = writerOn(documentOf(tableOf(['a', 'b', 'c'], ['d'], ['e', 'f', 'g'])));
    const cells: number[] = [];
    writer.editor.state.doc.descendants((node, position) => {
      if (node.type.name === 'tableCell') cells.push(position);
    });
    const [anchorCell, headCell] = [cells[1] ?? 0, cells[5] ?? 0];
    writer.editor.commands.setCellSelection({ anchorCell, headCell });
    writer.editor.view.someProp('handleKeyDown', (handle) =>
      handle(writer.editor.view, new KeyboardEvent('keydown', { key: 'Delete' })),
    );
    expect(textsOf(writer)).toEqual(['a', '', 'c', 'd', 'e', '', 'g']);
  });
});

/** `SEEDS=500 npx vitest run src/editor/tables.test.ts` plays more of them. */
const SEEDS = Number(process.env['SEEDS'] ?? 30);
const ADDING = ['addColumnBefore', 'addColumnAfter', 'addRowBefore', 'addRowAfter'] as const;
const COMMANDS = [...ADDING, 'deleteColumn', 'deleteRow'] as const;

/** Random commands on two to four pages, delivered late and in any order. */
function play(seed: number, commands: readonly (typeof COMMANDS)[number][]) {
  const random = randomFrom(seed).below;
  const pages = new Pages(2 + random(3), twoByTwo());
  const done = { rows: 0, columns: 0, away: 0 };
  for (let step = 0; step < 12; step += 1) {
    const writer = pages.writers[random(pages.writers.length)];
    const command = commands[random(commands.length)];
    if (writer === undefined || command === undefined) continue;
    enterCell(writer, random(16));
    const before = pages.written;
    if (writer.editor.commands[command]()) {
      expect(pages.written).toBe(before + 1);
      if (command.startsWith('delete')) done.away += 1;
      else done[command.includes('Row') ? 'rows' : 'columns'] += 1;
    }
    for (let count = random(4); count > 0 && !pages.isQuiet; count -= 1) pages.deliver(random);
  }
  const written = pages.written;
  pages.deliverAll(random);
  expect(pages.written, `seed ${seed}: quiet`).toBe(written);
  const states = new Set(pages.writers.map(({ document }) => textIn(document).toString()));
  expect(states.size, `seed ${seed}: one text`).toBe(1);
  return { pages, done };
}

test(
  'random rows and columns by up to four people add up, for every seed',
  { timeout: 4000 * SEEDS },
  () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { pages, done } = play(seed, ADDING);
      for (const page of pages.writers) {
        expect(shownSize(page), `seed ${seed}`).toBe(`${2 + done.rows}×${2 + done.columns}`);
      }
    }
  },
);

test(
  'with deleting among them, tables stay as large as commands can make them',
  { timeout: 4000 * SEEDS },
  () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { pages, done } = play(seed, COMMANDS);
      for (const page of pages.writers) {
        const table = page.editor.state.doc.child(1);
        if (table.type.spec['tableRole'] !== 'table') continue;
        const { width, height } = TableMap.get(table);
        expect(height, `seed ${seed}`).toBeLessThanOrEqual(2 + done.rows);
        expect(width, `seed ${seed}`).toBeLessThanOrEqual(2 + done.columns);
      }
    }
  },
);
