/**
 * `kill -9` in the middle of typing, again and again, on one database.
 *
 * Promises: what another client had received, and what was acknowledged, is still there afterwards, also when nobody is
 * left to supply it again; and the server serves again within a second.
 *
 * `CRASH_ROUNDS` sets how often (10), `SEED` repeats a run's choices (not the machine's timing).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import WebSocket from 'ws'
import { HOCUSPOCUS, Y_WEBSOCKET, sameText, when } from './support/clients.mjs'
import { Random, SEED } from './support/random.mjs'
import { Server } from './support/server.mjs'
import { Debts, Typist } from './support/typist.mjs'

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 10)
const DOCUMENT = 'crash loop'
const SERVING_AGAIN_MS_MAX = 1000
const OFFLINE_EDITS = 5

test(`${ROUNDS} times kill -9 while four clients type`, { timeout: 60_000 + ROUNDS * 20_000 }, async (t) => {
  const random = new Random(SEED)
  const server = await Server.start()
  const sums = { acknowledged: 0, received: 0, missing: 0, slowestReadyMs: 0 }
  t.diagnostic(`SEED=${SEED}`)
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      try {
        await crash(server, random, round, sums)
      } catch (error) {
        error.message += `\nin round ${round} with SEED=${SEED}; the server said:\n${server.output.slice(-20).join('\n')}`
        throw error
      }
    }
  } finally {
    await server.dispose()
    t.diagnostic(`${sums.acknowledged} edits acknowledged, ${sums.received} received by others, ${sums.missing} missing; ` +
      `serving again within ${Math.round(sums.slowestReadyMs)} ms`)
  }
})

async function crash(server, random, round, sums) {
  const typists = team(random).map((kind, index) =>
    new Typist((tap) => kind.open(server, DOCUMENT, { tap }), `r${round}${'abcd'[index]}`, random))
  const clients = typists.map((typist) => typist.client)
  try {
    await Promise.all(clients.map((client) => client.synced()))
    for (const typist of typists) typist.start()
    await momentToKill(typists, random)
    server.kill()
    for (const typist of typists) typist.stop()
    // What the server had sent before it died counts as received, so it is read to the end.
    const allClosed = () => clients.every((client) => client.socket.readyState === WebSocket.CLOSED)
    await Promise.all([server.ended, when('all sockets are closed', allClosed, clients)])
    const debts = new Debts(typists)
    sums.acknowledged += debts.acknowledged.length
    sums.received += debts.received.length
    assert.ok(debts.all.size > 0, 'nothing was acknowledged or received before the kill')

    const survive = random.fraction() < 0.3
    if (survive) for (const typist of typists) for (let edit = 0; edit < OFFLINE_EDITS; edit += 1) typist.edit()
    else for (const client of clients.splice(0)) client.destroy()
    await server.restart()
    sums.slowestReadyMs = Math.max(sums.slowestReadyMs, server.readyAfterMs)
    assert.ok(server.readyAfterMs < SERVING_AGAIN_MS_MAX, `serving again after ${server.readyAfterMs} ms`)
    // One of each dialect, on documents that have never seen anything.
    const fresh = [random.pick(Y_WEBSOCKET), random.pick(HOCUSPOCUS)].map((kind) => kind.open(server, DOCUMENT))
    clients.push(...fresh)
    await Promise.all(clients.map((client) => client.synced()))
    if (survive) await sameText(clients, ...typists.map((typist) => typist.edits.at(-1).word))
    await sameText(fresh)
    const missing = debts.missing(fresh[0].text.toString())
    sums.missing += missing.length
    assert.deepEqual(missing, [], `${missing.length} of ${debts.all.size} edits are missing`)
  } finally {
    for (const typist of typists) typist.stop()
    for (const client of clients) client.destroy()
  }
}

/** Four clients, two of each dialect. */
function team(random) {
  return [Y_WEBSOCKET, Y_WEBSOCKET, HOCUSPOCUS, HOCUSPOCUS].map((list) => random.pick(list))
}

/** Half of the time any moment; else the moment at which an acknowledgement has just come, when an early one would show. */
async function momentToKill(typists, random) {
  // The time until the crash is the input of this test, nothing waits for it to be long enough.
  if (random.fraction() < 0.5) return pause(random.between(50, 1500))
  const typist = random.pick(typists)
  const answers = typist.answers + random.between(1, 300)
  return when(`${typist.name} has ${answers} answers`, () => typist.answers >= answers, [typist.client])
}
