/**
 * Whoever is not let in costs nothing: no memory that stays, no document, no row; and the log says why, without the token.
 *
 * `@hocuspocus/provider`'s wire is used by hand here: ten thousand stock providers would measure themselves.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import WebSocket from 'ws'
import * as encoding from 'lib0/encoding'
import { Server } from './support/server.mjs'

const MEBIBYTE = 1 << 20
const GROWTH_BYTES_MAX = 16 * MEBIBYTE
const JOINS = 10_000
const AT_ONCE = 50

/** A token that looks like one and is signed by nobody. Its parts must not stand in any log. */
const FORGED = [
  Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url'),
  Buffer.from('{"sub":"mallory-the-subject","documents":"*","level":"admin","exp":4000000000}').toString('base64url'),
  'c2lnbmF0dXJlLW9mLW5vYm9keS1hdC1hbGwtcmVhbGx5',
].join('.')

const LINK = 'share-bm90LWEtbGluay1hdC1h'

const UPGRADE = {
  connection: 'upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

let directory, server

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'coscribe-interop-'))
  const secret = join(directory, 'secret')
  await writeFile(secret, 'a secret that is only known to this test')
  server = await Server.start({ COSCRIBE_AUTH_SECRET_FILES: secret, COSCRIBE_LOG_FILTER: 'debug' })
})

after(async () => {
  await server.dispose()
  await rm(directory, { recursive: true })
})

/** Status of an upgrade that is refused. */
function upgrade(agent, path, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = get(server.http + path, { agent, headers: { ...UPGRADE, ...headers } })
    request.on('response', (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    request.on('upgrade', (_, socket) => {
      socket.destroy()
      resolve(101)
    })
    request.on('error', reject)
  })
}

/** Hocuspocus logins on one socket, each for another document; how many were denied, and how the socket ended. */
function logIn(count, token) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.http.replace('http', 'ws')}/collab`)
    let denied = 0
    socket.binaryType = 'nodebuffer'
    socket.on('error', reject)
    socket.on('open', () => {
      for (let index = 0; index < count; index += 1) {
        const encoder = encoding.createEncoder()
        encoding.writeVarString(encoder, `document ${index}`)
        encoding.writeVarUint(encoder, 2)
        encoding.writeVarUint(encoder, 0)
        encoding.writeVarString(encoder, token)
        socket.send(encoding.toUint8Array(encoder))
      }
    })
    socket.on('message', (bytes) => {
      denied += Number(bytes.includes('permission-denied'))
      if (denied === count) socket.close()
    })
    socket.on('close', (code) => resolve({ denied, code }))
  })
}

async function metric(name) {
  const text = await (await fetch(`${server.http}/metrics`)).text()
  return Number(new RegExp(`^coscribe_${name} (.*)$`, 'm').exec(text)[1])
}

/** Runs `task` so many times, some at once; returns how often each result came. */
async function tally(count, task) {
  const results = new Map()
  let next = 0
  const worker = async () => {
    while (next < count) {
      next += 1
      const result = await task(next)
      results.set(result, (results.get(result) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return Object.fromEntries(results)
}

describe('ten thousand refused joins', () => {
  test('leave no document, no row and under 16 MB', async (t) => {
    // Everything that is set up once is set up before it is measured.
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
    await tally(500, (n) => upgrade(agent, `/sync/warm-${n}?token=${FORGED}`))
    const atStart = server.residentBytes

    const third = Math.floor(JOINS / 4)
    assert.deepEqual(await tally(third, (n) => upgrade(agent, `/sync/d${n}?token=${FORGED}`)), { 401: third })
    assert.deepEqual(await tally(third, (n) => upgrade(agent, `/d/d${n}/ws/d${n}?token=${LINK}`)), { 401: third })
    const offered = { 'sec-websocket-protocol': `yauth-${FORGED}` }
    assert.deepEqual(await tally(third, (n) => upgrade(agent, `/sync/e${n}`, offered)), { 401: third })
    const perSocket = 50
    const denials = await tally(third / perSocket, async () => (await logIn(perSocket, FORGED)).denied)
    assert.deepEqual(denials, { [perSocket]: third / perSocket })
    agent.destroy()

    const growth = server.residentBytesPeak - atStart
    t.diagnostic(`memory grew by ${(growth / MEBIBYTE).toFixed(1)} MiB at most`)
    assert.ok(growth < GROWTH_BYTES_MAX, `memory grew by ${(growth / MEBIBYTE).toFixed(1)} MiB`)
    assert.equal(await metric('documents_loaded'), 0)
    assert.equal(await metric('load_seconds_count'), 0)
    assert.equal(await metric('log_rows'), 0)
  })

  test('are logged with the reason and without the token', () => {
    const log = server.output.join('\n')
    assert.match(log, /login (refused|denied)/)
    assert.match(log, /signature/)
    for (const secret of [FORGED, ...FORGED.split('.'), LINK, 'mallory']) {
      assert.ok(!log.includes(secret), `the log holds ${secret}`)
    }
  })

  test('do not hold a socket that is denied again and again', async () => {
    const { denied, code } = await logIn(1_000, 'nonsense')
    assert.equal(code, 4205)
    assert.ok(denied <= 102, `${denied} denials`)
  })
})
