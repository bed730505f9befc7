// @vitest-environment jsdom
/**
 * Any form changes, one after the other: the shared text is what the editor shows, what another
 * replica makes of it is the same, and no command replaces more letters than the stock binding does.
 */
import type { Node } from '@tiptap/pm/model';
import { yXmlFragmentToProseMirrorRootNode } from '@tiptap/y-tiptap';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { TEXT_NAME } from '../net/gate';
import { changeForm, changeMarks, changeTable } from '../testing/deeds';
import { lettersOf } from '../testing/letters';
import { stockWriterOn, writerOn, type Writer } from '../testing/editors';
import { randomFrom } from '../testing/random';

const SEEDS = Number(process.env['SEEDS'] ?? 8);
const STEPS = 12;
const TEXT =
  '<p>alpha one</p><h2>beta two <strong>bold</strong></h2><ul><li><p>gamma</p></li><li><p>delta four</p></li></ul>' +
  '<p></p><blockquote><p>epsilon</p></blockquote><p>zeta<br>eta</p><p>alpha one</p>';

/** A writer without our plugin on the same text, with the caret in the same place. */
function stockTwin({ document, editor }: Writer): Writer {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(document));
  const twin = stockWriterOn(copy);
  const { anchor, head } = editor.state.selection;
  twin.editor.commands.setTextSelection({ from: anchor, to: head });
  return twin;
}

function sharedText(document: Y.Doc, writer: Writer): unknown {
  const text = document.getXmlFragment(TEXT_NAME);
  return plain(yXmlFragmentToProseMirrorRootNode(text, writer.editor.schema));
}

/** A text without the marks of line breaks, which the binding does not store. */
function plain(node: Node): unknown {
  return JSON.parse(JSON.stringify(node.toJSON()), (_key, value: unknown) =>
    isBreak(value) ? { type: value.type } : value,
  );
}

function isBreak(value: unknown): value is { type: string } {
  return (
    typeof value === 'object' && value !== null && 'type' in value && value.type === 'hardBreak'
  );
}

function kept(writer: Writer, run: () => void): number {
  const before = lettersOf(writer.document);
  run();
  const after = lettersOf(writer.document);
  return [...before].filter(([id, { line }]) => after.get(id)?.line === line).length;
}

const PATIENCE_MS = 60_000;

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
  'seed %i',
  (seed) => {
    const writer = writerOn(new Y.Doc());
    writer.editor.commands.setContent(TEXT);
    const chance = randomFrom(seed);
    const other = new Y.Doc();
    writer.document.on('update', (update: Uint8Array) => Y.applyUpdate(other, update));
    Y.applyUpdate(other, Y.encodeStateAsUpdate(writer.document));
    const done: string[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      const deed = chance.pick([changeForm, changeForm, changeForm, changeTable, changeMarks]);
      const twin = stockTwin(writer);
      const number = step * 1000 + seed;
      let name = '';
      const ours = kept(writer, () => (name = deed(writer, randomFrom(number))));
      const stock = kept(twin, () => deed(twin, randomFrom(number)));
      done.push(name);
      twin.editor.destroy();
      const story = done.join(', ');
      expect(sharedText(writer.document, writer), story).toEqual(plain(writer.editor.state.doc));
      expect(sharedText(other, writer), story).toEqual(plain(writer.editor.state.doc));
      // Moving makes the moved line anew, also when its neighbour is shorter.
      if (!name.startsWith('Alt')) expect(ours, story).toBeGreaterThanOrEqual(stock);
    }
  },
  PATIENCE_MS,
);
