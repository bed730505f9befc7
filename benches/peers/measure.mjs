/**
 * One run of one scenario against one server: pinned, with a time limit, and nothing left behind.
 */
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { createConnection } from 'node:net'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { COSCRIBE, FOLDER, ROOT } from './peers.mjs'

const RUN_TIMEOUT_MS = 300_000
const TRACE_TIMEOUT_MS = 60_000
const START_TIMEOUT_MS = 20_000
const LOOK_EVERY_MS = 20
const FSYNCS = 200
/** Ports are used in turn, so that none is still in use by connections of the run before. */
const PORTS = { first: Number(process.env.PEERS_PORT ?? 9700), count: 100 }
const TRACES = process.env.EDITING_TRACES ?? join(ROOT, '..', 'shared', 'editing-traces')

let portsUsed = 0
/** Process groups that must not outlive us. */
const running = new Set()

process.on('exit', () => running.forEach(end))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

function end(pid) {
  running.delete(pid)
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

export const pins = canPin()

function canPin() {
  try {
    execFileSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' })
    return cpus().length > 1
  } catch {
    return false
  }
}

/** A command line for a shell, or the words of a command, on one core where that is possible. */
const onCore = (core, command) => (pins ? `taskset -c ${core} ${command}` : command)
const wordsOnCore = (core, words) => (pins ? ['taskset', '-c', `${core}`, ...words] : words)

function nextPort() {
  portsUsed += 1
  return PORTS.first + (portsUsed % PORTS.count)
}

/** Starts a command in a process group of its own; `ended` answers with what it wrote. */
function start([command, ...words], timeoutMs) {
  const child = spawn(command, words, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child.pid)
  const ended = new Promise((resolve) => {
    let [out, said, timedOut] = ['', '', false]
    child.stdout.on('data', (bytes) => (out += bytes))
    child.stderr.on('data', (bytes) => (said += bytes))
    const timer = setTimeout(() => {
      timedOut = true
      end(child.pid)
    }, timeoutMs)
    child.on('close', (code) => {
      clearTimeout(timer)
      end(child.pid)
      resolve({ out, said, code, timedOut })
    })
  })
  return { pid: child.pid, ended }
}

/** Answers with figures, or with `failed` and the reason. */
export async function measure(generator, peer, scenario) {
  const [load1] = loadavg()
  const since = Date.now()
  const result = scenario.traces ? await playTraces(peer, scenario.traces) : await generate(generator, peer, scenario)
  return { ...result, load1, took_s: (Date.now() - since) / 1000 }
}

async function generate(generator, peer, scenario) {
  const server = scenario.unpinned ? peer.command : onCore(0, peer.command)
  const reached = ['--dialect', peer.dialect ?? 'y-websocket', '--path', peer.path ?? '/', '--port', `${nextPort()}`]
  const words = [generator, ...scenario.load.split(' '), ...reached, '--folder', FOLDER, '--server', server]
  const { pid, ended } = start(scenario.unpinned ? words : wordsOnCore(1, words), RUN_TIMEOUT_MS)
  const { out, said, timedOut } = await ended
  // The generator removes its server's folder, unless it was killed.
  rmSync(join(FOLDER, `server-${pid}`), { recursive: true, force: true })
  if (timedOut) return { failed: `not done after ${RUN_TIMEOUT_MS / 1000} s` }
  try {
    return JSON.parse(out)
  } catch {
    return { failed: said.trim().split('\n').at(-1) || 'the generator said nothing' }
  }
}

/** Edits a second of each trace, onto a server that has nothing. After the first one that fails, none is tried. */
async function playTraces(peer, traces) {
  const figures = {}
  for (const trace of traces) {
    const { failed, edits_per_s } = await playTrace(peer, trace)
    if (failed) return { ...figures, failed: `${trace} ${failed}` }
    figures[trace] = edits_per_s
  }
  return figures
}

async function playTrace(peer, trace) {
  const file = join(TRACES, `${trace}.json.gz`)
  if (!existsSync(file)) return { failed: 'skipped: EDITING_TRACES names no directory with it' }
  const [data, report] = [join(FOLDER, 'trace-data'), join(FOLDER, 'trace.json')]
  rmSync(data, { recursive: true, force: true })
  rmSync(report, { force: true })
  mkdirSync(data, { recursive: true })
  const port = nextPort()
  const command = peer.command.replaceAll('{port}', port).replaceAll('{data}', data)
  const server = start(['sh', '-c', `exec ${onCore(0, command)}`], RUN_TIMEOUT_MS)
  try {
    if (!(await listens(port))) return { failed: 'the server does not listen' }
    const dialect = peer.dialect ?? 'y-websocket'
    const onto = ['--onto', `ws://127.0.0.1:${port}`, '--document', 'trace', '--dialect', dialect]
    const words = [COSCRIBE, 'replay', file, ...onto, '--report', report]
    const { out, said, code, timedOut } = await start(wordsOnCore(1, words), TRACE_TIMEOUT_MS).ended
    if (timedOut) return { failed: `not done after ${TRACE_TIMEOUT_MS / 1000} s` }
    if (code !== 0) return { failed: (said || out).trim().split('\n').at(-1) }
    return { edits_per_s: JSON.parse(readFileSync(report, 'utf8')).edits_per_s }
  } finally {
    end(server.pid)
    await server.ended
    rmSync(data, { recursive: true, force: true })
    rmSync(report, { force: true })
  }
}

async function listens(port) {
  const until = Date.now() + START_TIMEOUT_MS
  while (Date.now() < until) {
    const open = await new Promise((resolve) => {
      const socket = createConnection(port, '127.0.0.1')
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
      socket.on('close', () => socket.destroy())
    })
    if (open) return true
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return false
}

/** What the figures were taken on. */
export function machine() {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const pinned = pins ? 'server on core 0, generator on core 1' : 'not pinned'
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory,
    kernel: release(),
    node: process.version,
    pinned,
    ...fsyncTimes(),
  }
}

/** How long it takes to have 4 KiB more on the disk that the servers use. */
function fsyncTimes() {
  const file = join(FOLDER, 'fsync')
  const handle = openSync(file, 'w')
  const page = Buffer.alloc(4096, 1)
  const times = Array.from({ length: FSYNCS }, () => {
    const since = process.hrtime.bigint()
    writeSync(handle, page)
    fsyncSync(handle)
    return Number(process.hrtime.bigint() - since) / 1e6
  }).sort((a, b) => a - b)
  closeSync(handle)
  rmSync(file)
  return { fsync_p50_ms: times[FSYNCS / 2], fsync_p99_ms: times[Math.floor(FSYNCS * 0.99)] }
}
