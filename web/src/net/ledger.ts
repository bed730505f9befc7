/**
 * Knows whether the server has stored everything that was written here.
 *
 * The server owes one "stored" for our step 1, given when the difference that it asked for in
 * return is stored, and one for every update after it; a difference that it asks for of its own
 * accord earns nothing itself, but settles what was owed (`docs/protocol.md`, Sync). So the ledger
 * counts what is owed on this socket. The provider's own counter is not enough: it counts what is
 * typed without a socket, and is set to 1 at each step 1, whatever answers are still on the wire.
 *
 * "Not stored" pays nothing: what was turned down is owed until a later difference settles it.
 */
import type { Frame } from '../protocol/frames';

/** Where our text is, seen from the server's answers. */
export type LedgerState =
  /** Nothing is known yet on this socket. */
  | 'unknown'
  /** Something is on its way. */
  | 'waiting'
  /** The server said that it could not store; a later difference has not been stored yet. */
  | 'refused'
  /** Everything written here is stored. */
  | 'stored';

/** What the server owes us for one document on one socket. */
export class Ledger {
  #owed = 0;
  #unanswered = 0;
  #begun = false;
  #asked = false;
  #agreed = false;
  #refused = false;

  /** A new socket: what was on the old one will be part of the next difference. */
  reset(): void {
    this.#owed = 0;
    this.#unanswered = 0;
    this.#begun = false;
    this.#asked = false;
    this.#agreed = false;
    this.#refused = false;
  }

  /** Notes a frame that has really been put on the socket. */
  sent(frame: Frame): void {
    switch (frame.kind) {
      case 'question':
        // Both sides begin to count anew.
        this.#owed = 1;
        this.#unanswered = 1;
        this.#asked = true;
        this.#agreed = false;
        break;
      case 'update':
        this.#owed += 1;
        this.#unanswered += 1;
        this.#begun = true;
        break;
      case 'difference':
        this.#begun = true;
        break;
      default:
    }
  }

  /** Notes the server's next answer. */
  answered(stored: boolean): void {
    this.#unanswered = Math.max(0, this.#unanswered - 1);
    if (!stored) {
      this.#refused = true;
      return;
    }
    this.#owed = Math.max(0, this.#owed - 1);
    if (this.#owed > 0 || !this.#asked) return;
    this.#agreed = true;
    this.#refused = false;
  }

  /**
   * Whether no answer is on the wire, so that a further step 1 may be sent: an answer to something
   * older would be taken for the answer to that.
   */
  get isQuiet(): boolean {
    return this.#unanswered === 0;
  }

  /** The answer to the question of this file. */
  get state(): LedgerState {
    if (this.#refused) return 'refused';
    if (this.#agreed) return this.#owed > 0 ? 'waiting' : 'stored';
    return this.#begun ? 'waiting' : 'unknown';
  }
}
