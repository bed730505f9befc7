/**
 * Two stock clients, one of each dialect, that write to each other in turn for as long as they are let.
 */
import { HOCUSPOCUS, Y_WEBSOCKET, when } from './clients.mjs'

/** Between two edits: at most a person's pace, so that the pair costs the test little. */
const PAUSE_MS = 20

export class Pair {
  /** Edits that have been seen by the other one. */
  edits = 0
  /** The longest that one of them took. */
  slowestMs = 0

  #stopping = false
  #running = null

  constructor(server, name) {
    this.clients = [Y_WEBSOCKET[0], HOCUSPOCUS[0]].map((kind) => kind.open(server, name))
  }

  /** Starts writing, once both are synced. */
  async start() {
    await Promise.all(this.clients.map((client) => client.synced()))
    this.#running = this.#write()
    // A failure is told by `stop`.
    this.#running.catch(() => {})
  }

  /** Ends, and fails if an edit was not seen. */
  async stop() {
    this.#stopping = true
    try {
      await this.#running
    } finally {
      for (const client of this.clients) client.destroy()
    }
  }

  async #write() {
    const texts = this.clients.map((client) => client.text)
    for (let turn = 0; !this.#stopping; turn += 1) {
      const word = `${turn} `
      const sent = performance.now()
      texts[turn % 2].insert(0, word)
      if (texts[turn % 2].length > 1000) texts[turn % 2].delete(500, texts[turn % 2].length - 500)
      const seen = () => texts[(turn + 1) % 2].toString().startsWith(word)
      await when(`edit ${turn} of the healthy pair is seen`, seen, this.clients)
      this.slowestMs = Math.max(this.slowestMs, performance.now() - sent)
      this.edits += 1
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}
