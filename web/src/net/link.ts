/**
 * One document's connection to the server: the stock provider, and the ledger that knows what the
 * server has stored.
 *
 * It reconnects by itself for ever. What is typed while the socket is down is not queued: the
 * difference at the next sync carries it, and the ledger counts only what is really on the wire.
 *
 * A provider whose document was closed by the server does not open it again on the same socket. So
 * when we are denied, the socket is let go and a new one asks from the start, at growing intervals.
 */
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import type { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { readFrame, type Frame } from '../protocol/frames';
import { readDenial } from './denial';
import { readLimit } from './fullness';
import { Ledger } from './ledger';
import { unknownLink, type LinkState } from './saveState';

const RETRY_MIN_MS = 300;
const RETRY_MAX_MS = 10_000;
/** After the server said that it could not store, or closed the document: when to ask again. */
const REFUSED_RETRY_MS = 5000;
/** After we were denied: rights seldom come back by themselves, and nobody should hammer for them. */
const DENIED_RETRY_MIN_MS = 5000;
const DENIED_RETRY_MAX_MS = 120_000;

/** How long a server may say nothing to a new connection before the reader is told. */
const ANSWER_PATIENCE_MS = 20_000;

/** In the server's sentence to whoever has an old copy: it keeps what we had. */
const KEPT_ASIDE = /kept as branch \S+$/;

/** The close code for a connection that went silent. */
const ABANDONED = 4408;
/** Protocol error, unwanted data, bad text, policy, too big, try again later. */
const CLOSED_FOR_CAUSE: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, 1013]);

/** The shared socket's sender, which drops what cannot be sent now and reports what was. */
class Socket extends HocuspocusProviderWebsocket {
  onSent: (frame: Frame) => void = () => undefined;

  override send(message: Uint8Array): void {
    if (this.webSocket?.readyState !== WebSocket.OPEN) return;
    super.send(message);
    this.onSent(readFrame(message));
  }

  /** Takes the socket for dead and goes the way of every closed one. */
  abandon(reason: string): void {
    this.emit('close', { event: { code: ABANDONED, reason } });
  }

  /** As `abandon`, and makes no new connection before `connect` is called. */
  stop(reason: string): void {
    this.disconnect();
    // Its closing handshake may take a second, and somebody may want to try again before that.
    this.abandon(reason);
  }
}

/** What a link needs. */
export interface LinkParts {
  readonly url: string;
  readonly name: string;
  readonly document: Y.Doc;
  /** Asked at each connection, and when the server wants a fresh one; empty for none. */
  readonly token: () => string;
  /** Whether the server may lack something of what `document` has. */
  readonly unsent: boolean;
  /** Hears every change. */
  readonly onState: (state: LinkState) => void;
  /** Called each time the server's text has arrived. */
  readonly onSynced: () => void;
  /** Hears the server's messages that are neither text nor presence. */
  readonly onStateless: (payload: string) => void;
  /**
   * What we have is of an earlier document of this name, and nothing of it is lost when it is thrown
   * away; `kept` says whether the server keeps it aside. The connection is over.
   */
  readonly onRetired: (kept: boolean) => void;
}

/** A document's connection. */
export class Link {
  readonly #socket: Socket;
  readonly #provider: HocuspocusProvider;
  readonly #ledger = new Ledger();
  readonly #onState: (state: LinkState) => void;
  readonly #document: Y.Doc;
  #state: LinkState;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #deniedDelayMs = DENIED_RETRY_MIN_MS;
  readonly #onRetired: (kept: boolean) => void;
  /** Our text is of an earlier document; the close that follows says what became of it. */
  #isRetired = false;

