/**
 * One document's connection to the server: the stock provider, and the ledger that knows what the
 * server has stored.
 *
 * It reconnects by itself for ever. What is typed while the socket is down is not queued: the
 * difference at the next sync carries it, and the ledger counts only what is really on the wire.
 */
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import type { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { readFrame, type Frame } from '../protocol/frames';
import { Ledger } from './ledger';
import type { LinkState } from './saveState';

const RETRY_MIN_MS = 300;
const RETRY_MAX_MS = 10_000;
/** After the server said that it could not store, or closed the document: when to ask again. */
const REFUSED_RETRY_MS = 5000;

/** The shared socket's sender, which drops what cannot be sent now and reports what was. */
class Socket extends HocuspocusProviderWebsocket {
  onSent: (frame: Frame) => void = () => undefined;

  override send(message: Uint8Array): void {
    if (this.webSocket?.readyState !== WebSocket.OPEN) return;
    super.send(message);
    this.onSent(readFrame(message));
  }
}

/** A document's connection. */
export class Link {
  readonly #socket: Socket;
  readonly #provider: HocuspocusProvider;
  readonly #ledger = new Ledger();
  readonly #onState: (state: LinkState) => void;
  #state: LinkState = { socket: 'trying', ledger: 'unknown', refusal: null, readOnly: false };
  #retry: ReturnType<typeof setTimeout> | null = null;

  /** Connects at once; `onState` hears every change, `onSynced` each time the server's text has arrived. */
  constructor(
    url: string,
    name: string,
    document: Y.Doc,
    onState: (state: LinkState) => void,
    onSynced: () => void,
  ) {
    this.#onState = onState;
    this.#socket = new Socket({
      url,
      delay: RETRY_MIN_MS,
      minDelay: RETRY_MIN_MS,
      maxDelay: RETRY_MAX_MS,
    });
    this.#socket.onSent = (frame) => this.#sent(frame);
    this.#provider = new HocuspocusProvider({
      name,
      document,
      websocketProvider: this.#socket,
      onOpen: () => this.#opened(),
      onDisconnect: () => this.#disconnected(),
      onMessage: ({ event }) => this.#received(readFrame(new Uint8Array(event.data))),
      onSynced,
      onAuthenticated: ({ scope }) => this.#tell({ readOnly: scope === 'readonly' }),
      onAuthenticationFailed: ({ reason }) => this.#refused(reason),
    });
    this.#provider.attach();
    window.addEventListener('online', this.reconnect);
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

  /** Leaves the document and closes the socket. */
  dispose(): void {
    window.removeEventListener('online', this.reconnect);
    this.#cancelRetry();
    this.#provider.destroy();
    this.#socket.destroy();
  }

  #opened(): void {
    this.#cancelRetry();
    this.#ledger.reset();
    this.#tell({ socket: 'open', ledger: this.#ledger.state, refusal: null });
  }

  #disconnected(): void {
    this.#cancelRetry();
    this.#ledger.reset();
    this.#tell({ socket: 'down', ledger: this.#ledger.state });
  }

  #sent(frame: Frame): void {
    this.#ledger.sent(frame);
    this.#tell({ ledger: this.#ledger.state });
  }

  #received(frame: Frame): void {
    if (frame.kind === 'close') return this.#refused(frame.reason);
    if (frame.kind !== 'status') return;
    this.#ledger.answered(frame.stored);
    this.#tell({ ledger: this.#ledger.state });
    if (this.#ledger.state === 'refused') this.#retryLater(() => this.#provider.forceSync());
  }

  /** The server does not serve us this document now. A new socket asks again from the start. */
  #refused(reason: string): void {
    this.#tell({ refusal: reason });
    this.#retryLater(() => this.#socket.webSocket?.close());
  }

  #retryLater(retry: () => void): void {
    if (this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      retry();
    }, REFUSED_RETRY_MS);
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

function isSame(a: LinkState, b: LinkState): boolean {
  return (
    a.socket === b.socket &&
    a.ledger === b.ledger &&
    a.refusal === b.refusal &&
    a.readOnly === b.readOnly
  );
}
