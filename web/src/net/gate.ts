/**
 * Two replicas of one document, and a gate between them.
 *
 * An editor that is bound to a document may delete what it cannot show, merely by showing the rest.
 * So the editor never sees the replica that talks to the world:
 *
 *     server, device  <->  outer  --(checked)-->  inner  <->  editor
 *                          outer  <--(always)---  inner
 *
 * A change that arrives at `outer` goes on to `inner` only if everything it touched can be shown;
 * otherwise the gate shuts, `inner` stays as it is, and `outer` goes on collecting. When the
 * foreign content is gone, `inner` gets what it missed and the gate opens.
 *
 * An error while the editor takes or shows a change shuts the gate for good: `outer` has everything,
 * and the page shows that.
 *
 * Client ids: all edits are made in `inner`. `outer` makes none of its own and carries the same
 * client id, because the provider announces the id of the document it is given, and the server
 * takes the first announced id as this connection's own. Two replicas may share an id as long as
 * only one of them writes: no two items can get the same clock.
 */
import * as Y from 'yjs';

/** The name of the shared text; Tiptap's own default, so that its stock editors see the same text. */
export const TEXT_NAME = 'default';

/** Looks at the document for what the editor cannot show; the names found, none when it can show all. */
export interface Guard {
  /** Looks at everything. */
  all(text: Y.XmlFragment): readonly string[];
  /** Looks at what a transaction touched. */
  touched(text: Y.XmlFragment, transaction: Y.Transaction): readonly string[];
}

/** The two replicas. Shut until `open` is called for the first time. */
export class Gate {
  /** For the provider and the device's copy. */
  readonly outer = new Y.Doc();
  /** For the editor. */
  readonly inner = new Y.Doc();
  readonly #guard: Guard;
  readonly #onForeign: (names: readonly string[]) => void;
  readonly #onFault: (error: unknown) => void;
  readonly #comings = new Set<() => void>();
  #broken = false;
  #started = false;
  #isOpen = false;
  #isHeld = false;
  #hasMissed = false;

  /**
   * @param onForeign is told when the gate shuts (with the names of what is not known), when that
   * list changes, and when the gate opens again (with an empty list).
   * @param onFault is told of an error that the editor threw at a change from outside.
   */
  constructor(
    guard: Guard,
    onForeign: (names: readonly string[]) => void,
    onFault: (error: unknown) => void,
  ) {
    this.#guard = guard;
    this.#onForeign = onForeign;
    this.#onFault = onFault;
    this.outer.clientID = this.inner.clientID;
    this.outer.on('update', this.#inward);
    this.inner.on('update', this.#outward);
  }

  /** The shared text as the world has it, also while the gate is shut. */
  get outerText(): Y.XmlFragment {
    return this.outer.getXmlFragment(TEXT_NAME);
  }

  /** Whether changes from outside reach the editor. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Looks at the whole document and opens the gate if everything in it is known. */
  open(): void {
    this.#started = true;
    if (this.#broken) return;
    const names = this.#guard.all(this.outerText);
    const wasOpen = this.#isOpen;
    this.#isOpen = names.length === 0;
    if (this.#isOpen && !wasOpen) this.#catchUp();
    if (!this.#broken) this.#onForeign(names);
  }

  /** Shuts it for good. What is still typed into `inner` reaches the world all the same. */
  break(): void {
    this.#broken = true;
    this.#isOpen = false;
  }

  /** Keeps the editor's replica as it is; what is typed there goes out all the same. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Lets in what came in the meantime, if it is known. */
  release(): void {
    this.#isHeld = false;
    if (!this.#hasMissed) return;
    this.#hasMissed = false;
    this.#isOpen = false;
    this.open();
  }

  /** Calls the listener each time before a change from outside reaches `inner`; returns how to stop. */
  onComing(listener: () => void): () => void {
    this.#comings.add(listener);
    return () => this.#comings.delete(listener);
  }

  /** Lets go of both replicas. */
  dispose(): void {
    this.outer.destroy();
    this.inner.destroy();
  }

  readonly #inward = (
    update: Uint8Array,
    origin: unknown,
    _document: Y.Doc,
    transaction: Y.Transaction,
  ): void => {
    if (origin === this) return;
    if (!this.#isOpen) {
      if (this.#started) this.open();
      return;
    }
    if (this.#isHeld) {
      this.#hasMissed = true;
      return;
    }
    const names = this.#guard.touched(this.outerText, transaction);
    if (names.length === 0) {
      this.#admit(update);
      return;
    }
    this.#isOpen = false;
    this.#onForeign(names);
  };

  #catchUp(): void {
    this.#admit(Y.encodeStateAsUpdate(this.outer, Y.encodeStateVector(this.inner)));
  }

  /** Yjs finishes applying an update before it passes on what an observer threw: `inner` is whole. */
  #admit(update: Uint8Array): void {
    try {
      for (const listener of this.#comings) listener();
      Y.applyUpdate(this.inner, update, this);
    } catch (error) {
      this.break();
      this.#onFault(error);
    }
  }

  readonly #outward = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return;
    this.outer.transact((transaction) => {
      Y.applyUpdate(this.outer, update, this);
      // Yjs takes foreign items under our own client id for a collision and would give `outer` a
      // new one. These items are not foreign: they were made here.
      transaction.local = true;
    }, this);
  };
}
