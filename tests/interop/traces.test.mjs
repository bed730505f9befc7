/** The recorded sessions of `npm run demo-trace` as tests. */
import { after, before, test } from 'node:test'
import { Server } from './support/server.mjs'
import { FOLDER, available, replayConcurrent, replaySequential } from './support/traces.mjs'

const skip = available() ? false : `no recorded sessions at ${FOLDER} (set EDITING_TRACES)`
/** @type {Server} */
let server

before(async () => {
  if (!skip) server = await Server.start()
})

after(() => server?.dispose())

for (const [what, replay] of [
  ['one writer after the other: every client, a fresh one and the database hold the recorded text', replaySequential],
  ['two writers at once: every client, a fresh one and the database hold the recorded text', replayConcurrent],
]) {
  test(what, { skip }, async (t) => {
    const { edits, seconds } = await replay(server)
    t.diagnostic(`${edits} edits, ${Math.round(edits / seconds)} edits/s`)
  })
}
