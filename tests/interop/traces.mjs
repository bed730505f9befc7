/**
 * `npm run demo-trace`: recorded sessions of real people, typed live through a server that it starts itself.
 *
 * Ends with an error if any client, a fresh client or the database does not hold the recorded text.
 */
import { FOLDER, available, replayConcurrent, replaySequential } from './support/traces.mjs'
import { Server } from './support/server.mjs'

const BAR_WIDTH = 40

function progressBar(label) {
  if (!process.stdout.isTTY) return () => {}
  return (done, all) => {
    const filled = Math.round((done / all) * BAR_WIDTH)
    const bar = '#'.repeat(filled).padEnd(BAR_WIDTH)
    process.stdout.write(`\r${label} [${bar}] ${done}/${all}${done === all ? '\n' : ''}`)
  }
}

if (!available()) {
  console.log(`skipped: no recorded sessions at ${FOLDER} (set EDITING_TRACES)`)
} else {
  const server = await Server.start()
  try {
    console.log(`typing into ${server.http}`)
    for (const [label, replay] of [['one after the other', replaySequential], ['two at once', replayConcurrent]]) {
      const { name, edits, seconds, characters } = await replay(server, progressBar(label))
      console.log(`${name}, ${label}: ${edits} edits in ${seconds.toFixed(1)} s, ${Math.round(edits / seconds)} edits/s; ` +
        `the recorded ${characters} characters on every client, on a fresh client, and after kill -9 in the database`)
    }
  } finally {
    await server.dispose()
  }
}
