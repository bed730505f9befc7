/**
 * Stock Yjs clients, unpatched, behind one small face; and waiting for what they see.
 *
 * Each client has its own document and its own socket unless it is given one. A tap on the socket shows every
 * frame in both directions. BroadcastChannel is off everywhere: in one process it would carry the edits past the server.
 */
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { HocuspocusProvider as Provider4, HocuspocusProviderWebsocket as Socket4 } from '@hocuspocus/provider'
import { HocuspocusProvider as Provider3, HocuspocusProviderWebsocket as Socket3 } from 'hocuspocus-provider-3'
import { HocuspocusProvider as Provider2, HocuspocusProviderWebsocket as Socket2 } from 'hocuspocus-provider-2'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import { WebsocketProvider as WebsocketProvider30 } from 'y-websocket-3-0'
import { WebsocketProvider as WebsocketProvider1 } from 'y-websocket-1'
import * as Y from 'yjs'

const packageJson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const WAIT_LIMIT_MS = 20_000
// Each y-websocket provider listens for the end of the process; a test opens many.
process.setMaxListeners(0)

/** Providers wait a second or more before they come back; tests have no need to. */
const QUICK_RETRY = { delay: 50, minDelay: 50, maxDelay: 250 }

/**
 * Resolves once `condition()` is true; it is looked at again after every event of the emitters.
 * @param {string} what for the message when the limit passes
 * @param {() => unknown} condition
 * @param {EventEmitter[]} emitters each tells of news by the event `news`
 */
export function when(what, condition, emitters, limitMs = WAIT_LIMIT_MS) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(limit)
      for (const emitter of emitters) emitter.off('news', look)
    }
    const look = () => {
      if (!condition()) return
      stop()
      resolve()
    }
    const limit = setTimeout(() => {
      stop()
      reject(new Error(`not within ${limitMs} ms: ${what}`))
    }, limitMs)
    for (const emitter of emitters) emitter.on('news', look)
    look()
  })
}

/** Waits until all clients show the same text; `holds` are pieces that must be in it. */
export async function sameText(clients, ...holds) {
  const agreed = () => {
    const [text, ...others] = clients.map((client) => client.text.toString())
    return others.every((other) => other === text) && holds.every((piece) => text.includes(piece))
  }
  try {
    await when('the same text everywhere', agreed, clients)
  } catch (error) {
    const texts = clients.map((client) => `${client.kind.name}: ${JSON.stringify(client.text.toString().slice(0, 400))}`)
    throw new Error(`${error.message}; wanted ${JSON.stringify(holds)}, got\n${texts.join('\n')}`)
  }
}

/** What the clients of all dialects have in common. Emits `news` after anything that may have changed something. */
export class Client extends EventEmitter {
  constructor(kind, name, doc) {
    super()
    this.setMaxListeners(0)
    this.kind = kind
    this.name = name
    this.doc = doc
    this.text = doc.getText('body')
    doc.on('update', () => this.emit('news'))
  }

  get awareness() {
    return this.provider.awareness
  }

  /** States of the others, as `user` names. */
  get othersPresent() {
    return [...this.awareness.getStates()].filter(([id]) => id !== this.doc.clientID).map(([, state]) => state.user)
  }

  synced() {
    return when(`${this.kind.name} is synced`, () => this.provider.synced, [this])
  }

  /** Tells by event `refused` with which status an upgrade was answered; the ws package has it in a message only. */
  #refusedWith(message) {
    const status = /^Unexpected server response: (\d+)$/.exec(message)
    if (!status) return
    this.emit('refused', Number(status[1]))
    this.emit('news')
  }

  /** Appends to the text. */
  type(piece) {
    this.text.insert(this.text.length, piece)
  }

  /** Class of a socket that shows each frame as event `frame`, with direction and bytes. */
  tappedSocket() {
    const client = this
    return class extends WebSocket {
      constructor(address, protocols) {
        super(address, protocols)
        client.socket = this
        // Providers drop their listeners before they close a socket that is still connecting; ws then throws.
        this.on('error', ({ message }) => client.#refusedWith(message))
        this.on('open', () => client.emit('open'))
        this.on('message', (data, isBinary) => client.emit('frame', 'in', new Uint8Array(data), isBinary))
        // The provider's own listener comes later; by the next microtask it has run.
        for (const event of ['open', 'message', 'close']) {
          this.on(event, () => queueMicrotask(() => client.emit('news')))
        }
        this.on('close', (code, reason) => client.emit('closed', code, String(reason)))
      }

      send(data, ...rest) {
        client.emit('frame', 'out', new Uint8Array(data))
        super.send(data, ...rest)
      }
    }
  }
}