  /** Connects at once. */
  constructor(parts: LinkParts) {
    this.#onState = parts.onState;
    this.#onRetired = parts.onRetired;
    this.#document = parts.document;
    this.#state = unknownLink(parts.unsent);
    this.#socket = new Socket({
      url: parts.url,
      delay: RETRY_MIN_MS,
      minDelay: RETRY_MIN_MS,
      maxDelay: RETRY_MAX_MS,
    });
    this.#socket.onSent = (frame) => this.#sent(frame);
    this.#listenForSilence();
    this.#provider = new HocuspocusProvider({
      name: parts.name,
      document: parts.document,
      token: parts.token,
      websocketProvider: this.#socket,
      onOpen: () => this.#opened(),
      onDisconnect: ({ event }) => this.#disconnected(event),
      onMessage: ({ event }) => this.#received(readFrame(new Uint8Array(event.data))),
      onSynced: () => this.#synced(parts.onSynced),
      onStateless: ({ payload }) => parts.onStateless(payload),
      onAuthenticated: ({ scope }) => this.#authenticated(scope === 'readonly'),
      onAuthenticationFailed: ({ reason }) => this.#denied(reason),
    });
    this.#document.on('update', this.#changed);
    this.#provider.attach();
    window.addEventListener('online', this.reconnect);
    window.addEventListener('offline', this.#lost);
  }

  /** Who is here and where. */
  get awareness(): Awareness {
    const { awareness } = this.#provider;
    if (awareness === null) throw new Error('the provider was made with awareness');
    return awareness;
  }

  /** Tries now instead of waiting for the next attempt. */
  readonly reconnect = (): void => {
    void this.#socket.connect();
  };

  /** Opens the document anew, with the token as it is now. */
  reopen(): void {
    const isOpen = this.#socket.webSocket?.readyState === WebSocket.OPEN;
    if (isOpen) this.#socket.abandon('to be opened anew');
    else this.reconnect();
  }

  /** Leaves the document and closes the socket. */
  dispose(): void {
    this.#document.off('update', this.#changed);
    window.removeEventListener('online', this.reconnect);
    window.removeEventListener('offline', this.#lost);
    this.#cancelRetry();
    clearTimeout(this.#patience);
    this.#provider.destroy();
    this.#socket.destroy();
  }

  /** A socket without a network stays open for a long time; nobody should read "Saving…" so long. */
  readonly #lost = (): void => {
    this.#tell({ silent: false });
    this.#socket.abandon('the device is offline');
  };

  /** A server may accept a connection and never say a word: to the reader it is not there. */
  #listenForSilence(): void {
    const wait = () => {
      clearTimeout(this.#patience);
      this.#patience = setTimeout(() => this.#heardNothing(), ANSWER_PATIENCE_MS);
    };
    this.#socket.on('status', ({ status }: { status: string }) => {
      if (status === 'connecting') wait();
    });
    this.#socket.on('message', () => {
      clearTimeout(this.#patience);
      this.#tell({ silent: false });
    });
    this.#socket.on('disconnect', () => clearTimeout(this.#patience));
    wait();
  }

  #heardNothing(): void {
    this.#tell({ silent: true });
    this.#socket.abandon('the server does not answer');
  }

  readonly #changed = (_update: Uint8Array, origin: unknown): void => {
    if (origin !== this.#provider) this.#tell({ unsent: true });
  };

  #opened(): void {
    this.#cancelRetry();
    this.#ledger.reset();
    this.#isRetired = false;
    this.#tell({ socket: 'open', ledger: this.#ledger.state });
  }

  #authenticated(readOnly: boolean): void {
    const mayWriteAgain = !readOnly && this.#state.readOnly;
    this.#tell({ readOnly });
    // What was turned down meanwhile goes out with the next difference.
    if (mayWriteAgain && this.#ledger.state === 'refused') this.#syncAgain();
  }

  #synced(tell: () => void): void {
    this.#deniedDelayMs = DENIED_RETRY_MIN_MS;
    // A denial ends here and not with "authenticated", which the server also says when it finds
    // only then that the document has been deleted.
    this.#tell({ denial: null });
    // A reader's text is never stored, so the server's text is all there is to wait for.
    if (this.#state.readOnly) this.#tell({ refusal: null });
    tell();
  }

  #disconnected(event: { code: number; reason: string } | undefined): void {
    this.#cancelRetry();
    this.#ledger.reset();
    const refusal = reasonOfClose(event);
    // What is sent again at once would be refused again at once.
    this.#socket.setConfiguration({ delay: refusal === null ? RETRY_MIN_MS : REFUSED_RETRY_MS });
    this.#tell({
      socket: 'down',
      ledger: this.#ledger.state,
      refusal: refusal ?? this.#state.refusal,
    });
    if (!this.#socket.shouldConnect) this.#askAgainLater();
  }

  #askAgainLater(): void {
    this.#retryLater(this.reconnect, this.#deniedDelayMs);
    this.#deniedDelayMs = Math.min(this.#deniedDelayMs * 2, DENIED_RETRY_MAX_MS);
  }

  #sent(frame: Frame): void {
    this.#ledger.sent(frame);
    this.#tell({ ledger: this.#ledger.state });
  }

  #received(frame: Frame): void {
    if (frame.kind === 'close') return this.#closed(frame.reason);
    if (frame.kind !== 'status') return;
    this.#ledger.answered(frame.stored);
    const { state } = this.#ledger;
    // Only when it has stored everything has the server taken the note back.
    if (state === 'stored') {
      this.#tell({ ledger: state, refusal: null, unsent: false, bytesMax: null });
    } else if (frame.stored) this.#tell({ ledger: state });
    else this.#tell({ ledger: state, bytesMax: readLimit(frame.reason ?? '') });
    if (state === 'refused') this.#retryLater(this.#syncAgain, REFUSED_RETRY_MS);
  }

  readonly #syncAgain = (): void => {
    this.#cancelRetry();
    // A reader is turned down for good, until the server says that this has changed.
    if (this.#state.readOnly) return;
    if (this.#ledger.isQuiet) this.#provider.forceSync();
    else this.#retryLater(this.#syncAgain, RETRY_MIN_MS);
  };

  /** The server does not let us in: nothing that is written now would ever be stored. */
  #denied(reason: string): void {
    const denial = readDenial(reason);
    if (denial === null) {
      this.#tell({ readOnly: true });
      this.#closed(reason);
      return;
    }
    if (denial === 'lineage-retired') {
      this.#isRetired = true;
      return;
    }
    this.#tell({ denial, refusal: null });
    this.#socket.stop(reason);
  }

  /** Text that only we have is not given up before the server has it. */
  #retired(reason: string): void {
    this.#socket.stop(reason);
    const kept = KEPT_ASIDE.test(reason);
    if (kept || !this.#state.unsent) this.#onRetired(kept);
    else this.#tell({ denial: 'lineage-retired', refusal: null });
  }

  /** The server does not serve us this document now. A new socket asks again from the start. */
  #closed(reason: string): void {
    if (this.#isRetired) return this.#retired(reason);
    this.#tell({ refusal: reason });
    this.#retryLater(() => this.#socket.webSocket?.close(), REFUSED_RETRY_MS);
  }

  #retryLater(retry: () => void, delayMs: number): void {
    if (this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      retry();
    }, delayMs);
  }

  #cancelRetry(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  #tell(change: Partial<LinkState>): void {
    const next = { ...this.#state, ...change };
    // Awareness goes over the same socket all the time and changes nothing here.
    if (isSame(this.#state, next)) return;
    this.#state = next;
    this.#onState(next);
  }
}

/** The server's words when it closed the socket for what we are or sent; `null` for all other ends. */
function reasonOfClose(event: { code: number; reason: string } | undefined): string | null {
  if (event === undefined || event.reason === '' || event.code === ABANDONED) return null;
  const isOurs = CLOSED_FOR_CAUSE.has(event.code) || (event.code >= 4400 && event.code < 4500);
  return isOurs ? event.reason : null;
}

function isSame(a: LinkState, b: LinkState): boolean {
  return (
    a.socket === b.socket &&
    a.ledger === b.ledger &&
    a.refusal === b.refusal &&
    a.denial === b.denial &&
    a.readOnly === b.readOnly &&
    a.unsent === b.unsent &&
    a.bytesMax === b.bytesMax &&
    a.silent === b.silent
  );
}
