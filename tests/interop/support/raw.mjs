/**
 * A WebSocket client by hand, on a bare TCP socket: for frames that no library would send, for readers that do not
 * read, and for close codes exactly as they came.
 */
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import * as Y from 'yjs'
import { when } from './clients.mjs'
import { STEP_1, STEP_2, SYNC, read, syncFrame } from './wire.mjs'

export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE_FRAME = 8
export const PING = 9
export const PONG = 10

const HEAD_END = '\r\n\r\n'

/**
 * One WebSocket frame as bytes.
 * @param {Uint8Array | string} payload
 * @param {{opcode?: number, final?: boolean, masked?: boolean, reserved?: number, declared?: number | bigint}} [shape]
 *   `declared` is the length to claim in place of the true one
 */
export function webSocketFrame(payload, { opcode = BINARY, final = true, masked = true, reserved = 0, declared } = {}) {
  const body = Buffer.from(payload)
  const length = BigInt(declared ?? body.length)
  const extended = length < 126n ? 0 : length < 65536n ? 2 : 8
  const head = Buffer.alloc(2 + extended)
  head[0] = (final ? 0x80 : 0) | (reserved << 4) | opcode
  head[1] = (masked ? 0x80 : 0) | (extended === 0 ? Number(length) : extended === 2 ? 126 : 127)
  if (extended === 2) head.writeUInt16BE(Number(length), 2)
  if (extended === 8) head.writeBigUInt64BE(length, 2)
  if (!masked) return Buffer.concat([head, body])
  const key = randomBytes(4)
  for (let index = 0; index < body.length; index += 1) body[index] ^= key[index & 3]
  return Buffer.concat([head, key, body])
}

/**
 * Emits `news` after anything that came, and when what was written has left. Answers pings, and nothing else by itself.
 */
export class RawSocket extends EventEmitter {
  /** Payloads of the data frames that came and were not taken yet. */
  messages = []
  /** `{code, reason}` of the close frame that came. */
  closeFrame = null
  /** Whether the TCP connection has ended. */
  ended = false
  /** Bytes received so far. */
  received = 0

  #buffer = Buffer.alloc(0)
  #head = null
  #fragments = []
  #pongs = 0

  constructor(socket) {
    super()
    this.setMaxListeners(0)
    this.tcp = socket
    socket.on('data', (bytes) => this.#take(bytes))
    socket.on('drain', () => this.emit('news'))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.ended = true
      this.emit('news')
    })
  }

  /** Connects and sends the upgrade request, without waiting for its answer. */
  static async request(server, path, headers = {}) {
    const tcp = connect({ host: '127.0.0.1', port: server.port, noDelay: true })
    const raw = new RawSocket(tcp)
    await once(tcp, 'connect')
    tcp.write(upgradeRequest(server, path, headers))
    return raw
  }

  /** Connects and upgrades. */
  static async open(server, path, headers) {
    const raw = await RawSocket.request(server, path, headers)
    const status = await raw.status()
    if (status !== 101) throw new Error(`the upgrade of ${path} was answered with ${status}`)
    return raw
  }

  /** Waits for the answer to the upgrade request. */
  async status() {
    await when('an answer to the upgrade request', () => this.#head !== null || this.ended, [this])
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.#head ?? '')?.[1] ?? NaN)
  }

  /** Sends one message, or one frame of any shape. */
  send(payload, shape) {
    return this.tcp.write(webSocketFrame(payload, shape))
  }

  /** Sends messages as fast as the server takes them, until it closes. */
  async pump(payloads) {
    for (const payload of payloads) {
      if (this.gone) return
      if (!this.send(payload)) await when('the server takes more', () => !this.tcp.writableNeedDrain || this.gone, [this])
    }
  }

  /** Waits for the server to close, by a close frame or by ending the connection. Gives the code, or null without one. */
  async closed() {
    await when('the server closes the socket', () => this.gone, [this])
    return this.code
  }

  /** Whether no more will come. */
  get gone() {
    return this.closeFrame !== null || this.ended
  }

  /** The code of the close frame that came, or null. */
  get code() {
    return this.closeFrame?.code ?? null
  }

  /** Waits for the first message that fits, leaving out all before it; null if the socket ends instead. */
  async answer(what, fits) {
    let found = null
    await when(what, () => {
      while (found === null && this.messages.length > 0) {
        const message = this.messages.shift()
        if (fits(message)) found = message
      }
      return found !== null || this.gone
    }, [this])
    return found
  }

  /** Waits until the server has read everything sent so far, or has closed. */
  async roundTrip() {
    const pongs = this.#pongs
    this.send('', { opcode: PING })
    await when('a pong', () => this.#pongs > pongs || this.gone, [this])
  }

  /** Syncs a new document over this y-websocket connection and returns it, kept up to date from then on. */
  async fetchDocument() {
    const doc = new Y.Doc()
    let synced = false
    this.on('news', () => {
      for (const message of this.messages.splice(0)) {
        const frame = read('y-websocket', 'in', message)
        if (frame.type !== SYNC || frame.subType === STEP_1) continue
        Y.applyUpdate(doc, frame.payload)
        synced ||= frame.subType === STEP_2
      }
    })
    this.send(syncFrame(null, STEP_1, Y.encodeStateVector(doc)))
    await when('the first sync', () => synced, [this])
    return doc
  }

  destroy() {
    this.tcp.destroy()
  }

  #take(bytes) {
    this.received += bytes.length
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes])
    if (this.#head === null) this.#takeHead()
    if (this.#head !== null) while (this.#takeFrame());
    this.emit('news')
  }

  #takeHead() {
    const end = this.#buffer.indexOf(HEAD_END)
    if (end < 0) return
    this.#head = this.#buffer.toString('latin1', 0, end)
    this.#buffer = this.#buffer.subarray(end + HEAD_END.length)
  }

  #takeFrame() {
    const buffer = this.#buffer
    if (buffer.length < 2) return false
    let length = buffer[1] & 0x7f
    const head = length === 126 ? 4 : length === 127 ? 10 : 2
    if (buffer.length < head) return false
    if (length === 126) length = buffer.readUInt16BE(2)
    if (length === 127) length = Number(buffer.readBigUInt64BE(2))
    if (buffer.length < head + length) return false
    this.#buffer = buffer.subarray(head + length)
    this.#dispatch(buffer[0] & 0x0f, (buffer[0] & 0x80) !== 0, buffer.subarray(head, head + length))
    return true
  }

  #dispatch(opcode, final, payload) {
    switch (opcode) {
      case CLOSE_FRAME:
        this.closeFrame = payload.length < 2 ? { code: 1005, reason: '' }
          : { code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) }
        return
      case PING:
        this.send(payload, { opcode: PONG })
        return
      case PONG:
        this.#pongs += 1
        return
    }
    this.#fragments.push(payload)
    if (!final) return
    this.messages.push(new Uint8Array(Buffer.concat(this.#fragments)))
    this.#fragments = []
  }
}

/** The bytes of an upgrade request; `headers` replace or add to the usual ones. */
export function upgradeRequest(server, path, headers = {}) {
  const all = {
    Host: server.host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Version': '13',
    ...headers,
  }
  return `GET ${path} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}`).join('\r\n')}${HEAD_END}`
}
