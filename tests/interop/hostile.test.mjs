/**
 * Hostile frames from outside, over bare sockets, while a healthy pair writes in another document.
 *
 * Whatever comes: the process stays the same, the pair sees every edit, memory stays bounded, bad updates are never
 * acknowledged, and each way of breaking the protocol ends with its own close code.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { HOCUSPOCUS, Y_WEBSOCKET, sameText, when } from './support/clients.mjs'
import { AWARENESS_BODIES, STATE_VECTORS, UPDATES, chainInPieces, honestFrames, spoiled } from './support/hostile.mjs'
import { Pair } from './support/pair.mjs'
import { Random, SEED } from './support/random.mjs'
import { CONTINUATION, CLOSE_FRAME, PING, RawSocket, TEXT, upgradeRequest } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import {
  AUTH, AWARENESS, CLOSE, STEP_1, STEP_2, SYNC, SYNC_STATUS, UPDATE, authFrame, frame, read, syncFrame,
} from './support/wire.mjs'

const MEBIBYTE = 1 << 20
const GROWTH_BYTES_MAX = 64 * MEBIBYTE
const FRAME_BYTES_MAX = 16 * MEBIBYTE
const FLIPS_PER_FRAME = 64
/** Short, so that tests of deadlines end soon. */
const REQUEST_TIMEOUT_MS = 2000
const LOGIN_TIMEOUT_MS = 2000

/** @type {Server} */
let server
/** @type {Pair} */
let pair
let residentBefore = 0
let pidBefore = 0

before(async () => {
  server = await Server.start({
    COSCRIBE_TIMING_REQUEST_TIMEOUT_MS: `${REQUEST_TIMEOUT_MS}`,
    COSCRIBE_TIMING_LOGIN_TIMEOUT_MS: `${LOGIN_TIMEOUT_MS}`,
  })
  pidBefore = server.pid
  pair = new Pair(server, 'healthy')
  await pair.start()
  residentBefore = server.residentBytes
})

after(async () => {
  await pair.stop().catch(() => {})
  await server.dispose()
})

/** Opens a raw socket of a dialect; a Hocuspocus one is logged in to the document. */
async function enter(dialect, name) {
  if (dialect === 'y-websocket') return RawSocket.open(server, `/sync/${encodeURIComponent(name)}`)
  const socket = await RawSocket.open(server, '/collab')
  socket.send(authFrame(name, '', '4.8.0'))
  await socket.answer('the login is accepted', (bytes) => read(dialect, 'in', bytes).scope !== undefined)
  return socket
}

const addressIn = (dialect, name) => (dialect === 'hocuspocus' ? name : null)

