// @vitest-environment jsdom
/**
 * Two people write, change forms, delete, undo and redo in one text, each seeing what the other does.
 * No letter is ever there twice, and none goes that its author did not take back and nobody deleted.
 */
import type { Node } from '@tiptap/pm/model';
import { yUndoPluginKey } from '@tiptap/y-tiptap';
import { expect, test } from 'vitest';
import type * as Y from 'yjs';
import { connectedDocuments } from '../testing/documents';
import { changeForm, goAnywhere, selectAnything } from '../testing/deeds';
import { writerOn, type Writer } from '../testing/editors';
import { randomFrom, type Random } from '../testing/random';
import { isForeign } from './foreignTypes';

const SEEDS = Number(process.env['SEEDS'] ?? 15);
const FIRST = Number(process.env['FIRST_SEED'] ?? 0);
const STEPS = 40;
const START =
  '<p>abcdefgh</p><p></p><ul><li><p>ijkl</p></li><li><p>mnop</p></li></ul><h2>qrst</h2><p>uvwx</p>';
/** Letters that no one has typed yet: one for each key press of the test. */
const FIRST_LETTER = 0x4e00;

class Stage {
  readonly chance: Random;
  readonly people: readonly [Writer, Writer];
  readonly story: string[] = [];
  readonly #authors = new Map<string, Writer>();
  /** Who has ever deleted a letter on purpose. */
  readonly #deleters = new Map<string, Set<Writer>>();
  #nextLetter = FIRST_LETTER;
  #there: ReadonlySet<string>;

  constructor(seed: number) {
    this.chance = randomFrom(seed);
    const [a, b] = connectedDocuments();
    this.people = [writerOn(a), writerOn(b)];
    this.people[0].editor.commands.setContent(START);
    this.#there = new Set(this.letters());
    for (const letter of this.#there) this.#authors.set(letter, this.people[0]);
  }

  letters(): string[] {
    const { doc } = this.people[0].editor.state;
    // A line break in a code block is none of the letters that the test typed.
    return [...doc.textContent.replaceAll('\n', '')];
  }

  step(): void {
    const writer = this.chance.pick(this.people);
    if (this.chance.below(3) > 0) undoManagerOf(writer).stopCapturing();
    const deed = this.chance.pick([
      'type',
      'type',
      'type',
      'form',
      'form',
      'delete',
      'undo',
      'redo',
    ]);
    const name = this.#do(deed, writer);
    this.story.push(`${writer === this.people[0] ? 'Ann' : 'Bo'}: ${name}`);
    this.#check(deed, writer);
  }

  #do(deed: string, writer: Writer): string {
    if (deed === 'type') return this.#type(writer);
    if (deed === 'form') return changeForm(writer, this.chance);
    if (deed === 'delete') {
      selectAnything(writer, this.chance);
      writer.editor.commands.deleteSelection();
    } else writer.editor.commands[deed === 'undo' ? 'undo' : 'redo']();
    return deed;
  }

  #type(writer: Writer): string {
    goAnywhere(writer, this.chance);
    const count = 1 + this.chance.below(4);
    let typed = '';
    for (let index = 0; index < count; index += 1) {
      const letter = String.fromCharCode(this.#nextLetter);
      this.#nextLetter += 1;
      this.#authors.set(letter, writer);
      writer.editor.view.dispatch(writer.editor.state.tr.insertText(letter));
      typed += letter;
    }
    return `type ${typed}`;
  }

  #check(deed: string, writer: Writer): void {
    const letters = this.letters();
    const story = this.story.join(', ');
    const twice = letters.filter((letter, index) => letters.indexOf(letter) !== index);
    expect(twice, `there twice after ${story}`).toEqual([]);
    const now = new Set(letters);
    const gone = [...this.#there].filter((letter) => !now.has(letter));
    if (deed === 'delete') for (const letter of gone) this.#noteDeleted(letter, writer);
    const lost = gone.filter((letter) => !this.#mayTake(deed, writer, letter));
    expect(lost, `lost after ${story}`).toEqual([]);
    this.#there = now;
    this.#checkShared(story);
  }

  #noteDeleted(letter: string, writer: Writer): void {
    this.#deleters.set(letter, (this.#deleters.get(letter) ?? new Set()).add(writer));
  }

  #mayTake(deed: string, writer: Writer, letter: string): boolean {
    if (deed === 'delete') return true;
    if (deed !== 'undo' && deed !== 'redo') return false;
    return this.#authors.get(letter) === writer || this.#deleters.get(letter)?.has(writer) === true;
  }

  /** Both see the same, and nothing of it has a form that the schema does not allow. */
  #checkShared(story: string): void {
    const [ann, bo] = this.people;
    expect(bo.editor.getHTML(), story).toBe(ann.editor.getHTML());
    expect(foreignIn(ann.editor.state.doc), `not allowed after ${story}`).toEqual([]);
  }
}

function foreignIn(text: Node): string[] {
  const names: string[] = [];
  text.descendants((node) => {
    if (isForeign(node)) names.push(node.type.name);
  });
  return names;
}

function undoManagerOf({ editor }: Writer): Y.UndoManager {
  const state = yUndoPluginKey.getState(editor.state) as { undoManager: Y.UndoManager };
  return state.undoManager;
}

const PATIENCE_MS = 60_000;

test.each(Array.from({ length: SEEDS }, (_, index) => FIRST + index))(
  'seed %i',
  (seed) => {
    const stage = new Stage(seed);
    for (let step = 0; step < STEPS; step += 1) stage.step();
  },
  PATIENCE_MS,
);
