/**
 * Whatever is sent, and whoever does not read, the server's memory stays bounded.
 *
 * Each test has a server of its own, so that one's peak is not hidden behind that of another. The bound is the one the
 * project promises; what is offered is several times as much.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as encoding from 'lib0/encoding'
import { HOCUSPOCUS, Y_WEBSOCKET, when } from './support/clients.mjs'
import { stringAt } from './support/hostile.mjs'
import { RawSocket } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import {
  AWARENESS, QUERY_AWARENESS, STEP_1, UPDATE, authFrame, awarenessFrame, encode, frame, read, statelessFrame, syncFrame,
} from './support/wire.mjs'

const MEBIBYTE = 1 << 20
const GROWTH_BYTES_MAX = 64 * MEBIBYTE
const READERS = 16
const OFFERED_BYTES = 1e9
const PIECE_BYTES = 100_000
/** How often a piece is sent, so that all readers together are offered a gigabyte. */
const PIECES = OFFERED_BYTES / READERS / PIECE_BYTES
const EMPTY_STATE_VECTOR = Uint8Array.of(0)

/** A test with a server of its own; `assertBounded()` looks at its peak since the start. */
function withServer(name, body) {
  test(name, async (t) => {
    // Who does not read cannot answer a ping, and would be dropped as dead before the end.
    const server = await Server.start({ COSCRIBE_TIMING_PEER_TIMEOUT_MS: '600000' })
    const opened = []
    const open = (kind, document) => {
      const client = kind.open(server, document)
      opened.push(client)
      return client
    }
    const atStart = server.residentBytes
    const assertBounded = () => {
      assert.ok(server.alive)
      const growth = server.residentBytesPeak - atStart
      t.diagnostic(`memory grew by ${Math.round(growth / MEBIBYTE)} MiB at most`)
      assert.ok(growth < GROWTH_BYTES_MAX, `memory grew by ${Math.round(growth / MEBIBYTE)} MiB`)
    }
    try {
      await body({ server, open, assertBounded })
      assert.equal((await fetch(`${server.http}/healthz`)).status, 200)
    } finally {
      for (const client of opened) client.destroy()
      await server.dispose()
    }
  })
}

function sockets(server, path, count) {
  return Promise.all(Array.from({ length: count }, () => RawSocket.open(server, path)))
}

function* times(count, payload) {
  for (let index = 0; index < count; index += 1) yield typeof payload === 'function' ? payload(index) : payload
}

