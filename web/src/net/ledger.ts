/**
 * Knows whether the server has stored everything that was written here.
 *
 * The server answers every difference and every update of ours, in order, with exactly one
 * status. So the ledger is a queue: what has been sent on this socket and not been answered.
 * The provider's own counter is not enough: it is set to 1 at each reconnect, whatever is on the
 * wire, and would reach 0 before the last change is stored.
 *
 * A new socket starts with an empty page: all is stored only when the difference that the server
 * asked for on this socket has been answered with "stored".
 */
import type { Frame } from '../protocol/frames';

type Sent = 'difference' | 'update';

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

/** The queue of unanswered frames of one document on one socket. */
export class Ledger {
  #unanswered: Sent[] = [];
  #agreed = false;
  #refused = false;

  /** A new socket: what was on the old one will be part of the next difference. */
  reset(): void {
    this.#unanswered = [];
    this.#agreed = false;
    this.#refused = false;
  }

  /** Notes a frame that has really been put on the socket. */
  sent(frame: Frame): void {
    if (frame.kind !== 'difference' && frame.kind !== 'update') return;
    this.#unanswered.push(frame.kind);
  }

  /** Notes the server's next answer. */
  answered(stored: boolean): void {
    const sent = this.#unanswered.shift();
    if (!stored) {
      this.#refused = true;
      this.#agreed = false;
      return;
    }
    // Only a whole difference makes good for an update that was refused before it.
    if (sent === 'difference') {
      this.#agreed = true;
      this.#refused = false;
    }
  }

  /** The answer to the question of this file. */
  get state(): LedgerState {
    if (this.#refused) return 'refused';
    if (this.#unanswered.length > 0) return 'waiting';
    return this.#agreed ? 'stored' : 'unknown';
  }
}