describe('updates that no honest client sends', () => {
  /** The few that a server may apply, because honest clients could have made them. */
  const mayBeApplied = new Set(['a chain of 8,000 elements', 'deletion of that chain', 'deletion of its first element',
    'JSON nested 100,000 deep in an embed', '10,000 subdocuments'])

  for (const [what, update] of UPDATES) {
    for (const subType of [UPDATE, STEP_2]) {
      test(`${what}, as ${subType === UPDATE ? 'update' : 'step 2'}, is never called saved`, async () => {
        const name = 'attacked by hocuspocus'
        const socket = await enter('hocuspocus', name)
        socket.send(syncFrame(name, STEP_1, Uint8Array.of(0)))
        await socket.answer('the own step 1 of the server', (bytes) => read('hocuspocus', 'in', bytes).subType === STEP_1)
        socket.send(syncFrame(name, subType, update))
        const verdict = await socket.answer('an answer to the update', (bytes) => {
          const { type, subType: kind } = read('hocuspocus', 'in', bytes)
          return type === CLOSE || type === SYNC_STATUS || (type === SYNC && kind === STEP_1)
        })
        const { status } = verdict ? read('hocuspocus', 'in', verdict) : {}
        if (!mayBeApplied.has(what)) assert.notEqual(status, 1, 'it was acknowledged')
        if (status === 0) {
          // A status of 0 means nothing to stock providers; only a close tells them and their user.
          const close = await socket.answer('the document is closed', (bytes) => read('hocuspocus', 'in', bytes).type === CLOSE)
          assert.ok(read('hocuspocus', 'in', close).reason, 'no reason is given')
        }
        socket.destroy()
      })
    }

    test(`${what}, over y-websocket, hurts nobody`, async () => {
      const socket = await enter('y-websocket', 'attacked by y-websocket')
      for (const subType of [UPDATE, STEP_2]) socket.send(syncFrame(null, subType, update))
      await socket.roundTrip()
      socket.destroy()
    })
  }

  for (const pieceLength of [1, 50]) {
    test(`a chain of 8,000 elements in updates of ${pieceLength}, then its deletion, hurts nobody`, async () => {
      const socket = await enter('y-websocket', 'attacked by y-websocket')
      for (const piece of chainInPieces(8_000, pieceLength)) socket.send(syncFrame(null, UPDATE, piece))
      await socket.roundTrip()
      socket.destroy()
    })
  }

  for (const dialect of ['y-websocket', 'hocuspocus']) {
    test(`a document attacked over ${dialect} is still open for others`, async () => {
      const clients = [Y_WEBSOCKET[0], HOCUSPOCUS[0]].map((kind) => kind.open(server, `attacked by ${dialect}`))
      try {
        await Promise.all(clients.map((client) => client.synced()))
        for (const [index, client] of clients.entries()) client.doc.getText('notes').insert(0, `${index} is here`)
        await when('both see both', () => clients.every((client) =>
          [0, 1].every((index) => client.doc.getText('notes').toString().includes(`${index} is here`))), clients)
        await clients[1].saved()
      } finally {
        for (const client of clients) client.destroy()
      }
    })
  }

  test("nobody else can use up a live client's clocks", async () => {
    const name = 'silenced'
    const victim = Y_WEBSOCKET[0].open(server, name)
    const witness = HOCUSPOCUS[0].open(server, name)
    try {
      await Promise.all([victim.synced(), witness.synced()])
      victim.type('before ')
      await sameText([victim, witness], 'before ')
      const clock = Y.getState(victim.doc.store, victim.doc.clientID)
      const attacker = await enter('y-websocket', name)
      attacker.send(syncFrame(null, UPDATE, deletedClocks(victim.doc.clientID, clock, 1000)))
      await attacker.roundTrip()
      victim.type('after')
      await sameText([victim, witness], 'before after')
      attacker.destroy()
    } finally {
      victim.destroy()
      witness.destroy()
    }
  })
})

describe('other bodies that no honest client sends', () => {
  for (const dialect of ['y-websocket', 'hocuspocus']) {
    for (const [kind, bodies, type, subType] of [
      ['awareness', AWARENESS_BODIES, AWARENESS], ['step 1', STATE_VECTORS, SYNC, STEP_1],
    ]) {
      for (const [what, body] of bodies) {
        test(`${kind} of ${dialect} with ${what}`, async () => {
          const socket = await enter(dialect, 'odd bodies')
          socket.send(frame(addressIn(dialect, 'odd bodies'), type, (encoder) => {
            if (subType !== undefined) encoding.writeVarUint(encoder, subType)
            encoding.writeVarUint8Array(encoder, body)
          }))
          await socket.roundTrip()
          socket.destroy()
        })
      }
    }
  }
})

describe('every frame cut at each byte, grown and bit-flipped', () => {
  const random = new Random(SEED)
  /** Ways in which a server may end such a socket; 1013 when it had to reopen the document. */
  const codes = { 'y-websocket': [null, 4400, 1013], hocuspocus: [null, 4401, 4205, 1013] }

  for (const [what, honest] of honestFrames(null)) {
    test(`y-websocket ${what}`, async () => {
      let socket = null
      for (const bytes of spoiled(honest, random, FLIPS_PER_FRAME)) {
        socket = !socket || socket.gone ? await enter('y-websocket', 'spoiled') : socket
        socket.send(bytes)
        await socket.roundTrip()
        assert.ok(codes['y-websocket'].includes(socket.code), `close ${socket.code} after ${hex(bytes)}, SEED=${SEED}`)
      }
      socket.destroy()
    })
  }

  for (const [what, honest] of honestFrames('spoiled')) {
    test(`hocuspocus ${what}`, async () => {
      for (const bytes of spoiled(honest, random, FLIPS_PER_FRAME)) {
        const loggedIn = random.fraction() < 0.5
        const socket = loggedIn ? await enter('hocuspocus', 'spoiled') : await RawSocket.open(server, '/collab')
        socket.send(bytes)
        await socket.roundTrip()
        assert.ok(codes.hocuspocus.includes(socket.code), `close ${socket.code} after ${hex(bytes)}, SEED=${SEED}`)
        socket.destroy()
      }
    })
  }
})

