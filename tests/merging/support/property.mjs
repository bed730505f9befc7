/**
 * The property, for one kind of editor: every letter that nobody deleted on purpose is in the text or rescued, once.
 *
 * `SEED=n` plays one seed and prints its story whatever comes of it, `SEEDS=a..b` a range; `SHRINK=1` prints a failure
 * in the shortest form that still fails. The network's timing is not in a seed: a failure of an unlucky moment may need
 * some plays until it shows again.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Server } from '../../interop/support/server.mjs'
import { hasFaults, textOf } from './letters.mjs'
import { play } from './play.mjs'
import { rescuedTexts } from './rescued.mjs'
import { scenarioOf } from './scenario.mjs'
import { shrink } from './shrink.mjs'
import { stored } from './stored.mjs'

const STORIES_SHOWN = 5

/** Seeds of this run; `count` of them where nothing is said. */
export function seeds(count) {
  const { SEED, SEEDS } = process.env
  if (SEED) return [Number(SEED)]
  const [from, to] = SEEDS ? SEEDS.split('..').map(Number) : [1, count]
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

/**
 * Declares the tests.
 * @param {number} count of seeds where nothing is said
 * @param {typeof scenarioOf} draw makes a scenario of a seed
 */
export function noLetterIsLost(kind, count, draw = scenarioOf) {
  const played = []
  let server

  before(async () => {
    // Bindings warn of what they mend, and y-protocols of what they throw.
    console.warn = () => {}
    console.error = () => {}
    server = await Server.start()
  })
  after(() => server.dispose())

  test(`${kind.name}: no letter is lost or doubled by another's change of form`, async (context) => {
    const failures = []
    for (const seed of seeds(count)) {
      const scenario = draw(kind, seed)
      const result = await play(kind, server, scenario)
      if (result.stale.length === 0) played.push(result)
      if (process.env.SEED) context.diagnostic(`\n${result.story.join('\n')}`)
      if (result.failed && result.stale.length === 0) failures.push(await failure(kind, server, scenario, result))
    }
    context.diagnostic(`${played.length} of ${seeds(count).length} seeds played; in the others the binding threw`)
    const stories = failures.slice(0, STORIES_SHOWN).join('\n')
    assert.equal(failures.length, 0, `${failures.length} of ${played.length} seeds failed\n${stories}`)
  })

  test(`${kind.name}: so it is still, a while later and after kill -9`, async () => {
    const held = played.filter(({ failed }) => !failed)
    assert.deepEqual(await spoiled(kind, server, held), [])
    server.kill()
    await server.ended
    await server.restart()
    assert.deepEqual(await spoiled(kind, server, held), [])
  })
}

async function failure(kind, server, scenario, result) {
  const shorter = process.env.SHRINK ? await shrink(kind, server, scenario, ({ failed }) => failed) : null
  const { story } = shorter?.result ?? result
  return `--- SEED=${scenario.seed}\n${story.join('\n')}`
}

/** Documents in which something is wrong now. */
async function spoiled(kind, server, results) {
  const bad = []
  for (const { name, book } of results) {
    const doc = await stored(server, name)
    const faults = book.faults(textOf(kind.root(doc)), await rescuedTexts(server, name))
    if (hasFaults(faults)) bad.push({ name, ...faults })
  }
  return bad
}
