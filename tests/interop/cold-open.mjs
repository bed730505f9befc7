/**
 * `npm run cold-open`: how long the first person waits for a document with a long history.
 *
 * Types the trace `automerge-paper` (259,778 edits, one update each) through a server that it starts itself, then
 * restarts the server several times and measures from the start of a connection to the last byte of the first sync.
 */
import { WebSocket } from 'ws'
import { HOCUSPOCUS } from './support/clients.mjs'
import { Server } from './support/server.mjs'
import { FOLDER, apply, available, load } from './support/traces.mjs'

const NAME = 'automerge-paper'
const RESTARTS = 5
/** Edits typed in one turn of the event loop. */
const BURST = 500
/** A y-websocket step 1 of somebody who has nothing, and how its answer begins. */
const STEP_1 = Uint8Array.of(0, 0, 1, 0)
const STEP_2 = [0, 1]

async function type(server) {
  const client = HOCUSPOCUS[0].open(server, NAME)
  await client.synced()
  const { txns, endContent } = load(NAME)
  const edits = txns.flatMap((txn) => txn.patches)
  const started = performance.now()
  for (const [index, patch] of edits.entries()) {
    client.doc.transact(() => apply(client.text, patch))
    if (index % BURST === BURST - 1) await new Promise(setImmediate)
  }
  await client.saved()
  const seconds = (performance.now() - started) / 1000
  if (client.text.toString() !== endContent) throw new Error('the text is not the recorded one')
  client.destroy()
  return { edits: edits.length, seconds }
}

function open(server) {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const socket = new WebSocket(`${server.http.replace('http', 'ws')}/sync/${NAME}`)
    socket.on('open', () => socket.send(STEP_1))
    socket.on('error', reject)
    socket.on('message', (data) => {
      if (!STEP_2.every((byte, at) => data[at] === byte)) return
      socket.close()
      resolve({ ms: performance.now() - started, bytes: data.length })
    })
  })
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)].toFixed(1)

if (!available()) {
  console.log(`skipped: no recorded sessions at ${FOLDER} (set EDITING_TRACES)`)
} else {
  const server = await Server.start()
  try {
    const { edits, seconds } = await type(server)
    console.log(`${NAME}: ${edits} edits typed and saved in ${seconds.toFixed(1)} s, ${Math.round(edits / seconds)} edits/s`)
    const [cold, warm] = [[], []]
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      server.kill()
      await server.ended
      await server.restart()
      const first = await open(server)
      cold.push(first.ms)
      warm.push((await open(server)).ms)
      if (restart === 0) console.log(`first sync of ${first.bytes} bytes`)
    }
    console.log(`median of ${RESTARTS}: cold ${median(cold)} ms, warm ${median(warm)} ms`)
  } finally {
    await server.dispose()
  }
}
