/**
 * The servers that are measured, and how they are installed: from their registries, at exactly these versions,
 * into target/peers. What cannot be installed is skipped, with the reason.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = dirname(fileURLToPath(import.meta.url))
export const ROOT = join(HERE, '..', '..')
const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target')
/** Peers, their servers' data and the results. */
export const FOLDER = join(TARGET, 'peers')
export const COSCRIBE = process.env.COSCRIBE_BIN ?? join(TARGET, 'release', 'coscribe')

const Y_SWEET_VERSION = '0.9.1'
const Y_SWEET = join(FOLDER, 'bin', 'y-sweet')
/** Of both registries; building y-sweet takes some minutes. */
const INSTALL_TIMEOUT_MS = 45 * 60_000

const coscribe = (flags) => `'${COSCRIBE}' serve --listen 127.0.0.1:{port} --database '{data}/coscribe.db' ${flags}`
const hocuspocus = (flags) => `node '${FOLDER}/hocuspocus.mjs' {port} '{data}/documents.sqlite' ${flags}`
const yWebsocket = (variables) =>
  `env HOST=127.0.0.1 PORT={port} ${variables} node '${FOLDER}/node_modules/@y/websocket-server/src/server.js'`

/**
 * `command` is for a shell; the generator fills in the port and an empty folder. `only` names the scenarios for which a
 * setting of a server matters. `note` is what a reader of the tables must know.
 */
export const PEERS = [
  {
    name: 'coscribe',
    note: 'as it comes: on disk before anybody sees it',
    command: coscribe(''),
    path: '/sync/',
    version: () => output(COSCRIBE, ['--version']).replace('coscribe ', ''),
  },
  {
    name: 'coscribe-process',
    note: '`--durability process`: in the log before anybody sees it, on disk before it is called saved',
    command: coscribe('--durability process'),
    path: '/sync/',
    only: ['quiet', 'fanout', 'saturate'],
  },
  {
    name: 'coscribe-lowest-latency',
    note: '`timing.flush_interval_max_ms = 0`: a crowd does not gather',
    command: coscribe('--set timing.flush_interval_max_ms=0'),
    path: '/sync/',
    only: ['quiet', 'fanout', 'saturate'],
  },
  {
    name: 'hocuspocus',
    note: 'with its SQLite extension, which stores some seconds later',
    install: 'npm',
    command: hocuspocus(''),
    dialect: 'hocuspocus',
    version: () => npmVersion('@hocuspocus/server'),
  },
  {
    name: 'hocuspocus-20ms',
    note: 'the same with `flushDelay: 20`',
    install: 'npm',
    command: hocuspocus('20'),
    dialect: 'hocuspocus',
    only: ['fanout', 'crowd', 'saturate'],
  },
  {
    name: 'y-sweet',
    note: 'with its folder, which it writes every ten seconds',
    install: 'cargo',
    command: `'${Y_SWEET}' serve --host 127.0.0.1 --port {port} '{data}/store'`,
    dialect: 'y-sweet',
    version: () => Y_SWEET_VERSION,
  },
  {
    name: 'y-websocket',
    note: '`@y/websocket-server`, the reference; keeps documents in memory only',
    install: 'npm',
    command: yWebsocket(''),
    version: () => npmVersion('@y/websocket-server'),
  },
  {
    name: 'y-websocket-leveldb',
    note: 'the same with its LevelDB store',
    install: 'npm',
    command: yWebsocket("YPERSISTENCE='{data}/level'"),
    only: ['quiet', 'fanout', 'bigdoc', 'durable', 'durable1000'],
  },
]

function output(command, args, options = {}) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options }).trim()
}

function npmVersion(name) {
  return JSON.parse(readFileSync(join(FOLDER, 'node_modules', name, 'package.json'), 'utf8')).version
}

/** The last lines that a command wrote before it failed. */
function why(error) {
  const said = `${error.stdout ?? ''}\n${error.stderr ?? ''}`.trim().split('\n').slice(-3).join(' | ')
  return said || error.message
}

/**
 * Installs what the peers need; answers with the reason for each way of installing that failed.
 */
export function install(peers) {
  mkdirSync(FOLDER, { recursive: true })
  const failed = {}
  for (const [way, how] of Object.entries({ npm: installNpm, cargo: installCargo })) {
    if (!peers.some((peer) => peer.install === way)) continue
    try {
      how()
    } catch (error) {
      failed[way] = `could not be installed: ${why(error)}`
    }
  }
  return failed
}

function installNpm() {
  for (const file of ['package.json', 'package-lock.json', 'hocuspocus.mjs']) {
    copyFileSync(join(HERE, file), join(FOLDER, file))
  }
  const wanted = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8')).dependencies
  const loads = () => {
    const there = Object.entries(wanted).every(([name, version]) => {
      return existsSync(join(FOLDER, 'node_modules', name)) && npmVersion(name) === version
    })
    if (!there) return false
    try {
      // Both have a part in C++ that must fit this Node.
      const script = "new (require('better-sqlite3'))(':memory:'); require('leveldown')"
      output('node', ['--eval', script], { cwd: FOLDER })
      return true
    } catch {
      return false
    }
  }
  if (loads()) return
  console.error('installing the peers that are npm packages')
  const options = { cwd: FOLDER, timeout: INSTALL_TIMEOUT_MS }
  output('npm', ['ci', '--no-audit', '--no-fund'], options)
  if (loads()) return
  // No prebuilt ones could be had, or npm did not run their scripts: they are built here.
  const env = { ...process.env, npm_config_build_from_source: 'true' }
  output('npm', ['rebuild', 'better-sqlite3', 'leveldown'], { ...options, env })
  if (!loads()) throw new Error('better-sqlite3 or leveldown could not be built')
}

function installCargo() {
  if (existsSync(Y_SWEET)) return
  console.error('building y-sweet, which takes some minutes')
  const args = ['install', '--locked', '--version', Y_SWEET_VERSION, '--root', FOLDER, 'y-sweet']
  // Its own target folder: ours is another cargo's.
  const env = { ...process.env, CARGO_TARGET_DIR: join(FOLDER, 'y-sweet-target') }
  output('cargo', args, { env, timeout: INSTALL_TIMEOUT_MS })
}
