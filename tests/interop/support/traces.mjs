/**
 * Recorded editing sessions of real people, typed through a running server by stock clients.
 *
 * The recordings are public traces, read from the folder `EDITING_TRACES` names; where it is missing, callers skip.
 * Their format: `txns`, each with patches `[position, deleted, inserted]`, and `endContent`. In the concurrent one each
 * transaction also has an agent and parents: it was typed by somebody who had seen exactly its ancestors.
 */
import { existsSync, readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { ALL, HOCUSPOCUS, Y_WEBSOCKET, when } from './clients.mjs'

/** Where the recordings are. */
export const FOLDER = process.env.EDITING_TRACES ?? fileURLToPath(new URL('../../../../shared/editing-traces', import.meta.url))

/** Edits that one client types before it hands over to the next. */
const BLOCK = 250
/** Edits typed in one turn of the event loop; then whatever has come from the server is taken in. */
const BURST = 20
const WAIT_LIMIT_MS = 60_000

/** Whether the folder with the recordings is there. */
export function available() {
  return existsSync(FOLDER)
}

export function load(name) {
  return JSON.parse(gunzipSync(readFileSync(`${FOLDER}/${name}.json.gz`)))
}

/**
 * One writer after the other: stock clients of every kind take turns on the trace `sveltecomponent`.
 *
 * Positions mean the text as it was, so a writer starts its block when it shows all that was typed before it.
 * @param {import('./server.mjs').Server} server
 * @param {(done: number, all: number) => void} progress
 */
export async function replaySequential(server, progress = () => {}) {
  const trace = load('sveltecomponent')
  const clients = ALL.map((kind) => kind.open(server, 'sveltecomponent'))
  return replay(server, 'sveltecomponent', trace.endContent, clients, async () => {
    const edits = trace.txns.flatMap((txn) => txn.patches)
    let before = clients[0]
    for (let start = 0; start < edits.length; start += BLOCK) {
      const writer = clients[(start / BLOCK) % clients.length]
      const text = before.text.toString()
      await when('the next writer has what was typed before', () => writer.text.toString() === text, [writer], WAIT_LIMIT_MS)
      for (const [index, patch] of edits.slice(start, start + BLOCK).entries()) {
        writer.doc.transact(() => apply(writer.text, patch))
        if (index % BURST === BURST - 1) await turn()
      }
      before = writer
      progress(Math.min(start + BLOCK, edits.length), edits.length)
    }
    return edits.length
  })
}

/**
 * Two writers at once: the trace `friendsforever`, each by a stock client of its own dialect.
 *
 * A writer's next transaction waits until its client has received, through the server, everything that its author had
 * seen. What arrives earlier than the author saw it must not move the positions, so each author writes at a desk of its
 * own: a document that takes in the other's transactions when the recording says so. The client's document gets the
 * author's edits from the desk, and the other's from the server alone.
 */
export async function replayConcurrent(server, progress = () => {}) {
  const trace = load('friendsforever')
  const authors = [Y_WEBSOCKET[0], HOCUSPOCUS[0]].map((kind, agent) => new Author(kind.open(server, 'friendsforever'), agent))
  const steps = heardBefore(trace.txns)
  const typed = new Array(steps.length)
  let done = 0
  const write = async (author, other) => {
    let heard = -1
    for (const [index, step] of steps.entries()) {
      if (step.agent !== author.agent) continue
      for (; heard < step.heard; heard += 1) {
        if (steps[heard + 1].agent === author.agent) continue
        const wanted = heard + 1
        await when(`transaction ${wanted} of the other has come`, () => typed[wanted] && author.has(other, typed[wanted]),
          [author.client, other.client], WAIT_LIMIT_MS)
        author.hear(typed[wanted])
      }
      typed[index] = author.type(step.patches)
      done += 1
      if (done % BURST === 0) {
        progress(done, steps.length)
        await turn()
      }
    }
    progress(done, steps.length)
  }
  return replay(server, 'friendsforever', trace.endContent, authors.map((author) => author.client), async () => {
    await Promise.all([write(authors[0], authors[1]), write(authors[1], authors[0])])
    return steps.length
  })
}

/** Types, then looks at the text: on every client, on a fresh one, and on another fresh one after `kill -9` with nobody left. */
async function replay(server, name, wanted, clients, type) {
  const shows = (client) =>
    when(`${client.kind.name} shows the recorded text`, () => client.text.toString() === wanted, [client], WAIT_LIMIT_MS)
  const look = async (kind) => {
    const fresh = kind.open(server, name)
    await fresh.synced()
    await shows(fresh)
    fresh.destroy()
  }
  try {
    await Promise.all(clients.map((client) => client.synced()))
    const started = performance.now()
    const edits = await type()
    await Promise.all(clients.map(shows))
    await Promise.all(clients.filter((client) => client.saved).map((client) => client.saved()))
    const seconds = (performance.now() - started) / 1000
    await look(HOCUSPOCUS[0])
    server.kill()
    for (const client of clients.splice(0)) client.destroy()
    await server.ended
    await server.restart()
    await look(Y_WEBSOCKET[0])
    return { name, edits, seconds, characters: wanted.length }
  } finally {
    for (const client of clients) client.destroy()
  }
}

class Author {
  constructor(client, agent) {
    this.client = client
    this.agent = agent
    this.desk = new Y.Doc()
    // Client ids order what two write at the same place at once; the recorded text is the one for ids ascending by agent.
    this.desk.clientID = agent + 1
    this.text = this.desk.getText('body')
  }

  /** Types one transaction, at the desk and into the client. */
  type(patches) {
    const typed = { update: null, end: 0, deleted: [] }
    this.desk.once('update', (update, _origin, _doc, transaction) => {
      typed.update = update
      typed.deleted = [...transaction.deleteSet.clients].flatMap(([client, ranges]) =>
        ranges.map(({ clock }) => Y.createID(client, clock)))
    })
    this.desk.transact(() => {
      for (const patch of patches) apply(this.text, patch)
    })
    typed.end = Y.getState(this.desk.store, this.desk.clientID)
    Y.applyUpdate(this.client.doc, typed.update, this)
    return typed
  }

  /** Whether this author's client has received a transaction of the other. */
  has(other, { end, deleted }) {
    const { store } = this.client.doc
    return Y.getState(store, other.desk.clientID) >= end &&
      deleted.every((id) => Y.getState(store, id.client) > id.clock && Y.getItem(store, id).deleted)
  }

  /** Shows a transaction of the other to the author. */
  hear({ update }) {
    Y.applyUpdate(this.desk, update, 'heard')
  }
}

/** For each transaction: the last transaction of the other agent that its author had seen, -1 for none. */
function heardBefore(txns) {
  const seen = []
  return txns.map(({ agent, parents, patches }, index) => {
    const last = [0, 1].map((each) => Math.max(-1, ...parents.map((parent) => seen[parent][each])))
    const heard = last[1 - agent]
    last[agent] = index
    seen.push(last)
    return { agent, patches, heard }
  })
}

export function apply(text, [position, deleted, inserted]) {
  if (deleted > 0) text.delete(position, deleted)
  if (inserted !== '') text.insert(position, inserted)
}
