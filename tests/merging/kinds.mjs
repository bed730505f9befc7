/**
 * Plays seeds, makes each failure short, and counts the short forms: what goes wrong, most frequent first.
 *
 *     node kinds.mjs tiptap 1..300
 */
import { Server } from '../interop/support/server.mjs'
import { play } from './support/play.mjs'
import { scenarioOf } from './support/scenario.mjs'
import { shrink } from './support/shrink.mjs'

const STORIES_LENGTH_MAX = 60
const [name, range = '1..100'] = process.argv.slice(2)
const [from, to] = range.split('..').map(Number)
const module = await import(`./support/editors/${name}.mjs`)
const kind = module[name.toUpperCase()]
const kinds = new Map()
const sums = { played: 0, failed: 0, 'left out, the binding threw': 0 }

console.warn = () => {}
console.error = () => {}
const server = await Server.start()
for (let seed = from; seed <= to; seed += 1) {
  const scenario = scenarioOf(kind, seed)
  const result = await play(kind, server, scenario)
  sums.played += 1
  if (result.stale.length > 0) sums['left out, the binding threw'] += 1
  else if (result.failed) note(scenario, result, await shortest(scenario, result))
}
await server.dispose()
for (const { seeds, story } of [...kinds.values()].sort((one, other) => other.seeds.length - one.seeds.length)) {
  console.log(
    `--- ${seeds.length} ×, SEED=${seeds.slice(0, 8).join(' ')}\n${story.slice(-STORIES_LENGTH_MAX).join('\n')}\n`,
  )
}
console.log(sums)
process.exit()

/** The same fault in as few steps as possible; null where it does not show again. */
async function shortest(scenario, result) {
  const same = (other) => other.failed && other.stale.length === 0 && fault(other) === fault(result)
  const { scenario: short, result: last } = await shrink(kind, server, scenario, same)
  return last === null ? null : { scenario: short, result: last }
}

function note(scenario, result, short) {
  sums.failed += 1
  const key = short === null ? `${fault(result)}, not again` : `${fault(short.result)}: ${outline(short.scenario)}`
  const { story } = short?.result ?? result
  const entry = kinds.get(key) ?? { seeds: [], story }
  entry.seeds.push(scenario.seed)
  if (story.length < entry.story.length) entry.story = story
  kinds.set(key, entry)
}

function fault({ error, faults, strangers }) {
  if (error) return 'broke'
  return (
    Object.keys(faults).find((key) => faults[key].length > 0) ?? (strangers.length > 0 ? 'shown otherwise' : 'none')
  )
}

/** Who does what, by the order in which people come in. */
function outline({ start, steps }) {
  const cast = [...new Set(steps.map(({ who }) => who))]
  const said = ({ who, form, what }) => `${'ABCD'[cast.indexOf(who)] ?? ''} ${form ?? what}`
  return [...start.map(({ form }) => `start ${form}`), ...steps.map(said)].join(', ')
}
