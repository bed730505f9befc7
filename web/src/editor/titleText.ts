/**
 * The note's title: a shared `Y.Text` named `title`, beside the text. Two people who change
 * different ends of it both keep their letters; editors that do not know it leave it alone.
 */
import * as Y from 'yjs';
import { FieldText, type Change } from './fieldText';

const TITLE_NAME = 'title';
/** What one person may type; two who write at once may go over it, and nothing of theirs is cut. */
export const TITLE_LENGTH_MAX = 300;
const FIRST_LINE_LENGTH_MAX = 60;
const ORIGIN = 'title field';

/** The title that a replica has. */
export function titleIn(document: Y.Doc): string {
  return document.getText(TITLE_NAME).toString();
}

/** The first words of the text, for notes without a title. */
export function firstLine(text: Y.XmlFragment): string {
  for (const block of text.createTreeWalker((node) => node instanceof Y.XmlText)) {
    const line = plainText(block).trim();
    if (line !== '') return cut(line);
  }
  return '';
}

function cut(line: string): string {
  if (line.length <= FIRST_LINE_LENGTH_MAX) return line;
  const space = line.lastIndexOf(' ', FIRST_LINE_LENGTH_MAX);
  return `${line.slice(0, space > 0 ? space : FIRST_LINE_LENGTH_MAX)}…`;
}

function plainText(run: unknown): string {
  if (!(run instanceof Y.XmlText)) return '';
  const delta = run.toDelta() as { insert: unknown }[];
  return delta.map(({ insert }) => (typeof insert === 'string' ? insert : '')).join('');
}

/** A line holds no breaks; every other kind of space stays what it is. */
export function onOneLine(text: string): string {
  return text.replace(/[\n\v\f\r\u0085\u2028\u2029]+/g, ' ');
}

/**
 * As much of `wanted` as a title that has `length` units besides has room for. Whole letters only:
 * what is built of several characters is taken or left as one.
 */
export function fitting(wanted: string, length: number): string {
  const room = TITLE_LENGTH_MAX - length;
  if (wanted.length <= room) return wanted;
  let taken = '';
  for (const { segment } of new Intl.Segmenter().segment(wanted)) {
    if (taken.length + segment.length > room) break;
    taken += segment;
  }
  return taken;
}

/** One note's title. */
export class TitleText {
  readonly #text: Y.Text;
  readonly #undo: Y.UndoManager;

  constructor(document: Y.Doc) {
    this.#text = document.getText(TITLE_NAME);
    this.#undo = new Y.UndoManager(this.#text, { trackedOrigins: new Set([ORIGIN]) });
  }

  /** The title now. */
  get value(): string {
    return this.#text.toString();
  }

  /** Calls `show` at every change, whoever made it; returns how to stop. */
  onChange(show: (title: string) => void): () => void {
    const listen = () => show(this.value);
    this.#text.observe(listen);
    return () => this.#text.unobserve(listen);
  }

  /** The letters of a field that shows the title; to be disposed of by whoever has the field. */
  inField(show: (changes: readonly Change[], isUndo: boolean) => void): FieldText {
    return new FieldText(this.#text, ORIGIN, show);
  }

  /** What is typed from now on is taken back by itself. */
  beginStep(): void {
    this.#undo.stopCapturing();
  }

  /** Takes back or repeats this page's own last change of the title. */
  undo(): void {
    this.#undo.undo();
  }

  /** Repeats what `undo` took back. */
  redo(): void {
    this.#undo.redo();
  }

  /** Stops recording. */
  dispose(): void {
    this.#undo.destroy();
  }
}
