/**
 * The coscribe binary under test: start it on a free port with its own database, kill it, start it again.
 *
 * A server keeps its port and its database file from one life to the next, so that clients find it again.
 * Whatever it printed is kept for the message of a test that fails.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const DEFAULT_BINARY = fileURLToPath(new URL('../../../target/release/coscribe', import.meta.url))
const READY_LINE = /^coscribe is ready at (http:\/\/(\S+):(\d+))/
const START_LIMIT_MS = 30_000
const OUTPUT_LINES_KEPT = 200

/** Path of the program under test. */
export function binary() {
  const path = process.env.COSCRIBE_BIN ?? DEFAULT_BINARY
  if (!existsSync(path)) throw new Error(`no binary at ${path}: run \`cargo build --release\`, or set COSCRIBE_BIN`)
  return path
}

export class Server {
  /** Base address, for example `http://127.0.0.1:40123`. */
  http = ''
  /** Milliseconds from spawning the process to its ready line, in this life. */
  readyAfterMs = 0
  /** Last lines of its output over all lives. */
  output = []

  #directory
  #environment
  #port = 0
  #child

  constructor(directory, environment) {
    this.#directory = directory
    this.#environment = environment
  }

  /**
   * Starts a server on a free port with an empty database.
   * @param {Record<string, string>} [environment] settings as `COSCRIBE_*` variables
   */
  static async start(environment = {}) {
    const server = new Server(await mkdtemp(join(tmpdir(), 'coscribe-interop-')), environment)
    await server.restart()
    return server
  }

  /** Starts the next life on the same port and database. The last one must have ended. */
  async restart() {
    const started = performance.now()
    const child = spawn(
      binary(),
      ['serve', '--listen', `127.0.0.1:${this.#port}`, '--database', this.databaseFile],
      { env: { ...process.env, ...this.#environment }, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.#child = child
    this.ended = once(child, 'exit')
    createInterface({ input: child.stderr }).on('line', (line) => this.#keep(line))
    const [, http, , port] = await this.#readyLine(child)
    this.readyAfterMs = performance.now() - started
    this.http = http
    this.#port = Number(port)
  }

  /** `host:port`. */
  get host() {
    return new URL(this.http).host
  }

  get port() {
    return this.#port
  }

  /** Path of its database. */
  get databaseFile() {
    return join(this.#directory, 'coscribe.db')
  }

  get pid() {
    return this.#child.pid
  }

  /** Whether this life's process has not ended. */
  get alive() {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Server address for y-websocket clients; the room name comes after it. */
  get syncUrl() {
    return `ws://${this.host}/sync`
  }

  /** Socket address for Hocuspocus providers. */
  get collabUrl() {
    return `ws://${this.host}/collab`
  }

  /** Memory the process holds, in bytes. */
  get residentBytes() {
    return this.#memory('VmRSS')
  }

  /** The most memory that the process has held so far, in bytes. */
  get residentBytesPeak() {
    return this.#memory('VmHWM')
  }

  /** Sends `SIGKILL`. From here on the process does nothing more; `ended` tells when it is gone. */
  kill() {
    this.#child.kill('SIGKILL')
  }

  /** Asks the server to end in order, and waits until it has. */
  async stop() {
    this.#child.kill('SIGTERM')
    await this.ended
  }

  /** Kills the server, waits until it is gone and removes its database. */
  async dispose() {
    this.kill()
    await this.ended
    await rm(this.#directory, { recursive: true, force: true })
  }

  #memory(field) {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)[1]) * 1024
  }

  async #readyLine(child) {
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => this.#keep(line))
    const limit = AbortSignal.timeout(START_LIMIT_MS)
    const first = await Promise.race([
      once(lines, 'line', { signal: limit }).then(([line]) => line),
      this.ended.then(([code]) => {
        throw new Error(`the server ended with ${code} before it was ready:\n${this.output.join('\n')}`)
      }),
    ])
    const ready = READY_LINE.exec(first)
    if (!ready) throw new Error(`the first line on stdout is not the ready line: ${first}`)
    return ready
  }

  #keep(line) {
    this.output.push(line)
    if (this.output.length > OUTPUT_LINES_KEPT) this.output.shift()
  }
}
