/**
 * Plays a scenario against a server, and tells what came of it.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { Gathering } from './gathering.mjs'
import { hasFaults, textOf } from './letters.mjs'
import { rescuedTexts } from './rescued.mjs'
import { shape } from './shape.mjs'

/** How many turns of the event loop people let pass who do not wait for each other. */
const TURNS = 5
let plays = 0

/**
 * @returns what happened: `failed`, `faults`, `strangers` (whose editor shows something else), `story` in lines, and
 * the `name` and `book` of the document, so that it can be looked at again later; `returned` are deleted letters that
 * are in the text, `rescued` the texts beside it
 */
export async function play(kind, server, scenario) {
  plays += 1
  const name = `${kind.name} ${scenario.seed} ${plays}`
  const story = []
  const write = (first) => {
    for (const step of scenario.start) story.push(first.act(step))
  }
  let gathering
  try {
    gathering = await Gathering.open(kind, server, name, { ...scenario, write })
    story.push(`start: ${lines(gathering.people[0])}`)
    for (const step of scenario.steps) {
      await take(gathering, step, story)
      if (scenario.calm) await gathering.delivered()
    }
    const faults = await gathering.faultsAtTheEnd()
    const strangers = await gathering.strangers()
    const failed = hasFaults(faults) || strangers.length > 0
    if (failed) story.push(...epilogue(gathering, faults, strangers))
    const returned = gathering.book.returned(textOf(gathering.witness.root))
    const rescued = await rescuedTexts(server, name)
    return {
      failed,
      faults,
      returned,
      rescued,
      strangers,
      story,
      name,
      book: gathering.book,
      stale: gathering.people.map(({ stale }) => stale).filter(Boolean),
      causes: causes(gathering, faults),
    }
  } catch (error) {
    story.push(`broke: ${error.stack}`)
    return { failed: true, error, story, name, book: gathering?.book, stale: [] }
  } finally {
    gathering?.dispose()
  }
}

/** Steps of the network: who must be how for them, what is done, and how it is told. */
const NETWORK = {
  leave: ['online', (gathering, person) => person.leave(), 'goes offline'],
  back: ['offline', (gathering, person) => gathering.back(person), 'comes back'],
  hold: ['online', (gathering, person) => person.hold(), 'has a slow line: it is held'],
  release: ['held', (gathering, person) => gathering.back(person), 'has a line that goes on'],
  reload: ['online', (gathering, person) => gathering.reload(person), 'opens the page again'],
}
const FOR_ALL = {
  deliver: [(gathering) => gathering.delivered(), 'everything is delivered'],
  turn: [turns, 'a moment passes'],
  crash: [(gathering) => gathering.crash(), 'kill -9'],
}

async function take(gathering, step, story) {
  if (step.what in FOR_ALL) {
    const [run, sentence] = FOR_ALL[step.what]
    story.push(sentence)
    return run(gathering)
  }
  const person = gathering.people[step.who]
  if (!(step.what in NETWORK)) return story.push(person.act(step))
  const [state, run, predicate] = NETWORK[step.what]
  if (person.state !== state) return
  story.push(`${person.name} ${predicate}`)
  await run(gathering, person)
}

async function turns() {
  for (let count = 0; count < TURNS; count += 1) await turn()
}

function lines({ editor }) {
  return editor.blocks.map(({ text }) => `“${text}”`).join(' ')
}

function epilogue(gathering, { missing, doubled, both }, strangers) {
  const { book, people } = gathering
  const fate = (letter) => {
    const ends = people
      .filter(({ losses }) => losses.has(letter))
      .map(({ name, losses }) => `${name}: ${losses.get(letter)}`)
    return `${letter} of ${book.author(letter) ?? 'the start'} [${ends.join('; ')}]`
  }
  return [
    `end: ${shape(gathering.witness.root)}`,
    ...(missing.length > 0 ? [`MISSING ${missing.map(fate).join(', ')}`] : []),
    ...(doubled.length > 0 ? [`DOUBLED ${doubled.map(fate).join(', ')}`] : []),
    ...(both.length > 0 ? [`IN THE TEXT AND RESCUED ${both.map(fate).join(', ')}`] : []),
    ...strangers.map(
      (name) => `${name}'s editor shows something else: ${lines(people.find((person) => person.name === name))}`,
    ),
  ]
}

/** By what the letters were lost or doubled, in a few words: for counting kinds. */
function causes({ people }, { missing, doubled, both }) {
  const kinds = new Set()
  const by = (letter) =>
    people.flatMap(({ losses }) => losses.get(letter) ?? []).map((end) => end.replace(/^\w+'s (?!own)/, ''))
  for (const [fault, letters] of Object.entries({ missing, doubled, both })) {
    for (const letter of letters)
      kinds.add(`${fault}: ${[...new Set(by(letter))].sort().join(' + ') || 'never arrived anywhere'}`)
  }
  return [...kinds].sort()
}