describe('broken WebSocket framing', () => {
  const ping = (payload, shape) => [payload, { opcode: PING, ...shape }]
  /** What is sent, as frames for `RawSocket.send`, and the close codes of which it earns one. */
  const cases = [
    ['a frame without a mask', [['x', { masked: false }]], 1002],
    ['the reserved opcode 3', [['x', { opcode: 3 }]], 1002],
    ['the reserved opcode 11', [['x', { opcode: 11 }]], 1002],
    ['a reserved bit', [['x', { reserved: 4 }]], 1002],
    ['a fragmented ping', [ping('x', { final: false })], 1002],
    ['a ping of 126 bytes', [ping('x'.repeat(126))], 1002],
    ['a continuation of nothing', [['x', { opcode: CONTINUATION }]], 1002],
    ['a message inside a fragmented one', [['x', { final: false }], ['y']], 1002],
    ['a close frame of one byte', [['x', { opcode: CLOSE_FRAME }]], 1002],
    ['the close code 1005, which may not be sent', [[Uint8Array.of(0x03, 0xed), { opcode: CLOSE_FRAME }]], 1002],
    ['a close reason that is not UTF-8', [[Uint8Array.of(0x03, 0xe8, 0xff), { opcode: CLOSE_FRAME }]], 1002, 1007],
    ['a text message that is not UTF-8', [[Uint8Array.of(0xc3, 0x28), { opcode: TEXT }]], 1007],
    ['a fragmented text message that is not UTF-8',
      [[Uint8Array.of(0xf0, 0x9f), { opcode: TEXT, final: false }], [Uint8Array.of(0x41), { opcode: CONTINUATION }]], 1007],
    ['a length over the limit', [['x', { declared: FRAME_BYTES_MAX + 1 }]], 1009],
    ['a length of 2^62', [['x', { declared: 2n ** 62n }]], 1009],
    ['fragments that are over the limit together',
      [[Buffer.alloc(MEBIBYTE), { final: false }],
        ...Array(16).fill([Buffer.alloc(MEBIBYTE), { opcode: CONTINUATION, final: false }])], 1009],
  ]

  for (const path of ['/sync/framing', '/collab']) {
    for (const [what, frames, ...closes] of cases) {
      test(`${what} at ${path} closes with ${closes.join(' or ')}`, async () => {
        const socket = await RawSocket.open(server, path)
        for (const each of frames) socket.send(...each)
        const code = await socket.closed()
        assert.ok(closes.includes(code), `closed with ${code}`)
        socket.destroy()
      })
    }
  }

  test('what follows a length over the limit is not gathered', async () => {
    const residentAtStart = server.residentBytes
    const socket = await RawSocket.open(server, '/sync/framing')
    socket.send('', { declared: 2n ** 40n })
    const piece = Buffer.alloc(MEBIBYTE)
    for (let sent = 0; sent < 256 && !socket.gone; sent += 1) {
      if (!socket.tcp.write(piece)) await when('the piece is taken', () => !socket.tcp.writableNeedDrain || socket.gone, [socket])
    }
    const growth = server.residentBytes - residentAtStart
    socket.destroy()
    assert.ok(growth < GROWTH_BYTES_MAX, `memory grew by ${growth} bytes`)
  })

  test('a length with its top bit set ends the socket', async () => {
    const socket = await RawSocket.open(server, '/collab')
    socket.send('x', { declared: 2n ** 63n + 5n })
    assert.ok([1002, 1009].includes(await socket.closed()))
    socket.destroy()
  })

  test('seeded nonsense on the socket ends it and nothing else', async () => {
    const random = new Random(SEED)
    for (let round = 0; round < 100; round += 1) {
      const socket = await RawSocket.open(server, random.pick(['/sync/nonsense', '/collab']))
      // Enough that a frame which by chance declares a permitted length is complete or over the limit.
      socket.tcp.end(random.bytes(random.between(1, 400)))
      await when(`the end of a socket, SEED=${SEED}`, () => socket.ended, [socket])
    }
  })
})

