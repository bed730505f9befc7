/**
 * Makes a scenario that fails as short as it can be: leaves steps out as long as it goes on failing.
 *
 * The network's timing is not in the seed, so a shorter form counts only where it fails again when it is played again.
 */
import { play } from './play.mjs'

const PLAYS_MAX = Number(process.env.PLAYS_MAX ?? 400)

/**
 * @param {(result: object) => boolean} fails what counts as the failure that is looked for
 * @returns the shortest scenario found and how its last play went
 */
export async function shrink(kind, server, scenario, fails) {
  let plays = 0
  let best = { scenario, result: null }
  const attempt = async (shorter) => {
    if (plays >= PLAYS_MAX) return false
    plays += 1
    const result = await play(kind, server, shorter)
    if (!fails(result)) return false
    best = { scenario: shorter, result }
    return true
  }
  if (!(await attempt(scenario))) return best
  let length
  do {
    length = size(best.scenario)
    await leaveOut('steps', () => best, attempt)
    await leaveOut('start', () => best, attempt)
    await leaveOut('lines', () => best, attempt)
    for (const simpler of simplerForms(best.scenario)) await attempt(simpler(best.scenario))
  } while (size(best.scenario) < length && plays < PLAYS_MAX)
  return best
}

function size({ steps, start, lines }) {
  return steps.length * 100 + start.length * 100 + lines.length * 10 + lines.reduce((sum, count) => sum + count, 0)
}

/** Leaves out halves, then smaller and smaller parts of a list. */
async function leaveOut(list, current, attempt) {
  for (
    let part = Math.ceil(current().scenario[list].length / 2);
    part >= 1;
    part = part === 1 ? 0 : Math.ceil(part / 2)
  ) {
    for (let from = 0; from < current().scenario[list].length;) {
      const { scenario } = current()
      if (list === 'lines' && scenario.lines.length === 1) return
      const shorter = { ...scenario, [list]: scenario[list].toSpliced(from, part) }
      if (!(await attempt(shorter))) from += part
    }
  }
}

/** Ways to say the same in less. */
function simplerForms({ steps, lines }) {
  const step = (index, change) => (scenario) => ({
    ...scenario,
    steps: scenario.steps.map((step, at) => (at === index ? { ...step, ...change } : step)),
  })
  return [
    (scenario) => ({ ...scenario, providers: scenario.providers.map(() => 'y-websocket') }),
    (scenario) => ({ ...scenario, steps: scenario.steps.map((step) => ({ ...step, noise: null, pause: true })) }),
    ...lines.map((_, index) => (scenario) => ({
      ...scenario,
      lines: scenario.lines.with(index, Math.min(2, scenario.lines[index])),
    })),
    ...steps.flatMap(({ what, count, more }, index) => [
      ...(what === 'type' && count > 1 ? [step(index, { count: 1 })] : []),
      ...(more > 0 ? [step(index, { more: 0 })] : []),
    ]),
  ]
}
