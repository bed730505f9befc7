/**
 * The copy of a document on this device (IndexedDB), so that what was typed offline survives
 * closing the tab.
 *
 * It says only what is true: `kept` means that the database has committed everything so far.
 * That is why it is ours and not `y-indexeddb`, which starts a write, drops its error and never
 * tells that it ended. Rows are Yjs updates, v1; old rows are folded into one when the note is
 * opened, in one database transaction, so that a second tab never reads a half.
 */
import * as Y from 'yjs';
import { openDeviceStorage, settled, UPDATES } from './deviceStorage';

/** How far the device has got with keeping what was typed. */
export type DeviceState =
  /** Committed. */
  | 'kept'
  /** Being written. */
  | 'keeping'
  /** The last write failed, most likely for lack of room; tried again with the next change. */
  | 'failed'
  /** The browser gives no storage to this page. */
  | 'blocked';

/** More rows than this are folded into one when the note is opened. */
const ROWS_MAX = 64;

/** A document's rows on this device. */
export class DeviceCopy {
  readonly #database: IDBDatabase;
  readonly #document: Y.Doc;
  readonly #onState: (state: DeviceState) => void;
  #pending = 0;
  #missed = false;

  private constructor(
    database: IDBDatabase,
    document: Y.Doc,
    onState: (state: DeviceState) => void,
  ) {
    this.#database = database;
    this.#document = document;
    this.#onState = onState;
  }

  /**
   * Applies what the device has to `document` and keeps every later change of it.
   *
   * @returns the copy, or `null` when the browser gives no storage.
   */
  static async attach(
    id: string,
    document: Y.Doc,
    onState: (state: DeviceState) => void,
  ): Promise<DeviceCopy | null> {
    try {
      const copy = new DeviceCopy(await openDeviceStorage(id), document, onState);
      await copy.#load();
      document.on('update', copy.#keep);
      onState('kept');
      return copy;
    } catch {
      onState('blocked');
      return null;
    }
  }

  /** Stops keeping changes. Writes that have begun are finished by the browser. */
  dispose(): void {
    this.#document.off('update', this.#keep);
    this.#database.close();
  }

  async #load(): Promise<void> {
    const rows = this.#database.transaction(UPDATES, 'readwrite').objectStore(UPDATES);
    const [updates, keys] = await Promise.all([
      settled<Uint8Array[]>(rows.getAll()),
      settled(rows.getAllKeys()),
    ]);
    this.#document.transact(() => {
      for (const update of updates) Y.applyUpdate(this.#document, update, this);
    }, this);
    const last = keys.at(-1);
    if (last !== undefined && keys.length > ROWS_MAX) this.#fold(last);
  }

  /** Replaces all rows up to `last`, which are in the document by now, by one. */
  #fold(last: IDBValidKey): void {
    const rows = this.#database.transaction(UPDATES, 'readwrite').objectStore(UPDATES);
    rows.delete(IDBKeyRange.upperBound(last));
    rows.add(Y.encodeStateAsUpdate(this.#document));
  }

  readonly #keep = (update: Uint8Array): void => {
    // After a failed write the next row must carry everything, or there would be a hole.
    const row = this.#missed ? Y.encodeStateAsUpdate(this.#document) : update;
    this.#missed = false;
    this.#pending += 1;
    this.#onState('keeping');
    this.#write(row, (kept) => this.#ended(kept));
  };

  #write(row: Uint8Array, tell: (kept: boolean) => void): void {
    let isTold = false;
    // A write that throws may have its transaction end besides: only the first news counts.
    const end = (kept: boolean) => {
      if (!isTold) tell(kept);
      isTold = true;
    };
    try {
      const transaction = this.#database.transaction(UPDATES, 'readwrite');
      transaction.oncomplete = () => end(true);
      transaction.onabort = () => end(false);
      transaction.objectStore(UPDATES).add(row);
    } catch {
      // The browser has closed the database, for example because site data was cleared.
      end(false);
    }
  }

  #ended(kept: boolean): void {
    this.#pending -= 1;
    if (!kept) this.#missed = true;
    if (this.#missed) this.#onState('failed');
    else if (this.#pending === 0) this.#onState('kept');
  }
}