describe('frames that a dialect does not know', () => {
  test('a y-websocket client may send some rubbish and goes on', async () => {
    const socket = await enter('y-websocket', 'rubbish')
    for (let index = 0; index < 20; index += 1) {
      socket.send(Uint8Array.of(0, 2, 200))
      socket.send('{"some":"text"}', { opcode: TEXT })
      socket.send('')
    }
    const doc = await socket.fetchDocument()
    assert.equal(doc.getText('body').length, 0)
    socket.destroy()
  })

  for (const [what, payload, shape, code] of [
    ['unreadable frames', Uint8Array.of(0, 2, 200), {}, 4400], ['text messages', 'hello', { opcode: TEXT }, 1003],
  ]) {
    test(`endless ${what} on a y-websocket socket end with ${code}`, async () => {
      const socket = await enter('y-websocket', 'rubbish')
      while (!socket.gone) {
        socket.send(payload, shape)
        await socket.roundTrip()
      }
      assert.equal(socket.code, code)
      socket.destroy()
    })
  }

  for (const loggedIn of [false, true]) {
    for (const [what, payload, shape] of [
      ['an empty frame', ''], ['a text message', 'hello', { opcode: TEXT }], ['half an address', Uint8Array.of(20, 65)],
      ['an address alone', Uint8Array.of(1, 65)], ['the byte 9', Uint8Array.of(9)], ['the byte 10', Uint8Array.of(10)],
      ['an address that is not UTF-8', Uint8Array.of(2, 0xc3, 0x28, 0)],
    ]) {
      test(`${what} on a Hocuspocus socket that is ${loggedIn ? '' : 'not '}logged in closes with 4401`, async () => {
        const socket = loggedIn ? await enter('hocuspocus', 'unreadable') : await RawSocket.open(server, '/collab')
        socket.send(payload, shape)
        assert.equal(await socket.closed(), 4401)
        assert.equal(socket.closeFrame.reason, 'Unauthorized')
        socket.destroy()
      })
    }
  }

  test('a Hocuspocus token that cannot be read closes with 4205', async () => {
    const socket = await RawSocket.open(server, '/collab')
    socket.send(frame('unreadable token', AUTH, (encoder) => {
      encoding.writeVarUint(encoder, 0)
      encoding.writeVarUint(encoder, 50)
    }))
    assert.equal(await socket.closed(), 4205)
    assert.equal(socket.closeFrame.reason, 'Reset Connection')
    socket.destroy()
  })

  test('a body that cannot be read closes its document, not the socket', async () => {
    const socket = await enter('hocuspocus', 'unreadable body')
    socket.send(frame('unreadable body', SYNC, (encoder) => encoding.writeVarUint(encoder, 77)))
    const close = await socket.answer('the document is closed', (bytes) => read('hocuspocus', 'in', bytes).type === CLOSE)
    assert.deepEqual(read('hocuspocus', 'in', close).reason, 'Reset Connection')
    socket.send(authFrame('another document', ''))
    await socket.answer('the socket serves on', (bytes) => read('hocuspocus', 'in', bytes).address === 'another document')
    socket.destroy()
  })

  test('a type that does not exist is ignored on a Hocuspocus document', async () => {
    const socket = await enter('hocuspocus', 'unknown type')
    socket.send(frame('unknown type', 99))
    socket.send(syncFrame('unknown type', STEP_1, Uint8Array.of(0)))
    await socket.answer('the document serves on', (bytes) => read('hocuspocus', 'in', bytes).subType === STEP_2)
    socket.destroy()
  })
})

