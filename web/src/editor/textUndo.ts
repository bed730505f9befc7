/**
 * A person's own undo and redo, which leave alone what others wrote.
 *
 * Yjs's own undo manager deletes a heading together with all that came into it after it was made.
 * This one keeps its stacks and does the steps itself: see `undoReversal`. It is one transaction, so
 * nobody ever sees, or stores, a text between the two.
 */
import { ySyncPluginKey } from '@tiptap/y-tiptap';
import * as Y from 'yjs';
import { without } from './undoIds';
import { movesOf, type Moves } from './undoMoves';
import { loadedReversal, loadReversal } from './undoLoading';
import type { Note, Outcome, Reversal } from './undoReversal';

type StackItem = Y.UndoManager['undoStack'][number];
type Kind = 'undo' | 'redo';

/** The key of a change's note in its stack item. */
const NOTE = Symbol('note');
const NO_MOVES: Moves = { letters: [], blocks: [] };

/** The undo manager of one editor. */
export class TextUndo extends Y.UndoManager {
  readonly #text: Y.XmlFragment;
  readonly #onMissing: () => void;
  /** What the transaction that ends now has put on a stack. */
  #captured: StackItem | null = null;
  #outcome: Outcome | null = null;

  /**
   * For the edits that the binding makes in `text`.
   * @param onMissing is told when a step cannot be done because the page could not load what does it
   */
  constructor(text: Y.XmlFragment, onMissing: () => void) {
    super(text, {
      trackedOrigins: new Set([ySyncPluginKey]),
      captureTransaction: (transaction) => transaction.meta.get('addToHistory') !== false,
    });
    this.#text = text;
    this.#onMissing = onMissing;
    // Fails without a word: the first step tries again.
    loadReversal().catch(() => undefined);
    this.on('stack-item-added', ({ stackItem }) => (this.#captured = stackItem));
    this.on('stack-item-updated', ({ stackItem }) => (this.#captured = stackItem));
    this.#noteEachCapture();
  }

  override undo(): StackItem | null {
    return this.#reverse('undo');
  }

  override redo(): StackItem | null {
    return this.#reverse('redo');
  }

  #noteEachCapture(): void {
    const capture = this.afterTransactionHandler;
    this.doc.off('afterTransaction', capture);
    this.afterTransactionHandler = (transaction) => {
      this.#captured = null;
      capture(transaction);
      if (this.#captured !== null) this.#note(this.#captured, transaction);
    };
    this.doc.on('afterTransaction', this.afterTransactionHandler);
  }

  #note(item: StackItem, transaction: Y.Transaction): void {
    if (this.#outcome !== null) return this.#noteReversal(item, transaction, this.#outcome);
    const moves = movesOf(transaction, this.#text);
    const earlier = noteOf(item);
    item.meta.set(NOTE, {
      moves: {
        letters: [...(earlier?.moves.letters ?? []), ...moves.letters],
        blocks: [...(earlier?.moves.blocks ?? []), ...moves.blocks],
      },
      known: earlier?.known ?? transaction.afterState,
    } satisfies Note);
  }

  #noteReversal(item: StackItem, transaction: Y.Transaction, outcome: Outcome): void {
    const { clientID } = this.doc;
    item.insertions = without(item.insertions, outcome.foreign);
    item.deletions = without(item.deletions, outcome.foreign);
    // Of our own new letters, those that are not in the item were carried: they count as others'.
    const known = new Map(transaction.afterState);
    known.set(clientID, transaction.beforeState.get(clientID) ?? 0);
    item.meta.set(NOTE, { moves: outcome.moves, known } satisfies Note);
  }

  #reverse(kind: Kind): StackItem | null {
    const reversal = loadedReversal();
    if (reversal !== null) return this.#reverseBy(reversal, kind);
    loadReversal().then(() => void this.#reverse(kind), this.#onMissing);
    return null;
  }

  #reverseBy(Doing: typeof Reversal, kind: Kind): StackItem | null {
    let reversed: StackItem | null = null;
    try {
      this.doc.transact((transaction) => {
        while (reversed === null && this.#stack(kind).length > 0) {
          reversed = this.#reverseLast(Doing, kind, transaction);
        }
        // Asked by Yjs when it captures the transaction, after its end.
        this.undoing = kind === 'undo';
        this.redoing = kind === 'redo';
      }, this);
    } finally {
      this.undoing = false;
      this.redoing = false;
      this.#outcome = null;
    }
    return reversed;
  }

  /** Returns the item, or `null` when there was nothing left of it to reverse. */
  #reverseLast(Doing: typeof Reversal, kind: Kind, transaction: Y.Transaction): StackItem | null {
    const item = this.#stack(kind).pop();
    if (item === undefined) return null;
    const note = noteOf(item) ?? { moves: NO_MOVES, known: new Map<number, number>() };
    this.#outcome = new Doing(transaction, this.#text, item, note).run();
    if (!this.#outcome.hasChanged) return null;
    forgetPositions(item);
    this.#tell(kind, item, transaction);
    return item;
  }

  #tell(kind: Kind, stackItem: StackItem, { changedParentTypes }: Y.Transaction): void {
    const event = { stackItem, type: kind, changedParentTypes, origin: this };
    this.emit('stack-item-popped', [event, this]);
  }

  #stack(kind: Kind): StackItem[] {
    return kind === 'undo' ? this.undoStack : this.redoStack;
  }
}

function noteOf(item: StackItem): Note | undefined {
  return item.meta.get(NOTE) as Note | undefined;
}

/**
 * The binding keeps in the item where the caret was: as a place in the shared text, and as a number
 * in the text of then. The number is used for guesses, and may be out of the text of now.
 */
function forgetPositions({ meta }: StackItem): void {
  for (const [key, value] of meta as Map<unknown, unknown>) {
    if (typeof value !== 'object' || value === null || !('absAnchor' in value)) continue;
    meta.set(key, { ...value, absAnchor: null, absHead: null });
  }
}
