/**
 * Results to Markdown: a table and a plot for each scenario, what they were taken on, and the cases that we lose.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PEERS, ROOT } from './peers.mjs'
import { plot, shown } from './plot.mjs'
import { SCENARIOS } from './scenarios.mjs'

const PAGE = join(ROOT, 'docs', 'performance.md')
const PLOTS = join(ROOT, 'docs', 'performance')
const BEGIN = '<!-- begin: written by make bench-peers -->'
const END = '<!-- end: written by make bench-peers -->'
/** Whose figures are compared with those of all others. */
const OURS = 'coscribe'

const measuredIn = (scenario) => PEERS.filter(({ only }) => !only || only.includes(scenario.name))

/** Scenarios of which there is no result for every peer. */
export function missing(results) {
  const has = (scenario, peer) =>
    results.some((result) => result.scenario === scenario.name && result.peer === peer.name)
  const lacking = SCENARIOS.filter((scenario) => !measuredIn(scenario).every((peer) => has(scenario, peer)))
  return lacking.map(({ name }) => name)
}

/** Median, least and most of a figure; undefined where no run has it. */
function summary(results, scenario, peer, key) {
  const runs = results.filter((result) => result.scenario === scenario && result.peer === peer)
  const values = runs.map((result) => result[key]).filter((value) => typeof value === 'number')
  if (!values.length) return undefined
  values.sort((a, b) => a - b)
  const median = values[Math.floor(values.length / 2)]
  return { median, least: values[0], most: values.at(-1), full: runs.some((run) => run.generator_full) }
}

function cell(found) {
  if (!found) return '–'
  const { median, least, most, full } = found
  const spread = least === most ? '' : ` (${shown(least)} to ${shown(most)})`
  return `${shown(median)}${spread}${full ? ' \\*' : ''}`
}

/** Why runs of a peer have no figures, each reason once. */
function reasons(results, scenario, peer) {
  const own = results.filter((result) => result.scenario === scenario && result.peer === peer)
  const timedOut = (s) => s && `not typed within ${s} s; sent as one update instead`
  const all = own.flatMap((result) => [
    result.failed,
    result.cold_failed && `cold: ${result.cold_failed}`,
    timedOut(result.load_timed_out_s),
  ])
  return [...new Set(all.filter(Boolean))].join('; ')
}

function table(results, scenario) {
  const peers = measuredIn(scenario).filter((peer) =>
    results.some((result) => result.scenario === scenario.name && result.peer === peer.name),
  )
  const headings = scenario.figures.map(([, heading, unit]) => (unit ? `${heading}, ${unit}` : heading))
  const row = (cells) => `| ${cells.join(' | ')} |`
  const rows = peers.map(({ name }) =>
    row([name, ...scenario.figures.map(([key]) => cell(summary(results, scenario.name, name, key)))]),
  )
  const why = peers
    .map(({ name }) => [name, reasons(results, scenario.name, name)])
    .filter(([, reason]) => reason)
    .map(([name, reason]) => `- ${name}: ${reason.replaceAll('|', '/')}`)
  const lines = [row(['', ...headings]), row(['---', ...headings.map(() => '---:')]), ...rows]
  return [...lines, ...(why.length ? ['', ...why] : [])].join('\n')
}

/** Figures in which other servers' medians are better than ours, the worst first. */
function losses(results) {
  const found = []
  for (const scenario of SCENARIOS) {
    for (const [key, heading, unit, better] of scenario.figures) {
      const own = summary(results, scenario.name, OURS, key)
      if (!better || !own) continue
      const others = measuredIn(scenario)
        .filter(({ name }) => !name.startsWith(OURS))
        .map(({ name }) => ({ name, median: summary(results, scenario.name, name, key)?.median }))
        .filter(({ median }) => (better === 'less' ? median < own.median : median > own.median))
        .map((other) => ({ ...other, by: better === 'less' ? own.median / other.median : other.median / own.median }))
        .sort((a, b) => b.by - a.by)
      if (!others.length) continue
      const named = others.map(({ name, median }) => `${name} ${shown(median)}`).join(', ')
      const figure = `${shown(own.median)} ${unit}`.trim()
      found.push({ by: others[0].by, text: `${scenario.title}: ${heading}: ${figure}; better: ${named}` })
    }
  }
  return found.sort((a, b) => b.by - a.by).map(({ text }) => `- ${text}`)
}

