/**
 * What the `provider-*` files share: one server for a file, one test for each stock HocuspocusProvider, and a log of events.
 *
 * These files show for each version of the provider what its users are told of it. They look at a server from outside;
 * the cases follow the behaviour that the Hocuspocus project documents and tests for its own provider and server.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { HOCUSPOCUS, Y_WEBSOCKET, when } from './clients.mjs'
import { RawSocket } from './raw.mjs'
import { Server } from './server.mjs'
import { authFrame, read } from './wire.mjs'

/** How long a condition outside this process may take, as that a socket is counted as gone. */
const OUTSIDE_LIMIT_MS = 20_000
/** Any version of the newest provider, as it stands in its first frame. */
const VERSION = '4.8.0'

/** The main version of a provider: 2, 3 or 4. */
export const majorOf = (kind) => Number(/@(\d+)\.[^@]*$/.exec(kind.name)[1])

/** What happened, in its order. Emits `news`, so that `when` can wait for an entry. */
export class Log extends EventEmitter {
  /** @type {unknown[]} */
  entries = []

  note(entry) {
    this.entries.push(entry)
    this.emit('news')
  }

  /** Waits until there are this many entries. */
  reaches(what, count) {
    return when(what, () => this.entries.length >= count, [this])
  }

  /** Waits for an entry. */
  has(entry) {
    return when(`the entry "${entry}" after ${this.entries}`, () => this.entries.includes(entry), [this])
  }
}

/** The Hocuspocus frames of a client from now on, as `out sync update`. */
class Frames extends Log {
  /** How many there were of a sort. */
  count(sort) {
    return this.entries.filter((entry) => entry === sort).length
  }
}

/** Logs the frames of a client in both directions. */
export function framesOf(client) {
  const log = new Frames()
  client.on('frame', (direction, bytes) => {
    const { name, status } = read('hocuspocus', direction, bytes)
    log.note(`${direction} ${name}${status === undefined ? '' : ` ${status}`}`)
  })
  return log
}

/** What one test opens on the server of its file; all of it is closed when the test has ended. */
class Stage {
  #opened = []

  constructor(server, name, kind) {
    this.server = server
    /** A document of this test's own. */
    this.name = name
    /** The provider under test. */
    this.kind = kind
  }

  /** Opens the provider under test. */
  open(options = {}) {
    return this.openAs(this.name, options)
  }

  /** Opens the provider under test on another document. */
  openAs(name, options = {}) {
    return this.#keep(this.kind.open(this.server, name, options))
  }

  /** Opens a client of the other dialect: it sees what the server tells everybody. */
  witness(name = this.name, options = {}) {
    return this.#keep(Y_WEBSOCKET[0].open(this.server, name, options))
  }

  /** Opens a bare socket. */
  async raw(path = '/collab', headers = {}) {
    return this.#keep(await RawSocket.open(this.server, path, headers))
  }

  /** Opens a bare socket and logs in to a document. */
  async enter({ address = this.name, token = '', path = '/collab' } = {}) {
    const socket = await this.raw(path)
    await login(socket, address, token)
    return socket
  }

  close() {
    for (const each of this.#opened) each.destroy()
  }

  #keep(opened) {
    this.#opened.push(opened)
    return opened
  }
}

/** Logs a bare socket in to an address, and waits for the verdict: `{scope}` or `{reason}`. */
export async function login(socket, address, token = '') {
  socket.send(authFrame(address, token, VERSION))
  return hears(socket, 'a verdict', (frame) => frame.address === address && (frame.scope ?? frame.reason) !== undefined)
}

/** Waits for the first Hocuspocus frame that fits, leaving out all before it; null if the socket ends instead. */
export async function hears(socket, what, fits) {
  const bytes = await socket.answer(what, (each) => fits(read('hocuspocus', 'in', each)))
  return bytes && read('hocuspocus', 'in', bytes)
}

/** Takes all Hocuspocus frames that have come on a bare socket. */
export const taken = (socket) => socket.messages.splice(0).map((bytes) => read('hocuspocus', 'in', bytes))

/**
 * Starts one server for the tests of a file.
 * @param {Record<string, string>} [environment] its settings as `COSCRIBE_*` variables
 */
export function suite(environment = {}) {
  /** @type {Server} */
  let server
  before(async () => {
    server = await Server.start(environment)
  })
  after(() => server.dispose())

  /** A test on bare sockets, or one that names its providers itself. */
  const once = (title, body) => test(title, async () => {
    const stage = new Stage(server, title)
    try {
      await body(stage)
    } finally {
      stage.close()
    }
  })

  /** The same test with each provider, or with those that have what it is about. */
  const each = (title, body, { from = 2, to = 4 } = {}) => {
    for (const kind of HOCUSPOCUS.filter((one) => majorOf(one) >= from && majorOf(one) <= to)) {
      test(`${kind.name}: ${title}`, async () => {
        const stage = new Stage(server, `${title} (${kind.name})`, kind)
        try {
          await body(stage)
        } finally {
          stage.close()
        }
      })
    }
  }

  return { each, once }
}

/** The value of a metric without labels. */
export async function metric(server, name) {
  const text = await (await fetch(`${server.http}/metrics`)).text()
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)
  if (!value) throw new Error(`no metric ${name}`)
  return Number(value[1])
}

/** Waits until a metric has a value: asks again and again, because nothing else tells of it. */
export async function metricIs(server, name, wanted) {
  const limit = Date.now() + OUTSIDE_LIMIT_MS
  for (;;) {
    const value = await metric(server, name)
    if (value === wanted) return
    if (Date.now() > limit) throw new Error(`${name} is ${value} and not ${wanted}`)
  }
}

/** Signs claims as an app's own backend would, with HS256. */
export function jwt(secret, claims, header = { alg: 'HS256', typ: 'JWT' }) {
  const encoded = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${encoded}.${createHmac('sha256', secret).update(encoded).digest('base64url')}`
}

/** An app that makes tokens: its secret lies in a file of its own until the tests of the file have ended. */
export class Issuer {
  #secret = randomBytes(32).toString('hex')
  #directory = mkdtempSync(join(tmpdir(), 'coscribe-issuer-'))

  constructor() {
    writeFileSync(this.#secretFile, this.#secret, { mode: 0o600 })
    after(() => rmSync(this.#directory, { recursive: true, force: true }))
  }

  get #secretFile() {
    return join(this.#directory, 'secret')
  }

  /** Settings of a server that accepts its tokens. Who has none may do nothing there. */
  get environment() {
    return { COSCRIBE_AUTH_SECRET_FILES: this.#secretFile }
  }

  /**
   * A token for all documents, at level write and for an hour, where the claims do not say otherwise.
   * @param {object} [claims]
   * @param {number} [lifetimeS] how long it holds; the server counts in whole seconds
   */
  token(claims = {}, lifetimeS = 3600) {
    const now = Math.floor(Date.now() / 1000)
    return jwt(this.#secret, { documents: '*', level: 'write', iat: now, exp: now + lifetimeS, ...claims })
  }

  /** A token that somebody else signed. */
  forged(claims = {}) {
    const now = Math.floor(Date.now() / 1000)
    return jwt('the secret of somebody else, long enough', { documents: '*', level: 'write', exp: now + 3600, ...claims })
  }
}
