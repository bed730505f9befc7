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
  #latest: { readonly title: string; readonly unsaved: boolean } | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(id: string) {
    this.#id = id;
    addEventListener('pagehide', this.#write);
  }

  /** Notes what is true now. */
  note(title: string, unsaved: boolean): void {
    const isFirst = this.#latest === null;
    this.#latest = { title: title.trim(), unsaved };
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
    if (this.#latest !== null) remember({ id: this.#id, at: this.#openedAt, ...this.#latest });
  };
}
