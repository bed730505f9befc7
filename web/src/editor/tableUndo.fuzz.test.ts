// @vitest-environment jsdom
/**
 * Two people change, type in and undo in one table, and see each other late. Nobody writes because
 * of what was received, both see the same, and so does whoever opens the note then.
 * `SEEDS=500 npx vitest run src/editor/tableUndo.fuzz.test.ts` plays more.
 */
import { yUndoPluginKey } from '@tiptap/y-tiptap';
import { expect, test } from 'vitest';
import type * as Y from 'yjs';
import type { Writer } from '../testing/editors';
import { Pages } from '../testing/pages';
import { randomFrom, type Random } from '../testing/random';
import { documentOf, element, paragraph } from '../testing/shared';

const SEEDS = Number(process.env['SEEDS'] ?? 10);
const STEPS = 30;
const PATIENCE_MS = 60_000;

type Deed = (writer: Writer, chance: Random) => void;

const COMMANDS = [
  'addColumnBefore',
  'addColumnAfter',
  'addRowBefore',
  'addRowAfter',
  'deleteColumn',
  'deleteRow',
] as const;

const deeds: Readonly<Record<string, Deed>> = {
  table: ({ editor }, chance) => editor.commands[chance.pick(COMMANDS)](),
  type: ({ editor }) => editor.commands.insertContent('typed '),
  heading: ({ editor }) => editor.commands.toggleHeading({ level: 2 }),
  undo: ({ editor }) => editor.commands.undo(),
  redo: ({ editor }) => editor.commands.redo(),
};

function start(): Y.Doc {
  const row = (...texts: string[]) =>
    element('tableRow', {}, ...texts.map((text) => element('tableCell', {}, paragraph(text))));
  return documentOf(paragraph('start'), element('table', {}, row('a', 'b'), row('c', 'd')));
}

function goAnywhere({ editor }: Writer, chance: Random): void {
  const places: number[] = [];
  editor.state.doc.descendants((node, position) => {
    if (node.isTextblock) places.push(position + 1 + chance.below(node.content.size + 1));
  });
  editor.commands.setTextSelection(chance.pick(places));
}

function act(writer: Writer, chance: Random): string {
  const name = chance.pick(['table', 'table', 'type', 'heading', 'undo', 'undo', 'redo']);
  if (chance.below(3) === 0) undoManagerOf(writer).stopCapturing();
  if (name !== 'undo' && name !== 'redo') goAnywhere(writer, chance);
  deeds[name]?.(writer, chance);
  return `${writer.document.clientID}: ${name}`;
}

function undoManagerOf({ editor }: Writer): Y.UndoManager {
  return (yUndoPluginKey.getState(editor.state) as { undoManager: Y.UndoManager }).undoManager;
}

function shownBy(pages: Pages): unknown[] {
  return pages.writers.map(({ editor }) => editor.state.doc.toJSON() as unknown);
}

/** Delivers all; what every page shows then. */
function meet(pages: Pages, chance: Random, story: string): void {
  const { written } = pages;
  pages.deliverAll(chance.below);
  expect(pages.written, `written on receiving after ${story}`).toBe(written);
  const [ann, bo] = pages.writers;
  if (ann === undefined || bo === undefined) throw new Error('there are two pages');
  const opened = new Pages(1, ann.document);
  const [shown, ...others] = [...shownBy(pages), ...shownBy(opened)];
  for (const other of others) expect(other, story).toEqual(shown);
}

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
  'seed %i',
  (seed) => {
    const chance = randomFrom(seed);
    const pages = new Pages(2, start());
    const story: string[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      story.push(act(chance.pick(pages.writers), chance));
      if (chance.below(3) > 0) meet(pages, chance, story.join(', '));
    }
  },
  PATIENCE_MS,
);
