// @vitest-environment jsdom
/**
 * Anchors against a model. Every letter of these notes is there once, so a letter is the same letter
 * wherever a split, a join, a heading or a restore has put it, and the model needs no ids: the caret
 * belongs behind the letter that it was behind, or, if that is deleted, beside the nearest one that
 * is left of its line.
 */
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { writerOn, type Writer } from '../testing/editors';
import { randomFrom, type Random } from '../testing/random';

/** `SEEDS=2000 npx vitest run anchors.property` looks further. */
const SEEDS = Number(process.env['SEEDS'] ?? 120);
const BATCHES = 4;
const FIRST_LETTER = 0x4e00;

let lettersMade = 0;
const freshLetter = () => String.fromCharCode(FIRST_LETTER + lettersMade++);
const freshWord = (length: number) => Array.from({ length }, freshLetter).join('');

test(`caret stands beside its letter after whatever others did (${SEEDS} seeds)`, () => {
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const random = randomFrom(seed);
    lettersMade = 0;
    const [ann, bo] = [writerOn(new Y.Doc()), writerOn(new Y.Doc())];
    const lines = Array.from({ length: 5 }, () => `<p>${freshWord(random.below(14))}</p>`);
    ann.editor.commands.setContent(lines.join(''));
    catchUp(bo, ann);
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const before = putCaret(ann, random);
      const done = changeSomething(bo, random);
      catchUp(ann, bo);
      const name = `seed ${seed}, batch ${batch}: ${done.join(', ')}; was ${before.join('|')}`;
      expect(caretFaults(ann, before), name).toEqual([]);
      expect(ann.editor.state.doc.toJSON(), name).toEqual(bo.editor.state.doc.toJSON());
    }
    for (const { editor } of [ann, bo]) editor.destroy();
  }
}, 900_000);

function catchUp(writer: Writer, other: Writer): void {
  const missed = Y.encodeStateAsUpdate(other.document, Y.encodeStateVector(writer.document));
  Y.applyUpdate(writer.document, missed, 'others');
}

/** Puts the caret into some line; returns the line's letters before and behind it. */
function putCaret({ editor }: Writer, random: Random): [string, string] {
  const ends: [number, number][] = [];
  editor.state.doc.descendants((node, position) => {
    if (node.isTextblock) ends.push([position + 1, node.content.size]);
  });
  const [start, size] = random.pick(ends);
  editor.commands.setTextSelection(start + random.below(size + 1));
  const { $head } = editor.state.selection;
  const text = $head.parent.textContent;
  return [text.slice(0, $head.parentOffset), text.slice($head.parentOffset)];
}

/** What is wrong with where the caret is. */
function caretFaults({ editor }: Writer, [left, right]: [string, string]): string[] {
  const all = editor.state.doc.textContent;
  const { $head } = editor.state.selection;
  const text = $head.parent.textContent;
  const [behind, before] = [text[$head.parentOffset - 1], text[$head.parentOffset]];
  const nearestLeft = [...left].reverse().find((letter) => all.includes(letter));
  const nearestRight = [...right].find((letter) => all.includes(letter));
  const own = left.at(-1);
  const stands = `caret is between ${behind ?? 'start'} and ${before ?? 'end'}`;
  if (own !== undefined && own === nearestLeft) return behind === own ? [] : [stands];
  // Of a line that is gone, and of which less than this is left, nobody can say where it went.
  const survivors = [...left, ...right].filter((letter) => all.includes(letter)).length;
  if (survivors === 0 || survivors < 0.6 * (left.length + right.length)) return [];
  const isBeside =
    (nearestLeft !== undefined && behind === nearestLeft) ||
    (nearestRight !== undefined && before === nearestRight) ||
    (nearestLeft === undefined && behind === undefined);
  return isBeside ? [] : [stands];
}

const CHANGES: Readonly<Record<string, (writer: Writer, random: Random) => void>> = {
  type: ({ editor }) => editor.view.dispatch(editor.state.tr.insertText(freshLetter())),
  remove: ({ editor }, random) => {
    const { $head } = editor.state.selection;
    const to = Math.min($head.end(), $head.pos + random.below(6));
    editor.commands.deleteRange({ from: $head.pos, to });
  },
  split: ({ editor }) => editor.commands.enter(),
  join: ({ editor }) => {
    editor.commands.setTextSelection(editor.state.selection.$head.start());
    editor.commands.joinBackward();
  },
  heading: ({ editor }) => editor.commands.toggleHeading({ level: 2 }),
  list: ({ editor }) => editor.commands.toggleBulletList(),
  tasks: ({ editor }) => editor.commands.toggleTaskList(),
  quote: ({ editor }) => editor.commands.toggleBlockquote(),
  block: ({ editor }, random) => {
    const { $head } = editor.state.selection;
    const at = $head.depth === 0 ? $head.pos : $head.after(1);
    editor.commands.insertContentAt(at, `<p>${freshWord(random.below(9))}</p>`);
  },
  line: ({ editor }) => {
    const { $head } = editor.state.selection;
    if (editor.state.doc.childCount > 2)
      editor.commands.deleteRange({ from: $head.before(1), to: $head.after(1) });
  },
  restore: ({ document }) => {
    const text = document.getXmlFragment('default');
    const blocks = (text.toArray() as Y.XmlElement[]).map((block) => block.clone());
    document.transact(() => {
      text.delete(0, text.length);
      text.insert(0, blocks as Y.XmlElement[]);
    });
  },
};

/** One to three changes, of which one at most puts in new letters: see what is called a copy. */
function changeSomething(writer: Writer, random: Random): string[] {
  const done: string[] = [];
  for (let left = 1 + random.below(3); left > 0; left -= 1) {
    const name = random.pick(Object.keys(CHANGES).filter((next) => !done.includes(next)));
    putCaret(writer, random);
    CHANGES[name]?.(writer, random);
    done.push(name);
  }
  return done;
}
