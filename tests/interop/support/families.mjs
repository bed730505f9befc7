/**
 * Every family of clients at one table: each stock version behind one face, the tokens they carry, what they are told
 * about their rights, and the administration that changes those.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import * as Y14 from '@y/y'
import { WebsocketProvider as WebsocketProvider4 } from '@y/websocket'
import { WebsocketProvider as WebsocketProvider2 } from 'y-websocket-2'
import { HOCUSPOCUS, Kind, Y_WEBSOCKET, stock, when } from './clients.mjs'
import { jwt } from './provider.mjs'
import { Server } from './server.mjs'
import { AUTH, CLOSE, STEP_1, STEP_2, SYNC, UPDATE, read } from './wire.mjs'
import { Y_SWEET } from './ysweet.mjs'

/** A document of Yjs 14, where every type is got the same way. */
class Doc14 extends Y14.Doc {
  getText(name) {
    return this.get(name)
  }
}

class Yjs14Kind extends Kind {
  open(server, name, options = {}) {
    return super.open(server, name, { doc: new Doc14(), ...options })
  }
}

/** The client on Yjs 14. */
export const Y_WEBSOCKET_4 = new Yjs14Kind(stock('@y/websocket'), 'y-websocket', { Provider: WebsocketProvider4 })

/** All families, all versions. */
export const FAMILIES = [
  Y_WEBSOCKET_4,
  ...Y_WEBSOCKET,
  new Kind(stock('y-websocket-2'), 'y-websocket', { Provider: WebsocketProvider2 }),
  ...HOCUSPOCUS,
  Y_SWEET,
]

/** The clients that the tests of a file open: each test's are closed when it has ended, however it ends. */
export class Guests {
  #here = []

  /** A test that opens clients. */
  test(name, body) {
    test(name, async (context) => {
      // Providers warn of what these tests do to them on purpose, with their tokens.
      context.mock.method(console, 'warn', () => {})
      try {
        await body(context)
      } finally {
        this.dismiss()
      }
    })
  }

  /** Closes all clients. */
  dismiss() {
    for (const client of this.#here.splice(0)) client.destroy()
  }

  /** Takes a client in, and gives it back. */
  keep(client) {
    this.#here.push(client)
    return client
  }

  /** Lets a client go without a word, as in a crash. */
  lose(client) {
    this.#here.splice(this.#here.indexOf(client), 1)
    client.vanish()
  }
}

/** Opens a document with a token, carried as this kind of client carries one. */
export function enter(kind, server, name, token) {
  return kind.open(server, name, kind.dialect === 'y-websocket' ? { params: { token } } : { token })
}

/**
 * What a client was told about its rights, in its own dialect's words.
 *
 * Times are those of `performance.now()`.
 */
export class Told {
  /** Scopes (Hocuspocus) and sentences (y-websocket, y-sweet) that came. */
  words = []
  /** Status of the upgrades that were refused. */
  refusals = []
  /** How it ended: `{at, said}`, with the close code of the socket or the reason of the denial. */
  end = null
  /** The reason with which a document of a Hocuspocus socket was closed, or null. */
  closeReason = null
  /** When the server last asked for what the client has, or null. */
  askedAt = null
  /** When the last of `words` came, or null. */
  wordAt = null

  constructor(client) {
    this.client = client
    client.on('frame', (direction, bytes) => {
      if (direction === 'in') this.#read(read(client.kind.dialect, direction, bytes))
    })
    if (client.kind.dialect !== 'hocuspocus') client.on('closed', (code) => this.#ended(code))
    client.on('refused', (status) => this.refusals.push(status))
  }

  #read(frame) {
    if (frame.type === SYNC && frame.subType === STEP_1) this.askedAt = performance.now()
    if (frame.type === CLOSE) this.closeReason = frame.reason
    if (frame.type !== AUTH) return
    if (this.client.kind.dialect === 'hocuspocus' && frame.reason) return this.#ended(frame.reason)
    const word = frame.scope ?? frame.reason
    // Without either, the server asks for a fresh token.
    if (word === undefined) return
    this.words.push(word)
    this.wordAt = performance.now()
  }

  #ended(said) {
    this.end ??= { at: performance.now(), said }
  }
}

/**
 * The light of `@y/websocket` 4.0.0-rc.2, which the version on npm does not have yet: green when the first sync is done and
 * every id that was made here has come back from the server, be it inserted or deleted.
 */
export class Light {
  #unconfirmed = Y14.createContentIds()

  constructor(client) {
    this.client = client
    client.doc.on('update', (update, origin) => {
      if (origin === client.provider) return
      this.#unconfirmed = Y14.mergeContentIds([this.#unconfirmed, Y14.createContentIdsFromUpdate(update)])
    })
    client.on('frame', (direction, bytes) => {
      const frame = read('y-websocket', direction, bytes)
      if (direction === 'out' || frame.type !== SYNC || ![STEP_2, UPDATE].includes(frame.subType)) return
      const confirmed = Y14.createContentIdsFromUpdate(frame.payload)
      this.#unconfirmed = Y14.excludeContentIds(this.#unconfirmed, confirmed)
    })
  }

  get green() {
    const { inserts, deletes } = this.#unconfirmed
    return this.client.connected && this.client.provider.synced && inserts.isEmpty() && deletes.isEmpty()
  }

  turnsGreen(limitMs) {
    return when('the light is green', () => this.green, [this.client], limitMs)
  }
}

/** A server that lets nobody in without a token, and the key to make tokens with. */
export class GuardedServer {
  #directory
  #secret

  constructor(directory, secret) {
    this.#directory = directory
    this.#secret = secret
  }

  /** @param {Record<string, string>} [environment] more settings as `COSCRIBE_*` variables */
  static async start(environment = {}) {
    const guarded = new GuardedServer(await mkdtemp(join(tmpdir(), 'coscribe-keys-')), randomBytes(32).toString('hex'))
    await writeFile(guarded.secretFile, guarded.#secret, { mode: 0o600 })
    guarded.server = await Server.start({
      COSCRIBE_AUTH_SECRET_FILES: guarded.secretFile,
      COSCRIBE_ANONYMOUS: 'none',
      ...environment,
    })
    return guarded
  }

  get secretFile() {
    return join(this.#directory, 'secret')
  }

  /** A token, for an hour and all documents unless `claims` say otherwise. */
  token(level, claims = {}) {
    const now = Math.floor(Date.now() / 1000)
    return jwt(this.#secret, { level, documents: '*', iat: now, exp: now + 3600, ...claims })
  }

  /** Asks the administration; gives what it answers, or fails. */
  async administer(method, path, body) {
    const response = await fetch(`${this.server.http}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.token('admin')}`, 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`)
    return text && JSON.parse(text)
  }

  /** Makes a share link; gives its id and secret. */
  share(name, level) {
    return this.administer('POST', `/documents/${encodeURIComponent(name)}/links`, { level })
  }

  async dispose() {
    await this.server.dispose()
    await rm(this.#directory, { recursive: true, force: true })
  }
}
