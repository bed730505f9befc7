/**
 * What a plain field shows, beside the shared text that it is bound to.
 *
 * Both are one list of letters. A letter is `shown` when the field has it and `kept` when the shared
 * text has it; the two differ only while the field is held, as during a composition, which ends when
 * anything else changes the field. What is typed is put beside the letters it was typed beside, so it
 * does not matter what the others have done to the shared text meanwhile.
 */
import type * as Y from 'yjs';

/** A replacement in a string: at `at`, `removed` units give way to `inserted`. */
export interface Change {
  readonly at: number;
  readonly removed: number;
  readonly inserted: string;
}

/** A character. `length` is its length in the shared text, which may hold what a field cannot show. */
interface Cell {
  readonly character: string;
  readonly length: number;
  shown: boolean;
  kept: boolean;
}

/** The letters of one field. */
export class FieldText {
  readonly #text: Y.Text;
  readonly #origin: unknown;
  readonly #show: (changes: readonly Change[], isUndo: boolean) => void;
  #cells: Cell[];
  #isHeld = false;

  /**
   * @param origin of the transactions that carry what is typed here.
   * @param show puts changes into the field, one after the other.
   */
  constructor(
    text: Y.Text,
    origin: unknown,
    show: (changes: readonly Change[], isUndo: boolean) => void,
  ) {
    this.#text = text;
    this.#origin = origin;
    this.#show = show;
    this.#cells = cellsIn(text);
    text.observe(this.#changed);
  }

  /** What the field shows. */
  get shown(): string {
    return this.#cells.map((cell) => (cell.shown ? cell.character : '')).join('');
  }

  /** Lets go of the shared text. */
  dispose(): void {
    this.#text.unobserve(this.#changed);
  }

  /** Keeps the field as it is while others write; what is typed is kept all the same. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Shows what came in the meantime. */
  release(): void {
    this.#isHeld = false;
    this.#settle(false);
  }

  /** Takes what the person has done to the field into the shared text. */
  type(change: Change): void {
    const { removed, inserted } = change;
    if (removed === 0 && inserted === '') return;
    this.#text.doc?.transact(() => {
      let at = this.#cellOf(change.at);
      // What stands in for something goes where that was, and not before what came in between.
      while (removed > 0 && this.#cells[at]?.shown === false) at += 1;
      this.#remove(at, removed);
      this.#insert(at, inserted);
    }, this.#origin);
    this.#forgetGone();
  }

  #insert(at: number, inserted: string): void {
    if (inserted === '') return;
    this.#text.insert(this.#keptBefore(at), inserted);
    this.#cells.splice(at, 0, ...cellsOf(inserted, true));
  }

  /** Removes the next `length` of the field from cell `from` on. */
  #remove(from: number, length: number): void {
    let left = length;
    let kept = this.#keptBefore(from);
    for (const cell of this.#cells.slice(from)) {
      if (left <= 0) return;
      if (!cell.shown) kept += cell.kept ? cell.length : 0;
      else {
        if (cell.kept) this.#text.delete(kept, cell.length);
        cell.kept = false;
        cell.shown = false;
        left -= cell.character.length;
      }
    }
  }

  /** The cell behind the first `shown` of the field, directly behind it. */
  #cellOf(shown: number): number {
    let left = shown;
    let at = 0;
    for (; left > 0 && at < this.#cells.length; at += 1) {
      const cell = this.#cells[at];
      if (cell?.shown === true) left -= cell.character.length;
    }
    return at;
  }

  #keptBefore(cell: number): number {
    const kept = this.#cells.slice(0, cell).filter((before) => before.kept);
    return kept.reduce((sum, before) => sum + before.length, 0);
  }

  readonly #changed = (event: Y.YTextEvent, transaction: Y.Transaction): void => {
    if (transaction.origin === this.#origin) return;
    let kept = 0;
    for (const { retain, insert, delete: removed } of event.delta) {
      if (retain !== undefined) kept += retain;
      if (removed !== undefined) this.#gone(kept, removed);
      if (insert !== undefined) kept += this.#came(kept, insert);
    }
    // An undo is this person's own doing: the caret goes where something has come back.
    if (!this.#isHeld) this.#settle(transaction.local);
  };

  #gone(from: number, length: number): void {
    let left = length;
    for (const cell of this.#cells.slice(this.#cellOfKept(from))) {
      if (left <= 0) return;
      if (!cell.kept) continue;
      cell.kept = false;
      left -= cell.length;
    }
  }

  /** Returns how long what came is in the shared text. */
  #came(kept: number, insert: unknown): number {
    const cells = cellsOf(insert, false);
    this.#cells.splice(this.#cellOfKept(kept), 0, ...cells);
    return cells.reduce((sum, cell) => sum + cell.length, 0);
  }

  #cellOfKept(kept: number): number {
    let left = kept;
    let at = 0;
    for (; left > 0 && at < this.#cells.length; at += 1) {
      const cell = this.#cells[at];
      if (cell?.kept === true) left -= cell.length;
    }
    return at;
  }

  #settle(isUndo: boolean): void {
    const changes: Change[] = [];
    let at = 0;
    for (const { character, shown, kept } of this.#cells) {
      if (shown && !kept) changes.push({ at, removed: character.length, inserted: '' });
      else if (kept && !shown) changes.push({ at, removed: 0, inserted: character });
      if (kept) at += character.length;
    }
    for (const cell of this.#cells) cell.shown = cell.kept;
    this.#forgetGone();
    changes.push(...this.#mended());
    if (changes.length > 0) this.#show(changes, isUndo);
  }

  /** A foreign client may cut a character in half, which no list of characters can follow. */
  #mended(): Change[] {
    const { shown } = this;
    const kept = cellsIn(this.#text);
    const wanted = kept.map((cell) => cell.character).join('');
    if (shown === wanted) return [];
    this.#cells = kept;
    return [difference(shown, wanted)];
  }

  #forgetGone(): void {
    this.#cells = this.#cells.filter((cell) => cell.shown || cell.kept);
  }
}

function cellsIn(text: Y.Text): Cell[] {
  const runs = text.toDelta() as { insert: unknown }[];
  return runs.flatMap(({ insert }) => cellsOf(insert, true));
}

/** A foreign client may embed anything in a text: it has a place there and none in a field. */
function cellsOf(inserted: unknown, shown: boolean): Cell[] {
  if (typeof inserted !== 'string') return [{ character: '', length: 1, shown, kept: true }];
  return [...inserted].map((character) => {
    return { character, length: character.length, shown, kept: true };
  });
}

/**
 * What a person did to a field that had `before` and has `after`, with the caret at `caret` when it
 * was done. The caret stands behind what was put in, which tells where among equal letters that was.
 */
export function changeOf(before: string, after: string, caret: number): Change {
  const behind = after.slice(caret);
  const end = before.length - behind.length;
  if (end < 0 || before.slice(end) !== behind) return difference(before, after);
  const limit = Math.min(caret, end);
  let at = 0;
  while (at < limit && before[at] === after[at]) at += 1;
  at = startOfLetter(before, startOfLetter(after, at));
  const inside = difference(before.slice(at, end), after.slice(at, caret));
  return { ...inside, at: at + inside.at };
}

/** What to remove from `before`, and what to put there, to get `after`. Never splits a character. */
export function difference(before: string, after: string): Change {
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

function startOfLetter(text: string, at: number): number {
  const code = text.charCodeAt(at);
  const isSecondHalf = code >= 0xdc00 && code <= 0xdfff;
  return isSecondHalf ? Math.max(0, at - 1) : at;
}
