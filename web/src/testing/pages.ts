/** Several people's editors, and a network between them that delays and reorders. */
import * as Y from 'yjs';
import { writerOn, type Writer } from './editors';

/** Pages on one note. What one writes waits until the test delivers it. */
export class Pages {
  readonly writers: readonly Writer[];
  readonly #waiting: Uint8Array[][];
  /** How many updates the pages made. */
  written = 0;

  constructor(count: number, start: Y.Doc) {
    this.#waiting = Array.from({ length: count }, () => []);
    this.writers = this.#waiting.map((_queue, index) => {
      const document = new Y.Doc();
      document.clientID = index + 1;
      Y.applyUpdate(document, Y.encodeStateAsUpdate(start));
      document.on('update', (update: Uint8Array, origin: unknown) => {
        if (origin !== this) this.#send(index, update);
      });
      return writerOn(document);
    });
  }

  get isQuiet(): boolean {
    return this.#waiting.every((queue) => queue.length === 0);
  }

  /** Delivers one waiting update, which need not be the oldest. */
  deliver(random: (below: number) => number): void {
    const busy = this.#waiting.flatMap((queue, index) => (queue.length > 0 ? [index] : []));
    const to = busy[random(busy.length)] ?? 0;
    const queue = this.#waiting[to] ?? [];
    const [update] = queue.splice(random(queue.length), 1);
    const document = this.writers[to]?.document;
    if (update !== undefined && document !== undefined) Y.applyUpdate(document, update, this);
  }

  deliverAll(random: (below: number) => number): void {
    while (!this.isQuiet) this.deliver(random);
  }

  #send(from: number, update: Uint8Array): void {
    this.written += 1;
    this.#waiting.forEach((queue, to) => {
      if (to !== from) queue.push(update);
    });
  }
}