class YWebsocketClient extends Client {
  constructor(kind, server, name, { doc = new Y.Doc(), tap, ...options }) {
    super(kind, name, doc)
    if (tap) this.on('frame', tap)
    this.provider = new kind.Provider(server.syncUrl, encodeURIComponent(name), doc, {
      WebSocketPolyfill: this.tappedSocket(),
      disableBc: true,
      ...options,
    })
    this.provider.on('status', () => this.emit('news'))
    this.awareness.on('change', () => this.emit('news'))
  }

  get connected() {
    return this.provider.wsconnected
  }

  disconnect() {
    this.provider.disconnect()
  }

  connect() {
    this.provider.connect()
  }

  destroy() {
    this.provider.destroy()
    this.doc.destroy()
  }

  /** Gone without a word, as in a crash. */
  vanish() {
    this.socket.terminate()
    this.destroy()
  }
}

class HocuspocusClient extends Client {
  /** Reasons of the denials so far. */
  denials = []
  /** Payloads of the stateless messages so far. */
  stateless = []
  /** Reasons of the closes of this document so far. */
  closes = []

  constructor(kind, server, name, { doc = new Y.Doc(), tap, shared, websocket = {}, ...options }) {
    super(kind, name, doc)
    if (tap) this.on('frame', tap)
    this.ownsSocket = !shared
    this.websocketProvider = shared ?? new kind.Socket({
      url: server.collabUrl,
      WebSocketPolyfill: this.tappedSocket(),
      ...QUICK_RETRY,
      ...websocket,
    })
    this.provider = new kind.Provider({
      websocketProvider: this.websocketProvider,
      name,
      document: doc,
      broadcast: false,
      onAuthenticationFailed: ({ reason }) => this.#note(this.denials, reason),
      onStateless: ({ payload }) => this.#note(this.stateless, payload),
      onClose: ({ event }) => this.#note(this.closes, event.reason),
      ...options,
    })
    for (const event of ['synced', 'authenticated', 'unsyncedChanges', 'status', 'message']) {
      this.provider.on(event, () => queueMicrotask(() => this.emit('news')))
    }
    this.awareness?.on('change', () => this.emit('news'))
    // A provider of 2.x attaches itself, one of 3.x and 4.x does so only when it made its socket.
    if (this.provider.attach) this.provider.attach()
  }

  get connected() {
    return this.websocketProvider.status === 'connected'
  }

  /** Waits until the server has acknowledged every edit. */
  saved() {
    const all = () => this.provider.synced && !this.provider.hasUnsyncedChanges
    return when(`${this.kind.name} has no unsynced changes`, all, [this])
  }

  disconnect() {
    this.websocketProvider.disconnect()
  }

  connect() {
    this.websocketProvider.connect()
  }

  destroy() {
    this.provider.destroy()
    if (this.ownsSocket) this.websocketProvider.destroy()
    this.doc.destroy()
  }

  /** Gone without a word, as in a crash. */
  vanish() {
    this.socket.terminate()
    this.destroy()
  }

  #note(list, entry) {
    list.push(entry)
    queueMicrotask(() => this.emit('news'))
  }
}

/** A stock client that tests can open, by the name and version of its package. */
export class Kind {
  constructor(name, dialect, parts) {
    this.name = name
    this.dialect = dialect
    Object.assign(this, parts)
  }

  /**
   * Opens a document.
   * @param {import('./server.mjs').Server} server
   * @param {string} name of the document
   * @param {object} [options] for the provider; also `doc`, `tap` (sees each frame), and for Hocuspocus `shared`
   * (a socket to ride on) and `websocket` (options of its own socket)
   */
  open(server, name, options = {}) {
    const Opened = this.dialect === 'hocuspocus' ? HocuspocusClient : YWebsocketClient
    return new Opened(this, server, name, options)
  }
}

/** The package and version behind an alias of package.json, as `y-websocket@1.5.4`. */
export function stock(alias) {
  const wanted = packageJson.dependencies[alias]
  return wanted.startsWith('npm:') ? wanted.slice('npm:'.length) : `${alias}@${wanted}`
}

const yWebsocket = (alias, Provider) => new Kind(stock(alias), 'y-websocket', { Provider })
const hocuspocus = (alias, Provider, Socket) => new Kind(stock(alias), 'hocuspocus', { Provider, Socket })

/** Newest first. 2.1.0 is not here: its source differs from that of 3.0.0 in one comment. */
export const Y_WEBSOCKET = [
  yWebsocket('y-websocket', WebsocketProvider),
  yWebsocket('y-websocket-3-0', WebsocketProvider30),
  yWebsocket('y-websocket-1', WebsocketProvider1),
]
/** Newest first. */
export const HOCUSPOCUS = [
  hocuspocus('@hocuspocus/provider', Provider4, Socket4),
  hocuspocus('hocuspocus-provider-3', Provider3, Socket3),
  hocuspocus('hocuspocus-provider-2', Provider2, Socket2),
]
export const ALL = [...Y_WEBSOCKET, ...HOCUSPOCUS]
