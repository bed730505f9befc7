/**
 * One person's line to the server: a stock provider on a socket that can be held (frames wait in both directions) or
 * cut.
 *
 * A held line is a slow network: the provider believes to be connected, and every update travels later, as it was.
 * A line that is down is an offline time: the provider makes one update of all that was missed when it is back.
 */
import { EventEmitter } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'

// Each y-websocket provider listens for the end of the process; a test opens many.
process.setMaxListeners(0)

const QUICK_RETRY = { delay: 50, minDelay: 50, maxDelay: 250 }
export const PROVIDERS = ['y-websocket', 'hocuspocus']

export class Line extends EventEmitter {
  #held = false
  #waiting = []
  #release = null
  #socket = null

  constructor() {
    super()
    this.setMaxListeners(0)
  }

  /** Lets frames wait, those to the server and those from it. */
  hold() {
    this.#held = true
  }

  /** Lets the frames that waited go on, one in each turn of the event loop, and those that come after them. */
  release() {
    this.#release ??= this.#drain().finally(() => (this.#release = null))
    return this.#release
  }

  /** Forgets the frames that wait: the connection under them is gone. */
  cut() {
    this.#waiting = []
    this.#held = false
  }

  async #drain() {
    while (this.#waiting.length > 0) {
      this.#waiting.shift()()
      await turn()
    }
    this.#held = false
    this.emit('news')
  }

  /** Runs it now, or when the line is released. */
  pass(socket, frame) {
    if (socket !== this.#socket) return
    if (this.#held) this.#waiting.push(frame)
    else frame()
  }

  /** The class of the sockets on this line, for a provider. Only the newest socket carries frames. */
  socketClass() {
    const line = this
    return class extends WebSocket {
      constructor(address, protocols) {
        // As in a browser, each message is a task of its own.
        super(address, protocols, { allowSynchronousEvents: false })
        line.#socket = this
        this.on('error', () => {})
        for (const event of ['open', 'message', 'close']) this.on(event, () => queueMicrotask(() => line.emit('news')))
      }

      emit(event, ...values) {
        if (event !== 'message') return super.emit(event, ...values)
        line.pass(this, () => super.emit(event, ...values))
        return true
      }

      send(data, ...rest) {
        line.pass(this, () => {
          if (this.readyState === WebSocket.OPEN) super.send(data, ...rest)
        })
      }
    }
  }
}

/** Opens a document through a stock provider on a line of its own. */
export function open(provider, server, name, doc) {
  const line = new Line()
  doc.on('update', () => line.emit('news'))
  return provider === 'hocuspocus' ? hocuspocus(line, server, name, doc) : yWebsocket(line, server, name, doc)
}

function yWebsocket(line, server, name, doc) {
  const provider = new WebsocketProvider(server.syncUrl, encodeURIComponent(name), doc, {
    WebSocketPolyfill: line.socketClass(),
    disableBc: true,
    maxBackoffTime: QUICK_RETRY.maxDelay,
  })
  for (const event of ['status', 'sync']) provider.on(event, () => queueMicrotask(() => line.emit('news')))
  return {
    line,
    provider,
    settled: () => provider.wsconnected && provider.synced,
    down: () => provider.ws === null,
    connect: () => provider.connect(),
    disconnect: () => provider.disconnect(),
    destroy: () => provider.destroy(),
  }
}

function hocuspocus(line, server, name, doc) {
  const websocketProvider = new HocuspocusProviderWebsocket({
    url: server.collabUrl,
    WebSocketPolyfill: line.socketClass(),
    ...QUICK_RETRY,
  })
  const provider = new HocuspocusProvider({ websocketProvider, name, document: doc, broadcast: false })
  for (const event of ['synced', 'unsyncedChanges', 'status', 'message', 'disconnect', 'close']) {
    provider.on(event, () => queueMicrotask(() => line.emit('news')))
  }
  provider.attach()
  return {
    line,
    provider,
    settled: () => provider.synced && !provider.hasUnsyncedChanges && websocketProvider.status === 'connected',
    down: () => websocketProvider.webSocket === null,
    connect: () => websocketProvider.connect(),
    disconnect: () => websocketProvider.disconnect(),
    destroy: () => {
      provider.destroy()
      websocketProvider.destroy()
    },
  }
}