describe('connections that never get anywhere', () => {
  test('a request head that drips in is cut off', async () => {
    const head = upgradeRequest(server, '/sync/slow')
    const sockets = await Promise.all(Array.from({ length: 50 }, () => drip(head)))
    for (const { answered } of sockets) assert.ok(!answered.includes('101'), 'a slow request was served in the end')
  })

  test('a Hocuspocus socket that does not log in is closed with 4408', async () => {
    const socket = await RawSocket.open(server, '/collab')
    assert.equal(await socket.closed(), 4408)
    socket.destroy()
  })

  for (const [what, path, headers] of [
    ['no key', '/sync/x', { 'Sec-WebSocket-Key': '' }], ['an old version', '/sync/x', { 'Sec-WebSocket-Version': '8' }],
    ['a name that is not UTF-8', '/sync/%ff%fe', {}], ['a name with a NUL', '/sync/a%00b', {}], ['another path', '/nothing', {}],
    ['an endless header', '/sync/x', { 'X-Long': 'x'.repeat(MEBIBYTE) }],
    ['a foreign origin', '/sync/x', { Origin: 'https://elsewhere.example' }],
  ]) {
    test(`an upgrade with ${what} is refused`, async () => {
      const socket = await RawSocket.request(server, path, headers)
      const status = await socket.status()
      // An endless header may be answered by nothing but the end of the connection.
      assert.ok((status >= 400 && status < 500) || socket.ended, `status ${status}`)
      socket.destroy()
    })
  }
})

test('the server is unharmed', async (t) => {
  await pair.stop()
  const growth = server.residentBytes - residentBefore
  t.diagnostic(`SEED=${SEED}; memory grew by ${Math.round(growth / MEBIBYTE)} MiB; ` +
    `the healthy pair saw all of its ${pair.edits} edits, the slowest after ${Math.round(pair.slowestMs)} ms`)
  assert.ok(server.alive && server.pid === pidBefore)
  assert.ok(pair.edits > 100, `the pair made ${pair.edits} edits only`)
  assert.equal((await fetch(`${server.http}/healthz`)).status, 200)
  assert.ok(growth < GROWTH_BYTES_MAX, `memory grew by ${growth} bytes`)
})

test('what was attacked opens again after kill -9', async () => {
  const names = ['attacked by hocuspocus', 'attacked by y-websocket', 'silenced', 'odd bodies', 'spoiled', 'rubbish', 'healthy']
  const opened = []
  const open = (kind, name) => {
    const client = kind.open(server, name)
    opened.push(client)
    return client
  }
  /** What a client that has just come sees of every document. */
  const look = async () => {
    const clients = names.map((name) => open(Y_WEBSOCKET[0], name))
    await Promise.all(clients.map((client) => client.synced()))
    return clients.map((client) => [client.name, client.doc.getText('notes').toString(), Y.encodeStateVector(client.doc)])
  }
  try {
    const seen = await look()
    for (const client of opened.splice(0)) client.destroy()
    server.kill()
    await server.ended
    await server.restart()
    assert.deepEqual(await look(), seen)
    for (const name of names) {
      const client = open(HOCUSPOCUS[0], name)
      client.doc.getText('notes').insert(0, 'and it can be written')
      await client.saved()
    }
  } finally {
    for (const client of opened) client.destroy()
  }
})

/** A y-websocket update: GC of clocks that belong to another client. */
function deletedClocks(client, clock, length) {
  const encoder = encoding.createEncoder()
  for (const number of [1, 1, client, clock, 0, length, 0]) encoding.writeVarUint(encoder, number)
  return encoding.toUint8Array(encoder)
}

/** Sends a request head one byte at a time until the server has had enough. */
async function drip(head) {
  const tcp = connect({ host: '127.0.0.1', port: server.port })
  let answered = ''
  tcp.on('data', (bytes) => {
    answered += bytes
  })
  tcp.on('error', () => {})
  const ended = new Promise((resolve) => tcp.once('close', resolve))
  for (let index = 0; index < head.length && !tcp.closed; index += 1) {
    tcp.write(head[index])
    // Dripping is the attack: the whole head would take far longer than the deadline.
    await Promise.race([ended, pause(REQUEST_TIMEOUT_MS / 20)])
  }
  await ended
  return { answered }
}

function hex(bytes) {
  return Buffer.from(bytes.slice(0, 200)).toString('hex')
}