describe('clients that never read', () => {
  const title = 'are offered 1 GB of edits; one that reads again ends with the full text'
  withServer(title, async ({ server, open, assertBounded }) => {
    const writer = open(HOCUSPOCUS[0], 'flood')
    await writer.saved()
    writer.type('the beginning ')
    await writer.saved()
    const readers = await sockets(server, '/sync/flood', READERS)
    const documents = await Promise.all(readers.map((reader) => reader.fetchDocument()))
    for (const reader of readers) reader.tcp.pause()

    for (let edit = 0; edit < PIECES; edit += 1) {
      writer.doc.transact(() => {
        writer.text.insert(writer.text.length, String.fromCharCode(97 + (edit % 26)).repeat(PIECE_BYTES))
        if (writer.text.length > 5 * PIECE_BYTES) writer.text.delete(20, PIECE_BYTES)
      })
      // The writer is not to run ahead: what is measured is the readers' backlog, not its own.
      await writer.saved()
    }
    const read = readers.reduce((sum, reader) => sum + reader.received, 0)
    assert.ok(read < OFFERED_BYTES / 10, `the readers did read: ${read} bytes`)
    assertBounded()

    writer.type(' the end')
    await writer.saved()
    readers[0].tcp.resume()
    const wanted = writer.text.toString()
    const whole = () => documents[0].getText('body').toString() === wanted
    await when('the one that reads again has the whole text', whole, [readers[0]])
    assert.ok(readers[0].received < OFFERED_BYTES / READERS / 2, `it was sent ${readers[0].received} bytes, not a difference`)
    for (const reader of readers) reader.destroy()
  })

  withServer('are offered 1 GB of stateless messages', async ({ server, open, assertBounded }) => {
    const readers = await sockets(server, '/collab', READERS)
    for (const reader of readers) {
      reader.send(authFrame('flood', ''))
      await reader.answer('the login is accepted', (bytes) => read('hocuspocus', 'in', bytes).scope !== undefined)
      reader.tcp.pause()
    }
    const writer = open(HOCUSPOCUS[0], 'flood')
    await writer.saved()
    for (const payload of times(PIECES, 'm'.repeat(PIECE_BYTES))) {
      writer.provider.sendStateless(payload)
      writer.type('.')
      await writer.saved()
    }
    assertBounded()
    for (const reader of readers) reader.destroy()
  })

  withServer('are offered 1 GB of presence', async ({ server, assertBounded }) => {
    const readers = await sockets(server, '/sync/flood', READERS)
    for (const reader of readers) reader.tcp.pause()
    const [writer] = await sockets(server, '/sync/flood', 1)
    await writer.pump(times(OFFERED_BYTES / READERS / 50_000, (clock) => awarenessFrame(null, [[5, clock, 'p'.repeat(50_000)]])))
    await writer.roundTrip()
    assertBounded()
    for (const socket of [writer, ...readers]) socket.destroy()
  })

  for (const [what, request] of [
    ['the presence of others', frame(null, QUERY_AWARENESS)], ['the whole document', syncFrame(null, STEP_1, EMPTY_STATE_VECTOR)],
  ]) {
    withServer(`ask for ${what}, each 500 times`, async ({ server, open, assertBounded }) => {
      const writer = open(HOCUSPOCUS[0], 'flood')
      await writer.saved()
      for (const piece of times(20, 'd'.repeat(PIECE_BYTES))) {
        writer.type(piece)
        await writer.saved()
      }
      const [present] = await sockets(server, '/sync/flood', 1)
      for (const id of Array(20).keys()) present.send(awarenessFrame(null, [[id + 1, 1, 'p'.repeat(PIECE_BYTES / 2)]]))
      await present.roundTrip()
      const readers = await sockets(server, '/sync/flood', READERS)
      for (const reader of readers) {
        reader.tcp.pause()
        for (const payload of times(500, request)) reader.send(payload)
      }
      // The document answers in the order in which it is asked; after these rounds it has come to the requests.
      for (const piece of times(50, '.')) {
        writer.type(piece)
        await writer.saved()
      }
      assertBounded()
      for (const socket of [present, ...readers]) socket.destroy()
    })
  }
})

describe('frames as fast as the server takes them', () => {
  const manyClients = encode((encoder) => {
    encoding.writeVarUint(encoder, MEBIBYTE)
    for (let client = 0; client < MEBIBYTE; client += 1) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, 1)
    }
  })

  for (const [what, count, payload] of [
    ['malformed updates of 1 MB', 100, syncFrame(null, UPDATE, Buffer.alloc(MEBIBYTE, 0xff))],
    ['updates of 1 MB that build on something that never came', 100,
      (index) => syncFrame(null, UPDATE, stringAt(99, 5 + index * MEBIBYTE, MEBIBYTE))],
    ['state vectors of a million clients', 10, syncFrame(null, STEP_1, manyClients)],
    ['malformed presence of 1 MB', 100,
      frame(null, AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, Buffer.alloc(MEBIBYTE, 0x7f)))],
  ]) {
    withServer(what, async ({ server, assertBounded }) => {
      const attackers = await sockets(server, '/sync/flood', 4)
      await Promise.all(attackers.map(async (attacker) => {
        await attacker.pump(times(count, payload))
        await attacker.roundTrip()
      }))
      assertBounded()
      for (const attacker of attackers) attacker.destroy()
    })
  }

  withServer("updates that go on from another live client's clock", async ({ server, open, assertBounded }) => {
    const victim = open(Y_WEBSOCKET[0], 'flood')
    const witness = open(HOCUSPOCUS[0], 'flood')
    await Promise.all([victim.synced(), witness.saved()])
    victim.type('a')
    await when('the first edit is seen', () => witness.text.toString() === 'a', [witness])
    const [attacker] = await sockets(server, '/sync/flood', 1)
    const id = victim.doc.clientID
    await attacker.pump(times(200, (index) => syncFrame(null, UPDATE, stringAt(id, 1 + index * MEBIBYTE, MEBIBYTE))))
    await attacker.roundTrip()
    victim.type('b')
    await when('the second edit is seen', () => witness.text.toString() === 'ab', [witness])
    assertBounded()
    attacker.destroy()
  })
})
