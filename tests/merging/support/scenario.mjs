/**
 * A scenario from a seed: who sits at a document and what they do, as plain steps.
 *
 * Places are fractions (of the number of lines, of a line's length), so that a step still means something when others
 * have been left out. That is what makes a failure short: see `shrink.mjs`.
 */
import { Random } from '../../interop/support/random.mjs'
import { PROVIDERS } from './line.mjs'

const NAMES = ['Ann', 'Bo', 'Cy', 'Di']
const STEPS_MIN = 10
const STEPS_MAX = 61
const CRASH_SHARE = 0.04
const RUSH_STEPS = 80

/** How often each kind of step comes, out of the sum of all. */
const WEIGHTS = {
  type: 30,
  form: 26,
  delete: 7,
  'delete across lines': 2,
  'delete block': 2,
  undo: 6,
  redo: 3,
  leave: 7,
  back: 6,
  hold: 4,
  release: 4,
  reload: 1,
  deliver: 7,
  turn: 5,
}

/** Steps of the network, which a calm scenario has none of. */
const NETWORK = new Set(['leave', 'back', 'hold', 'release', 'reload', 'deliver', 'turn', 'crash'])

/** @param {{ name: string, forms: string[] }} kind of editor */
export function scenarioOf(kind, seed) {
  const random = new Random(seed * 2_654_435_761)
  const people = NAMES.slice(0, random.pick([2, 2, 2, 3, 3, 4]))
  const lines = Array.from({ length: random.between(1, 5) }, () => random.between(0, 9))
  const noise = random.fraction() < 0.5
  const context = { kind, random, people, noise, last: random.fraction() }
  const start = Array.from({ length: random.between(0, 3) }, () => ({ ...formStep(context), who: 0 }))
  const steps = Array.from({ length: random.between(STEPS_MIN, STEPS_MAX) }, () => anyStep(context))
  if (random.fraction() < CRASH_SHARE) steps.splice(random.between(0, steps.length), 0, { what: 'crash' })
  const providers = people.map((_, index) => PROVIDERS[(seed + index) % PROVIDERS.length])
  return { seed, people, providers, lines, noise: noise ? random.fraction() : null, start, steps }
}

/** The same scenario with everybody online, where each step reaches everybody before the next one. */
export function calm(scenario) {
  return { ...scenario, calm: true, steps: scenario.steps.filter(({ what }) => !NETWORK.has(what)) }
}

/** Everybody is online and types letter by letter into one line, whose form changes all the time. */
export function rushOf(kind, seed) {
  const random = new Random(seed * 2_246_822_519)
  const people = NAMES.slice(0, random.between(2, 4))
  const letter = (who) => ({ what: 'type', who, line: 0, offset: 1, count: 1, noise: null, pause: false })
  const form = () => ({
    what: 'form',
    who: random.between(0, people.length),
    form: random.pick(kind.forms),
    line: 0,
    offset: random.fraction(),
  })
  const steps = Array.from({ length: RUSH_STEPS }, () => {
    const drawn = random.fraction()
    if (drawn < 0.3) return { what: 'turn' }
    return drawn < 0.38 ? form() : letter(random.between(0, people.length))
  })
  const providers = people.map((_, index) => PROVIDERS[(seed + index) % PROVIDERS.length])
  return { seed, people, providers, lines: [random.between(1, 9), 3], noise: null, start: [], steps }
}

function anyStep(context) {
  const { random } = context
  const what = weighed(random)
  const who = random.between(0, context.people.length)
  if (what === 'form') return formStep(context)
  const step = { what, who, ...place(context), pause: random.fraction() < 0.8 }
  if (what === 'type') return { ...step, count: random.between(1, 6), noise: context.noise ? random.fraction() : null }
  return { ...step, share: random.fraction(), lines: random.between(1, 3), each: random.fraction() < 0.5 }
}

function formStep(context) {
  const { random, kind } = context
  const what = 'form'
  const who = random.between(0, context.people.length)
  const more = random.fraction() < 0.2 ? random.between(1, 3) : 0
  return { what, who, form: random.pick(kind.forms), ...place(context), more, pause: random.fraction() < 0.8 }
}

/** Every other step goes where the last one went: people meet in one line. */
function place(context) {
  const { random } = context
  if (random.fraction() < 0.5) context.last = random.fraction()
  return { line: context.last, offset: random.pick([0, 1, random.fraction(), random.fraction()]) }
}

function weighed(random) {
  const sum = Object.values(WEIGHTS).reduce((total, weight) => total + weight)
  let left = random.fraction() * sum
  for (const [what, weight] of Object.entries(WEIGHTS)) {
    left -= weight
    if (left < 0) return what
  }
  return 'deliver'
}
