/**
 * Keeps the open note's line in the list of recent notes right, off the typing path: "unsaved"
 * turns on and off with every key, the list is written once things have been quiet for a moment.
 */
import { remember } from './recent.svelte';

const QUIET_MS = 700;

/** The memory of one open note. */
export class NoteMemory {
  readonly #id: string;
  readonly #openedAt = Date.now();
  readonly #readTitle: () => string;
  #unsaved: boolean | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `readTitle` is asked when the line is written. */
  constructor(id: string, readTitle: () => string) {
    this.#id = id;
    this.#readTitle = readTitle;
    addEventListener('pagehide', this.#write);
  }

  /** Notes that title, text or `unsaved` may have changed. */
  note(unsaved: boolean): void {
    const isFirst = this.#unsaved === null;
    this.#unsaved = unsaved;
    if (isFirst) return this.#write();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#write, QUIET_MS);
  }

  /** Writes what has not been written. */
  dispose(): void {
    removeEventListener('pagehide', this.#write);
    if (this.#timer !== null) this.#write();
  }

  readonly #write = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#unsaved === null) return;
    const title = this.#readTitle();
    remember({ id: this.#id, title, at: this.#openedAt, unsaved: this.#unsaved });
  };
}