function preface(results) {
  const { machine } = results.at(-1)
  const dates = [...new Set(results.map(({ date }) => date))].sort()
  const runs = Math.max(...results.map(({ run }) => run))
  const peers = PEERS.filter(({ name }) => results.some(({ peer }) => peer === name)).map(({ name, note }) => {
    const version = results.findLast((result) => result.peer === name && result.version)?.version
    return `- ${name}${version ? ` ${version}` : ''}: ${note}`
  })
  const ms = (value) => `${value.toFixed(1)} ms`
  const when = dates.length > 1 ? `from ${dates[0]} to ${dates.at(-1)}` : `on ${dates[0]}`
  const often = runs === 1 ? 'one run each' : `median of ${runs} runs (least to most)`
  const computer = `${machine.cores} cores of ${machine.cpu}, ${machine.memory} of memory`
  const system = `Linux ${machine.kernel}, Node ${machine.node}; ${machine.pinned}`
  const disk = `an fsync of 4 KiB takes ${ms(machine.fsync_p50_ms)} (p50), ${ms(machine.fsync_p99_ms)} (p99)`
  return [
    `Taken ${when}, ${often}, on ${computer}, ${system}; ${disk}.`,
    'Where a figure has a \\*, the generator was full: the server may be better.',
    'A setting of a server is measured where it matters.',
    '',
    ...peers,
  ].join('\n')
}

/** Scenarios of which there is any result. */
const shownOf = (results) => SCENARIOS.filter(({ name }) => results.some(({ scenario }) => scenario === name))

/** All tables of what was measured. */
export function tables(results) {
  const parts = shownOf(results).map((scenario) => `### ${scenario.title}\n\n${table(results, scenario)}`)
  return [preface(results), ...parts].join('\n\n')
}

function page(results) {
  const parts = shownOf(results).map((scenario) => {
    const picture = scenario.plot ? `![${scenario.title}, plotted](performance/${scenario.name}.svg)\n\n` : ''
    const note = scenario.note ? `${scenario.note}\n\n` : ''
    return `### ${scenario.title}\n\n\`${scenario.load ?? 'coscribe replay'}\`\n\n${note}${picture}${table(results, scenario)}`
  })
  const lost = losses(results)
  const list = lost.length ? lost.join('\n') : 'None of these figures.'
  const lacking = missing(results)
  const left = lacking.length ? `Not measured, or not with all of these servers, this time: ${lacking.join(', ')}.` : ''
  const told = 'The line under each heading is what the load generator (`benches/load`) was told.'
  const sections = [preface(results), told, left, ...parts, `### Where another server is better\n\n${list}`]
  return sections.filter(Boolean).join('\n\n')
}

/** Puts everything into docs/performance.md, between its markers, and the plots beside it. */
export function write(results) {
  const text = readFileSync(PAGE, 'utf8')
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (start < 0 || end < start) throw new Error(`${PAGE} does not have the lines ${BEGIN} and ${END}`)
  mkdirSync(PLOTS, { recursive: true })
  for (const scenario of shownOf(results).filter((each) => each.plot)) {
    const [key, heading, unit, better] = scenario.figures.find(([key]) => key === scenario.plot)
    const has = ({ name }) => results.some((one) => one.peer === name && one.scenario === scenario.name)
    const bars = measuredIn(scenario).filter(has).map(({ name }) => {
      const found = summary(results, scenario.name, name, key)
      return { name, value: found?.median, ours: name.startsWith(OURS) }
    })
    const labels = { title: scenario.title, figure: unit ? `${heading}, ${unit}` : heading, better }
    writeFileSync(join(PLOTS, `${scenario.name}.svg`), plot(labels, bars))
  }
  writeFileSync(PAGE, `${text.slice(0, start)}${BEGIN}\n\n${page(results)}\n\n${text.slice(end)}`)
  console.log(`written to ${PAGE}`)
}
