/**
 * `make bench-peers`: measures coscribe and other Yjs servers, one after the other, and writes
 * tables and plots into docs/performance. `make figures` (`--figures`): coscribe alone, printed, nothing written.
 *
 *   RUNS=1                        runs of each; the median is shown (3)
 *   PEERS=coscribe,hocuspocus     these only; the names are in peers.mjs
 *   SCENARIOS=fanout,idle         these only; the names are in scenarios.mjs
 *   RENDER=1                      measure nothing; write what was measured last, be it not everything
 *   EDITING_TRACES=DIRECTORY      where the recorded sessions are (default: ../shared/editing-traces)
 *
 * What is measured goes to target/peers/results.jsonl and replaces what was there of the same peers and scenarios.
 * Tables are written when all peers and scenarios are there.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machine, measure } from './measure.mjs'
import { FOLDER, PEERS, ROOT, install } from './peers.mjs'
import { shown } from './plot.mjs'
import { missing, tables, write } from './render.mjs'
import { SCENARIOS } from './scenarios.mjs'

const RESULTS = join(FOLDER, 'results.jsonl')
const FIGURES = process.argv.includes('--figures')
const RUNS = Number(process.env.RUNS ?? 3)

/** Those that a variable names, or all. */
function select(all, variable) {
  const wanted = process.env[variable]?.split(',')
  const unknown = wanted?.filter((name) => !all.some((each) => each.name === name))
  if (unknown?.length) {
    console.error(`${variable}: there is no ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`)
    process.exit(2)
  }
  return all.filter(({ name }) => !wanted || wanted.includes(name))
}

function builtGenerator() {
  const args = ['bench', '--locked', '--no-run', '--bench', 'load', '--message-format', 'json-render-diagnostics']
  const built = spawnSync('cargo', args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  })
  if (built.status !== 0) throw new Error(`cargo ${args.join(' ')} failed`)
  const made = built.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const generator = made.findLast((each) => each.target?.name === 'load' && each.executable)?.executable
  execFileSync(generator, ['self-check'], { stdio: 'inherit' })
  return generator
}

const stored = () =>
  existsSync(RESULTS)
    ? readFileSync(RESULTS, 'utf8')
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : []

async function measureAll(peers, scenarios) {
  const generator = builtGenerator()
  const failed = install(peers)
  const on = machine()
  const results = []
  const date = new Date().toISOString().slice(0, 10)
  for (let run = 1; run <= RUNS; run++) {
    for (const scenario of scenarios) {
      for (const peer of peers.filter(({ only }) => !only || only.includes(scenario.name))) {
        const reason = failed[peer.install]
        const result = reason ? { failed: reason } : await measure(generator, peer, scenario)
        const version = reason ? undefined : peer.version?.()
        results.push({ peer: peer.name, scenario: scenario.name, run, date, version, machine: on, ...pick(result) })
        const figures = scenario.figures.map(
          ([key, heading, unit]) => `${heading} ${typeof result[key] === 'number' ? shown(result[key]) : '–'} ${unit}`,
        )
        console.error(
          `${run}/${RUNS} ${scenario.name} ${peer.name}: ${[...figures, result.failed].filter(Boolean).join(', ')}`,
        )
      }
    }
  }
  return results
}

function render(results) {
  if (!results.length) throw new Error(`nothing has been measured: ${RESULTS} is empty or not there`)
  write(results)
}

/** The peer's and scenario's names in a result are ours. */
function pick({ scenario, label, ...figures }) {
  return figures
}

async function main() {
  const own = PEERS.filter(({ name }) => name.startsWith('coscribe'))
  const peers = select(FIGURES ? own : PEERS, 'PEERS')
  const scenarios = select(SCENARIOS, 'SCENARIOS')
  if (process.env.RENDER) return render(stored())
  const results = await measureAll(peers, scenarios)
  if (FIGURES) return console.log(tables(results))
  const again = new Set(results.map(({ peer, scenario }) => `${peer} ${scenario}`))
  const kept = stored().filter(({ peer, scenario }) => !again.has(`${peer} ${scenario}`))
  const all = [...kept, ...results]
  writeFileSync(RESULTS, all.map((result) => `${JSON.stringify(result)}\n`).join(''))
  const lacking = missing(all)
  if (!lacking.length) return write(all)
  console.log(tables(results))
  console.log(`not written to docs/performance.md: not measured with all peers yet are ${lacking.join(', ')}`)
}

await main()
