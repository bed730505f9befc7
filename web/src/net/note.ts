/**
 * A note that is open on this page: the two replicas, the device's copy and the connection, put
 * together in the one order that is right, and taken apart again.
 *
 * Order: the device's copy first, so that cached text is there at once and is part of the first
 * sync; then the server. The editor may be bound when `content` is `ready`: the device had text,
 * or the server has answered, or it cannot be reached, or the note was made here just now.
 */
import type { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { DeviceCopy, type DeviceState } from './deviceCopy';
import { deleteDeviceStorage } from './deviceStorage';
import { Gate, type Guard } from './gate';
import { Link } from './link';
import { saveState, unknownLink, type LinkState, type SaveState } from './saveState';
import { tokenOf } from './tokens';

/** What may be done with the note's text now. */
export type Content =
  | { readonly kind: 'opening' }
  | { readonly kind: 'ready' }
  /** Holds what the editor does not know: to be shown, never to be bound. */
  | { readonly kind: 'foreign'; readonly names: readonly string[] }
  /** The editor failed: to be shown. `kept`: all that was typed before is in it. */
  | { readonly kind: 'fault'; readonly kept: boolean };

/** All that the page shows about the note besides its text. */
export interface NoteState {
  readonly content: Content;
  readonly save: SaveState;
  readonly device: DeviceState;
  /** Nothing may be written: only reading is allowed, or not even that. */
  readonly readOnly: boolean;
  /** The server may lack something that was written on this device. */
  readonly unsent: boolean;
}

/** What a note needs to be opened. */
export interface NoteParts {
  readonly id: string;
  /** It was made on this page just now. */
  readonly isNew: boolean;
  /** The server may lack something that this device has. */
  readonly unsent: boolean;
  readonly guard: Guard;
  readonly onState: (state: NoteState) => void;
  /**
   * The note was started anew under its name. What was here of it before is gone from this device
   * (`kept`: and kept aside on the server); the note is to be opened again.
   */
  readonly onRetired: (kept: boolean) => void;
}

/** An open note. */
export class Note {
  readonly #gate: Gate;
  readonly #onState: (state: NoteState) => void;
  #copy: DeviceCopy | null = null;
  #link: Link | null = null;
  #linkState: LinkState;
  #device: DeviceState = 'kept';
  #content: Content = { kind: 'opening' };
  #disposed = false;
  #isCarried = true;
  readonly #listeners = new Set<(payload: string) => void>();

  private constructor(parts: NoteParts) {
    this.#onState = parts.onState;
    this.#linkState = unknownLink(parts.unsent);
    this.#gate = new Gate(
      parts.guard,
      (names) => this.#judged(names),
      () => this.fail(true),
    );
  }

  /** Opens a note, with the token that this tab has for it. */
  static async open(parts: NoteParts): Promise<Note> {
    const { id, isNew } = parts;
    const note = new Note(parts);
    note.#copy = await DeviceCopy.attach(id, note.#gate.outer, (device) => {
      note.#device = device;
      note.#tell();
    });
    if (isNew || note.#gate.outerText.length > 0) note.#gate.open();
    note.#link = new Link({
      url: socketUrl(location),
      name: id,
      document: note.#gate.outer,
      token: () => tokenOf(id) ?? '',
      // Of nothing, nothing can be unsent.
      unsent: parts.unsent && note.#gate.outer.store.clients.size > 0,
      onState: (state) => note.#linked(state),
      onSynced: () => note.#gate.open(),
      onStateless: (payload) => note.#listeners.forEach((listener) => listener(payload)),
      onRetired: (kept) => void note.#retired(parts, kept),
    });
    return note;
  }

  /** The replica that an editor may be bound to. */
  get document(): Y.Doc {
    return this.#gate.inner;
  }

  /** The replica as the world has it, for a view that never writes; no editor may be bound to it. */
  get outer(): Y.Doc {
    return this.#gate.outer;
  }

  /** The text in it. */
  get outerText(): Y.XmlFragment {
    return this.#gate.outerText;
  }

  /** Who is here and where. */
  get awareness(): Awareness {
    if (this.#link === null) throw new Error('an open note has a link');
    return this.#link.awareness;
  }

  /** The editor failed and must not be bound again; `kept`: all that was typed is in the document. */
  fail(kept: boolean): void {
    if (this.#content.kind === 'fault') return;
    this.#gate.break();
    this.#content = { kind: 'fault', kept: kept && this.#isCarried };
    this.#tell();
  }

  /** Keeps what others write away from the editor until `release`. */
  readonly hold = (): void => this.#gate.hold();

  /** Lets it in. */
  readonly release = (): void => this.#gate.release();

  /** Calls the listener each time before what others wrote reaches the editor; returns how to stop. */
  readonly onComing = (listener: () => void): (() => void) => this.#gate.onComing(listener);

  /** Notes whether the editor's replica has what is on the screen. */
  carried(isCarried: boolean): void {
    this.#isCarried = isCarried;
    this.#tell();
  }

  /** Hears the server's messages that are neither text nor presence; returns how to stop. */
  onStateless(listener: (payload: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tries to reach the server now. */
  reconnect(): void {
    this.#link?.reconnect();
  }

  /** Opens it anew, with the token that this tab has now. */
  reopen(): void {
    this.#link?.reopen();
  }

  /** Gives back everything. */
  dispose(): void {
    this.#disposed = true;
    this.#link?.dispose();
    this.#copy?.dispose();
    this.#gate.dispose();
  }

  #linked(state: LinkState): void {
    this.#linkState = state;
    // Without a server, an empty page to write on is better than none; texts merge later.
    const isUnreachable = state.socket === 'down' && state.denial === null;
    if (isUnreachable && this.#content.kind === 'opening') this.#gate.open();
    this.#tell();
  }

  async #retired({ id, onRetired }: NoteParts, kept: boolean): Promise<void> {
    const copy = this.#copy;
    copy?.dispose();
    try {
      if (copy !== null) await deleteDeviceStorage(id);
    } catch {
      // Opened again, it would bring the same text once more.
      return this.#linked({ ...this.#linkState, denial: 'lineage-retired' });
    }
    if (!this.#disposed) onRetired(kept);
  }

  #judged(names: readonly string[]): void {
    if (this.#content.kind === 'fault') return;
    this.#content = names.length === 0 ? { kind: 'ready' } : { kind: 'foreign', names };
    this.#tell();
  }

  #save(): SaveState {
    // No update carries the last letters, so nothing that the server stores makes this "saved".
    if (this.#content.kind === 'fault') {
      if (!this.#content.kept) return { kind: 'notSaved', reason: null, kept: false };
    } else if (!this.#isCarried) return { kind: 'stuck' };
    return saveState(this.#linkState, this.#device);
  }

  #tell(): void {
    if (this.#disposed) return;
    this.#onState({
      content: this.#content,
      save: this.#save(),
      device: this.#device,
      readOnly: this.#linkState.readOnly || this.#linkState.denial !== null,
      unsent: this.#linkState.unsent,
    });
  }
}

function socketUrl(page: Location): string {
  const scheme = page.protocol === 'https:' ? 'wss:' : 'ws:';
  return `${scheme}//${page.host}/collab`;
}
