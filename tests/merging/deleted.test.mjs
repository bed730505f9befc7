/**
 * What somebody deletes, while everything is delivered, does not come back; and what stays is there once.
 *
 * The scenarios of the property without its network: everybody is online, and each step has reached everybody before
 * the next one. Nobody undoes, since an undo may bring back what it likes of its own author's.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Server } from '../interop/support/server.mjs'
import { BLOCKNOTE } from './support/editors/blocknote.mjs'
import { LEXICAL } from './support/editors/lexical.mjs'
import { TIPTAP } from './support/editors/tiptap.mjs'
import { play } from './support/play.mjs'
import { calm, scenarioOf } from './support/scenario.mjs'
import { seeds } from './support/property.mjs'

const SEEDS = 3
let server

before(async () => {
  console.warn = () => {}
  console.error = () => {}
  server = await Server.start()
})
after(() => server.dispose())

function withoutUndo(scenario) {
  return { ...scenario, steps: scenario.steps.filter(({ what }) => what !== 'undo' && what !== 'redo') }
}

for (const kind of [TIPTAP, BLOCKNOTE, LEXICAL]) {
  test(`${kind.name}: what was deleted in quiet does not come back`, async () => {
    for (const seed of seeds(SEEDS)) {
      const result = await play(kind, server, withoutUndo(calm(scenarioOf(kind, seed))))
      assert.ok(!result.failed, `SEED=${seed}\n${result.story.join('\n')}`)
      assert.deepEqual(result.returned, [], `SEED=${seed}, what came back\n${result.story.join('\n')}`)
      assert.deepEqual(result.rescued, [], `SEED=${seed}, rescued\n${result.story.join('\n')}`)
    }
  })
}
