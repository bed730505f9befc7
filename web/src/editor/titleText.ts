/**
 * The note's title: a shared `Y.Text` named `title`, beside the text. Two people who change
 * different ends of it both keep their letters; editors that do not know it leave it alone.
 */
import * as Y from 'yjs';

const TITLE_NAME = 'title';
const TITLE_LENGTH_MAX = 300;
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

  /** Calls `show` at every change by others or by undo; returns how to stop. */
  onRemote(show: (title: string) => void): () => void {
    const listen = (_event: Y.YTextEvent, transaction: Y.Transaction) => {
      if (transaction.origin !== ORIGIN) show(this.value);
    };
    this.#text.observe(listen);
    return () => this.#text.unobserve(listen);
  }

  /** Makes the title what the field says, by the smallest change. Returns what it has become. */
  set(wanted: string): string {
    const next = wanted.replace(/\s+/g, ' ').slice(0, TITLE_LENGTH_MAX);
    const { at, removed, inserted } = difference(this.value, next);
    this.#text.doc?.transact(() => {
      if (removed > 0) this.#text.delete(at, removed);
      if (inserted !== '') this.#text.insert(at, inserted);
    }, ORIGIN);
    return next;
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

/** What to remove from `before`, and what to put there, to get `after`. Never splits a character. */
export function difference(
  before: string,
  after: string,
): { at: number; removed: number; inserted: string } {
  const old = [...before];
  const next = [...after];
  let start = 0;
  while (start < old.length && start < next.length && old[start] === next[start]) start += 1;
  let end = 0;
  while (
    end < old.length - start &&
    end < next.length - start &&
    old[old.length - 1 - end] === next[next.length - 1 - end]
  ) {
    end += 1;
  }
  return {
    at: old.slice(0, start).join('').length,
    removed: old.slice(start, old.length - end).join('').length,
    inserted: next.slice(start, next.length - end).join(''),
  };
}
