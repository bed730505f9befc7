/**
 * One undoing or redoing of one change, inside one transaction.
 *
 * What the change deleted comes back; then this decides what of the change itself goes. A letter
 * that only changed its place goes when it is really back at its old place, and stays otherwise.
 * What others wrote into the change is carried along, and what they deleted of it stays deleted.
 */
import * as Y from 'yjs';
import { carriesIn, put, type Carry } from './undoCarry';
import { idsFrom, idsOf, keyOf, latestOf, livingAt, type Id, type IdSet } from './undoIds';
import type { Move, Moves } from './undoMoves';
import { restore } from './undoRestore';
import { deleteEmptyLine, deleteIds, purge } from './undoPurge';

/** What a change deleted and inserted. */
export interface Change {
  readonly deletions: IdSet;
  readonly insertions: IdSet;
}

/** What was noted about a change when it was made. */
export interface Note {
  readonly moves: Moves;
  /** For each client, how many of its ids there were then. */
  readonly known: ReadonlyMap<number, number>;
}

/** What came of it. */
export interface Outcome {
  readonly hasChanged: boolean;
  /** How the reversal moved what the change had moved. */
  readonly moves: Moves;
  /** Others' words: never part of what this person can undo. */
  readonly foreign: ReadonlySet<string>;
}

/** A move whose letter or block was looked up before the undoing. */
interface Traced extends Move {
  readonly wasAlive: boolean;
}

export class Reversal {
  readonly #transaction: Y.Transaction;
  readonly #document: Y.Doc;
  readonly #root: Y.XmlFragment;
  /** What the change inserted and is still there. */
  readonly #doomed = new Set<string>();
  readonly #ids: Id[] = [];
  readonly #letters: readonly Traced[];
  readonly #blocks: readonly Traced[];
  readonly #carries: readonly Carry[];
  readonly #change: Change;
  readonly #clock: number;

  /** Looks at everything before anything is changed. */
  constructor(transaction: Y.Transaction, root: Y.XmlFragment, change: Change, note: Note) {
    this.#transaction = transaction;
    this.#document = transaction.doc;
    this.#root = root;
    this.#change = change;
    this.#clock = this.#ownClock();
    for (const id of idsOf(change.insertions)) this.#doom(latestOf(this.#document, id));
    this.#letters = this.#trace(note.moves.letters);
    this.#blocks = this.#trace(note.moves.blocks);
    this.#carries = carriesIn(
      {
        document: this.#document,
        doomed: this.#doomed,
        origins: new Map(
          [...this.#letters, ...this.#blocks].map((one) => [keyOf(one.to), one.from]),
        ),
        returning: new Set(this.#letters.map(({ from }) => keyOf(from))),
        isYounger: ({ client, clock }) => clock >= (note.known.get(client) ?? 0),
      },
      root,
    );
  }

  /** Does it. */
  run(): Outcome {
    const { deletions, insertions } = this.#change;
    restore(this.#transaction, deletions, insertions, this.#doomed);
    this.#forgetMarkers();
    const restored = new Set(this.#newIds(this.#clock).map(keyOf));
    const isBack = ({ from }: Move): boolean => livingAt(this.#document, from) !== null;
    const back = this.#letters.filter(isBack);
    const kept = new Set(this.#letters.filter((one) => !isBack(one)).map(({ to }) => keyOf(to)));
    const foreign = this.#carry();
    const gone = this.#ids.filter((id) => !kept.has(keyOf(id)) && !this.#isOfElement(id));
    deleteIds(this.#transaction, gone);
    const takenAway = back
      .filter(({ wasAlive }) => !wasAlive)
      .map(({ from }) => this.#latest(from));
    deleteIds(
      this.#transaction,
      takenAway.filter((id) => restored.has(keyOf(id))),
    );
    this.#deleteReplacedLines(restored);
    purge(this.#transaction, this.#root, this.#doomed);
    this.#forgetMarkers();
    return {
      hasChanged: this.#transaction.changed.size > 0,
      moves: { letters: this.#reversed(back), blocks: this.#reversed(this.#blocks) },
      foreign,
    };
  }

  #doom(id: Id): void {
    if (livingAt(this.#document, id) === null) return;
    this.#doomed.add(keyOf(id));
    this.#ids.push(id);
  }

  /** Of moves that follow each other, the first and the last place. */
  #trace(moves: readonly Move[]): Traced[] {
    const before = new Map(moves.map(({ from, to }) => [keyOf(to), from]));
    const passed = new Set(moves.map(({ from }) => keyOf(from)));
    return moves
      .filter(({ to }) => !passed.has(keyOf(to)))
      .map(({ from, to }) => {
        let first = from;
        for (let id: Id | undefined = from; id !== undefined; id = before.get(keyOf(id)))
          first = id;
        const latest = this.#latest(to);
        return { from: first, to: latest, wasAlive: livingAt(this.#document, latest) !== null };
      });
  }

  /** Elements go in `purge`; attributes go with their element, or here if it was there before. */
  #isOfElement(id: Id): boolean {
    const item = livingAt(this.#document, id);
    if (item === null || item.content instanceof Y.ContentType) return true;
    const owner = (item.parent as Y.XmlFragment)._item;
    return item.parentSub !== null && owner !== null && this.#doomed.has(keyOf(owner.id));
  }

  #carry(): ReadonlySet<string> {
    const start = this.#ownClock();
    const left = this.#carries.flatMap((carry) => put(this.#document, carry));
    deleteIds(this.#transaction, left);
    return new Set([...left, ...this.#newIds(start)].map(keyOf));
  }

  /** Somebody made something else of the line meanwhile, so it does not come back as it was. */
  #deleteReplacedLines(restored: ReadonlySet<string>): void {
    for (const { from, wasAlive } of this.#blocks) {
      const line = livingAt(this.#document, from);
      if (!wasAlive && line !== null) deleteEmptyLine(this.#transaction, line, restored);
    }
  }

  #reversed(moves: readonly Traced[]): Move[] {
    return moves
      .filter(({ wasAlive }) => wasAlive)
      .map(({ from, to }) => ({ from: to, to: this.#latest(from) }));
  }

  #latest(id: Id): Id {
    return latestOf(this.#document, id);
  }

  #newIds(since: number): Id[] {
    const { clientID: client } = this.#document;
    return idsFrom({ client, clock: since }, this.#ownClock() - since);
  }

  #ownClock(): number {
    return Y.getState(this.#document.store, this.#document.clientID);
  }

  /** Yjs remembers places in lists, and does not know that items were deleted past it. */
  #forgetMarkers(): void {
    for (const type of this.#transaction.changed.keys()) {
      if (type._searchMarker !== null) type._searchMarker.length = 0;
    }
  }
}
