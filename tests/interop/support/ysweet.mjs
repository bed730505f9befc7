/**
 * The stock y-sweet client behind the same face as the others, and another program that keeps the server from writing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { YSweetProvider } from '@y-sweet/client'
import * as decoding from 'lib0/decoding'
import * as Y from 'yjs'
import { Client, Kind, stock, when } from './clients.mjs'

/** Type of the message with which a client counts its changes and learns which of them are saved. */
export const CHECKPOINT = 102
/** A port on which nobody listens. */
const NOWHERE = 'ws://127.0.0.1:1'

/** What a document's own page is given by its app: where the document is, and a token for it. */
export const clientToken = (server, name, token) => ({
  url: `ws://${server.host}/d/${name}/ws`,
  baseUrl: `${server.http}/d/${name}`,
  docId: name,
  token,
  authorization: 'full',
})

class YSweetClient extends Client {
  /** Events `local-changes` so far: whether there were any. */
  changes = []

  #plugged = true
  #destroyed = false

  constructor(kind, server, name, { doc = new Y.Doc(), tap, token, tokens, ...options }) {
    super(kind, name, doc)
    if (tap) this.on('frame', tap)
    const fetchToken = tokens ?? (async () => clientToken(server, name, token))
    this.provider = new YSweetProvider(() => (this.#destroyed ? new Promise(() => {}) : fetchToken()), name, doc, {
      WebSocketPolyfill: this.#pluggedSocket(),
      showDebuggerLink: false,
      ...options,
    })
    this.provider.on('connection-status', () => this.emit('news'))
    this.provider.on('local-changes', (there) => {
      this.changes.push(there)
      this.emit('news')
    })
    this.awareness.on('change', () => this.emit('news'))
  }

  get connected() {
    return this.provider.wsconnected
  }

  /** Waits until the server has saved every edit. */
  saved() {
    const all = () => this.provider.synced && !this.provider.hasLocalChanges
    return when(`${this.kind.name} has no local changes`, all, [this])
  }

  /** Takes the network away, without a word to the server. `disconnect` would not do: this client then connects again. */
  unplug() {
    this.#plugged = false
    this.socket.terminate()
  }

  plug() {
    this.#plugged = true
    this.provider.online()
  }

  destroy() {
    this.#destroyed = true
    this.provider.destroy()
    this.doc.destroy()
  }

  /** Gone without a word, as in a crash. */
  vanish() {
    this.socket.terminate()
    this.destroy()
  }

  /** A provider takes the close of its socket for a failure, after `destroy` as well, and would knock for ever. */
  #pluggedSocket() {
    const client = this
    return class extends this.tappedSocket() {
      constructor(address) {
        if (client.#destroyed) return { close() {} }
        super(client.#plugged ? address : NOWHERE)
      }
    }
  }
}

class YSweetKind extends Kind {
  /**
   * Opens a document; other options than those of every kind:
   * @param {{token?: string, tokens?: () => Promise<object>}} [options] `token` is put into a client token by hand,
   *   `tokens` gives whole client tokens, as an app's own endpoint does
   */
  open(server, name, options = {}) {
    return new YSweetClient(this, server, name, options)
  }
}

export const Y_SWEET = new YSweetKind(stock('@y-sweet/client'), 'y-sweet')

/** The count in a frame that is a checkpoint or its answer, or null. */
export function checkpointOf(bytes) {
  const decoder = decoding.createDecoder(bytes)
  if (decoding.readVarUint(decoder) !== CHECKPOINT) return null
  return decoding.readVarUint(decoding.createDecoder(decoding.readVarUint8Array(decoder)))
}

const HOLD = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
`

/** Another program that holds the database's write lock, so that nothing can be saved. */
export class LogLock {
  #child

  constructor(child) {
    this.#child = child
  }

  static async take(server) {
    const child = spawn('python3', ['-c', HOLD, server.databaseFile], { stdio: ['pipe', 'pipe', 'inherit'] })
    const held = once(child.stdout, 'data')
    await Promise.race([held, once(child, 'exit').then(([code]) => {
      throw new Error(`the program that should hold the lock ended with ${code}`)
    })])
    return new LogLock(child)
  }

  /** Lets the server write again. */
  async release() {
    if (this.#child.exitCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.stdin.end()
    await ended
  }
}
