/**
 * `npm run history`: what a long history takes up, and how long it takes to read any moment of it.
 *
 * Plays recorded sessions onto a server by each dialect, compares texts at random moments with a plain replay of the
 * recording (not with `ONLY_LONGEST=1`), packs, looks the database over, and reads the longest one at 1,000 random moments. Times are CPU time of the
 * server, as Linux counts it for its threads.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { Server, binary } from './support/server.mjs'
import { FOLDER, available, load } from './support/traces.mjs'

const LONGEST = 'automerge-paper'
const OTHERS = process.env.ONLY_LONGEST ? [] : ['sveltecomponent', 'seph-blog1']
const DIALECTS = ['y-websocket', 'hocuspocus', 'y-sweet']
const COMPARED = 100
const READ = 1_000

/** The same numbers in every run (SplitMix32). */
function random(seed) {
  return () => {
    seed = (seed + 0x9e3779b9) | 0
    let mixed = seed ^ (seed >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

/** The texts after some numbers of edits, by a plain replay; positions count code points. */
function plainTexts(patches, moments) {
  const wanted = new Set(moments)
  const texts = new Map([[0, '']])
  const characters = []
  for (const [index, [position, deleted, inserted]] of patches.entries()) {
    characters.splice(position, deleted, ...inserted)
    if (wanted.has(index + 1)) texts.set(index + 1, characters.join(''))
  }
  return texts
}

const patchesOf = (name) => load(name).txns.flatMap((txn) => txn.patches)

function play(server, name, document, dialect) {
  const file = `${FOLDER}/${name}.json.gz`
  const onto = ['--onto', `ws://${server.host}`, '--document', document, '--dialect', dialect]
  return execFileSync(binary(), ['replay', file, ...onto], { encoding: 'utf8' }).trim()
}

/** On a connection of its own: one that was kept alive may be closed by now. */
const ALONE = { headers: { connection: 'close' } }

async function textAt(server, document, seq) {
  const answer = await fetch(`${server.http}/api/v1/documents/${document}/content?seq=${seq}`, ALONE)
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
  return answer.text()
}

async function compare(server, name, document, moments) {
  const texts = plainTexts(patchesOf(name), moments)
  for (const seq of moments) {
    if ((await textAt(server, document, seq)) !== texts.get(seq)) throw new Error(`${document}: the text at ${seq} is another one`)
  }
}

/** Nanoseconds that the threads of a process have run. */
function cpuNs(pid) {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.reduce((sum, thread) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
    } catch {
      return sum
    }
  }, 0)
}

const quantile = (values, q) => values.sort((a, b) => a - b)[Math.floor((values.length - 1) * q)]
const ms = (ns) => (ns / 1e6).toFixed(1)

async function measured(server, work) {
  const before = cpuNs(server.pid)
  await work()
  return cpuNs(server.pid) - before
}

if (!available()) {
  console.log(`skipped: no recorded sessions at ${FOLDER} (set EDITING_TRACES)`)
} else {
  const next = random(7)
  const server = await Server.start({
    COSCRIBE_LIMITS_CONNECTION_MESSAGES_PER_S_MAX: '4294967295',
    COSCRIBE_LIMITS_CONNECTION_BYTES_PER_S_MAX: '4294967295',
  })
  try {
    const moments = (name, count) => Array.from({ length: count }, () => Math.floor(next() * (patchesOf(name).length + 1)))
    for (const name of OTHERS) {
      for (const dialect of DIALECTS) {
        console.log(play(server, name, `${name}-${dialect}`, dialect))
        await compare(server, name, `${name}-${dialect}`, moments(name, COMPARED))
      }
    }
    if (OTHERS.length > 0) console.log(`${OTHERS.join(', ')}: ${COMPARED} random moments of each, by each dialect, are the recorded ones`)
  } finally {
    await server.dispose()
  }

  const alone = await Server.start({ COSCRIBE_LIMITS_CONNECTION_MESSAGES_PER_S_MAX: '4294967295', COSCRIBE_LIMITS_CONNECTION_BYTES_PER_S_MAX: '4294967295' })
  try {
    console.log(play(alone, LONGEST, LONGEST, 'y-websocket'))
    await alone.stop()
    const compacted = execFileSync(binary(), ['compact', '--database', alone.databaseFile], { encoding: 'utf8' }).trim()
    console.log(compacted.replaceAll(alone.databaseFile, 'the database'))
    console.log(`the whole database: ${statSync(alone.databaseFile).size} bytes`)
    console.log(execFileSync(binary(), ['fsck', '--database', alone.databaseFile], { encoding: 'utf8' }).trim())
    await alone.restart()
    const authors = async () => {
      const answer = await fetch(`${alone.http}/api/v1/documents/${LONGEST}/authors`, ALONE)
      await answer.arrayBuffer()
    }
    console.log(`authors of the final text: ${ms(await measured(alone, authors))} ms with everything still to be read, ${ms(await measured(alone, authors))} ms after that`)
    const times = []
    for (const seq of moments(READ)) times.push(await measured(alone, () => textAt(alone, LONGEST, seq)))
    console.log(`text at ${READ} random moments, CPU of the server: p50 ${ms(quantile(times, 0.5))} ms, p99 ${ms(quantile(times, 0.99))} ms`)
    await compare(alone, LONGEST, LONGEST, moments(COMPARED))
    console.log(`${LONGEST}: ${COMPARED} random moments are the recorded ones`)
    function moments(count) {
      const edits = patchesOf(LONGEST).length
      return Array.from({ length: count }, () => Math.floor(next() * (edits + 1)))
    }
  } finally {
    await alone.dispose()
  }
}
