/**
 * The Hocuspocus protocol by single frames, for what providers rely on but seldom send: repetition, keys, odd order.
 *
 * Frames that nobody sends on purpose are in `hostile.test.mjs`.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { hears, login, suite, taken } from './support/provider.mjs'
import {
  AUTH, AWARENESS, CLOSE, QUERY_AWARENESS, STATELESS, STEP_1, STEP_2, SYNC, SYNC_STATUS, UPDATE,
  authFrame, awarenessFrame, frame, statelessFrame, syncFrame,
} from './support/wire.mjs'

const SYNC_REPLY = 4
const BROADCAST_STATELESS = 6
const EMPTY_STATE_VECTOR = Uint8Array.of(0)
const EMPTY_UPDATE = Uint8Array.of(0, 0)

/** The update of a new document with this text. */
function textUpdate(text) {
  const doc = new Y.Doc()
  doc.getText('body').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** Waits for the answer to a change. */
const status = async (socket, address) =>
  (await hears(socket, 'a status', (each) => each.type === SYNC_STATUS && each.address === address))?.status

/** Asks for the text of a document as it is now: what the server sent before that is read as well, and returned. */
async function upToNow(socket, address) {
  const before = []
  socket.send(syncFrame(address, STEP_1, EMPTY_STATE_VECTOR))
  const step2 = await hears(socket, 'step 2', (each) => {
    before.push(each)
    return each.address === address && each.subType === STEP_2
  })
  const doc = new Y.Doc()
  Y.applyUpdate(doc, step2.payload)
  return { text: doc.getText('body').toString(), before: before.slice(0, -1) }
}

describe('logging in', () => {
  const { once } = suite()

  once('again on an open document is accepted without an answer', async (stage) => {
    const socket = await stage.enter()
    socket.send(authFrame(stage.name, '', '4.8.0'))
    const { before } = await upToNow(socket, stage.name)
    assert.deepEqual(before.filter((each) => each.type === AUTH || each.type === CLOSE), [])
  })

  once('may come after other frames, which are served when it has come', async (stage) => {
    const socket = await stage.raw()
    socket.send(syncFrame(stage.name, STEP_1, EMPTY_STATE_VECTOR))
    socket.send(authFrame(stage.name, '', '4.8.0'))
    await hears(socket, 'the login is accepted', (each) => each.scope === 'read-write')
    await hears(socket, 'the answer', (each) => each.subType === STEP_2)
  })

  once('is not asked of a client that sends no token', async (stage) => {
    const socket = await stage.raw()
    socket.send(syncFrame(stage.name, STEP_1, EMPTY_STATE_VECTOR))
    assert.equal((await hears(socket, 'a verdict', (each) => each.type === AUTH)).scope, 'read-write')
    await hears(socket, 'the answer', (each) => each.subType === STEP_2)
  })

  once('of several documents in one go is answered under each name', async (stage) => {
    const socket = await stage.raw()
    const names = Array.from({ length: 20 }, (_, index) => `${stage.name} ${index}`)
    for (const name of names) socket.send(authFrame(name, '', '4.8.0'))
    const accepted = new Set()
    while (accepted.size < names.length) {
      accepted.add((await hears(socket, 'an answer', (each) => each.scope === 'read-write')).address)
    }
    assert.deepEqual([...accepted].sort(), [...names].sort())
  })

  once('works with and without the version that newer providers add', async (stage) => {
    const socket = await stage.raw()
    socket.send(authFrame(`${stage.name} 1`, ''))
    assert.equal((await hears(socket, 'a verdict', (each) => each.type === AUTH)).scope, 'read-write')
    socket.send(authFrame(`${stage.name} 2`, '', '99.0.0-future'))
    assert.equal((await hears(socket, 'a verdict', (each) => each.type === AUTH)).scope, 'read-write')
  })
})

describe('syncing', () => {
  const { once } = suite()

  once('is asked of the client before it is answered', async (stage) => {
    const socket = await stage.enter()
    socket.send(syncFrame(stage.name, STEP_1, EMPTY_STATE_VECTOR))
    const first = await hears(socket, 'a sync frame', (each) => each.type === SYNC)
    const second = await hears(socket, 'a sync frame', (each) => each.type === SYNC)
    assert.deepEqual([first.subType, second.subType], [STEP_1, STEP_2])
  })

  once('with the same update again is acknowledged, and not told to others', async (stage) => {
    const [socket, other] = [await stage.enter(), await stage.enter()]
    const update = textUpdate('once')
    for (const subType of [UPDATE, UPDATE, STEP_2]) {
      socket.send(syncFrame(stage.name, subType, update))
      assert.equal(await status(socket, stage.name), 1)
    }
    const { text, before } = await upToNow(other, stage.name)
    assert.equal(text, 'once')
    assert.equal(before.filter((each) => each.subType === UPDATE).length, 1)
  })

  once('with an empty step 2 is acknowledged', async (stage) => {
    const socket = await stage.enter()
    socket.send(syncFrame(stage.name, STEP_2, EMPTY_UPDATE))
    assert.equal(await status(socket, stage.name), 1)
  })

  once('tells the author as well as the others', async (stage) => {
    const [socket, other] = [await stage.enter(), await stage.enter()]
    socket.send(syncFrame(stage.name, UPDATE, textUpdate('for all')))
    for (const each of [socket, other]) await hears(each, 'the update', ({ subType }) => subType === UPDATE)
  })

  once('by a reply (4) is the same as by a sync (0)', async (stage) => {
    const socket = await stage.enter()
    const reply = (subType, payload) => frame(stage.name, SYNC_REPLY, (encoder) => {
      encoding.writeVarUint(encoder, subType)
      encoding.writeVarUint8Array(encoder, payload)
    })
    socket.send(reply(STEP_1, EMPTY_STATE_VECTOR))
    await hears(socket, 'step 2', (each) => each.subType === STEP_2)
    socket.send(reply(UPDATE, textUpdate('by a reply')))
    assert.equal(await status(socket, stage.name), 1)
    assert.equal((await upToNow(socket, stage.name)).text, 'by a reply')
  })

  once('reads the first message of a frame only', async (stage) => {
    const socket = await stage.enter()
    const two = [syncFrame(stage.name, UPDATE, textUpdate('first')), syncFrame(stage.name, UPDATE, textUpdate('second'))]
    socket.send(Buffer.concat(two))
    assert.equal(await status(socket, stage.name), 1)
    assert.equal((await upToNow(socket, stage.name)).text, 'first')
  })
})

describe('leaving a document', () => {
  const { once } = suite()

  once('is answered, takes presence along, and is over until the next login', async (stage) => {
    const [socket, other] = [await stage.enter(), await stage.enter()]
    socket.send(awarenessFrame(stage.name, [[4711, 1, { user: 'Ada' }]]))
    await hears(other, 'Ada', (each) => each.entries?.some(({ client, state }) => client === 4711 && state))
    socket.send(frame(stage.name, CLOSE))
    assert.equal((await hears(socket, 'the close', (each) => each.type === CLOSE)).reason, 'provider_initiated')
    await hears(other, 'Ada has left', (each) => each.entries?.some(({ client, state }) => client === 4711 && !state))

    // What was on its way neither opens the document nor changes it.
    socket.send(syncFrame(stage.name, UPDATE, textUpdate('too late')))
    socket.send(awarenessFrame(stage.name, [[4711, 2, { user: 'Ada' }]]))
    await socket.roundTrip()
    assert.deepEqual(taken(socket), [])
    assert.equal((await login(socket, stage.name)).scope, 'read-write')
    assert.equal((await upToNow(socket, stage.name)).text, '')
  })

  once('leaves the socket open, even when it was the last', async (stage) => {
    const socket = await stage.enter()
    socket.send(frame(stage.name, CLOSE))
    await hears(socket, 'the close', (each) => each.type === CLOSE)
    await socket.roundTrip()
    assert.ok(!socket.gone)
    await login(socket, `${stage.name}, the next`)
  })

  once('that is not open is nothing', async (stage) => {
    const socket = await stage.enter()
    socket.send(frame(`${stage.name}, another`, CLOSE))
    const { before } = await upToNow(socket, stage.name)
    assert.deepEqual(before.filter((each) => each.type === CLOSE && each.address === stage.name), [])
    assert.ok(!socket.gone)
  })
})

describe('keys of sessions', () => {
  const { once } = suite()
  const keyed = (name, session) => `${name}\0${session}`

  once('come back as they were sent, and do not mix', async (stage) => {
    const socket = await stage.raw()
    const keys = ['a', 'b'].map((session) => keyed(stage.name, session))
    for (const key of keys) assert.equal((await login(socket, key)).address, key)
    for (const key of keys) {
      socket.send(syncFrame(key, STEP_1, EMPTY_STATE_VECTOR))
      assert.equal((await hears(socket, 'step 2', (each) => each.subType === STEP_2)).address, key)
    }
    socket.send(syncFrame(keys[0], UPDATE, textUpdate('by a')))
    const updated = new Set()
    let acknowledged = null
    while (updated.size < 2 || acknowledged === null) {
      const wanted = ({ subType, type }) => subType === UPDATE || type === SYNC_STATUS
      const each = await hears(socket, 'the update under both keys', wanted)
      if (each.type === SYNC_STATUS) acknowledged = each.address
      else updated.add(each.address)
    }
    assert.equal(acknowledged, keys[0])
    assert.deepEqual([...updated].sort(), keys)
    socket.send(frame(keys[0], CLOSE))
    assert.equal((await hears(socket, 'the close', (each) => each.type === CLOSE)).address, keys[0])
    assert.equal((await upToNow(socket, keys[1])).text, 'by a')
  })

  once('that are unknown are served as the plain name, where that is open', async (stage) => {
    const socket = await stage.enter()
    socket.send(syncFrame(keyed(stage.name, 'unknown'), STEP_1, EMPTY_STATE_VECTOR))
    assert.equal((await hears(socket, 'step 2', (each) => each.subType === STEP_2)).address, stage.name)
  })

  once('do not open the plain name', async (stage) => {
    const socket = await stage.raw()
    await login(socket, keyed(stage.name, 'a'))
    socket.send(syncFrame(stage.name, STEP_1, EMPTY_STATE_VECTOR))
    // Here everybody may come in, so what shows is that it is a login of its own.
    const verdict = await hears(socket, 'a verdict', (each) => each.type === AUTH)
    assert.equal(verdict.address, stage.name)
  })
})

describe('other messages', () => {
  const { once } = suite()

  once('ask who is here', async (stage) => {
    const [socket, other] = [await stage.enter(), await stage.enter()]
    other.send(awarenessFrame(stage.name, [[4711, 1, { user: 'Ada' }]]))
    await hears(socket, 'Ada', (each) => each.entries?.length > 0)
    socket.send(frame(stage.name, QUERY_AWARENESS))
    const answer = await hears(socket, 'who is here', (each) => each.type === AWARENESS)
    assert.deepEqual(answer.entries, [{ client: 4711, clock: 1, state: { user: 'Ada' } }])
  })

  for (const payload of ['', 'grüße 🙂', 'x'.repeat(300_000)]) {
    once(`carry ${payload.length} characters from one client to the others`, async (stage) => {
      const [socket, other] = [await stage.enter(), await stage.enter()]
      const elsewhere = await stage.enter({ address: `${stage.name}, elsewhere` })
      socket.send(statelessFrame(stage.name, payload))
      assert.equal((await hears(other, 'the message', (each) => each.type === STATELESS)).text, payload)
      for (const [each, address] of [[socket, stage.name], [elsewhere, `${stage.name}, elsewhere`]]) {
        const { before } = await upToNow(each, address)
        assert.deepEqual(before.filter(({ type }) => type === STATELESS), [])
      }
    })
  }

  once('that only servers send to each other close the document', async (stage) => {
    const [socket, other] = [await stage.enter(), await stage.enter()]
    socket.send(frame(stage.name, BROADCAST_STATELESS, (encoder) => encoding.writeVarString(encoder, 'forged')))
    await hears(socket, 'the close', (each) => each.type === CLOSE)
    const { before } = await upToNow(other, stage.name)
    assert.deepEqual(before.filter(({ type }) => type === STATELESS || type === BROADCAST_STATELESS), [])
    await login(socket, `${stage.name}, the next`)
  })

  once('that clients have no business to send are ignored', async (stage) => {
    const socket = await stage.enter()
    for (const type of [SYNC_STATUS, 11, 12, 127, 128, 20_000]) {
      socket.send(frame(stage.name, type, (encoder) => encoding.writeVarUint(encoder, 1)))
    }
    const { before } = await upToNow(socket, stage.name)
    assert.deepEqual(before.map((each) => each.name), ['sync step 1'])
  })
})

describe('who may only read', () => {
  const { once } = suite({ COSCRIBE_ANONYMOUS: 'read' })

  for (const [what, subType, update, wanted] of [
    ['an empty step 2', STEP_2, EMPTY_UPDATE, 1],
    ['a step 2 with something new', STEP_2, textUpdate('new'), 0],
    ['an empty update', UPDATE, EMPTY_UPDATE, 0],
    ['an update', UPDATE, textUpdate('new'), 0],
  ]) {
    once(`is answered ${wanted} to ${what}, and nothing changes`, async (stage) => {
      const socket = await stage.enter()
      socket.send(syncFrame(stage.name, subType, update))
      assert.equal(await status(socket, stage.name), wanted)
      assert.equal((await upToNow(socket, stage.name)).text, '')
      assert.ok(!socket.gone)
    })
  }
})

describe('who may not even read', () => {
  const { once } = suite({ COSCRIBE_ANONYMOUS: 'none' })
  const DENIED = 'permission-denied'

  once('is denied at the login, and the socket stays', async (stage) => {
    const socket = await stage.raw()
    for (const round of [1, 2]) assert.equal((await login(socket, `${stage.name} ${round}`)).reason, DENIED)
    assert.ok(!socket.gone)
  })

  once('is denied at the first other frame, once', async (stage) => {
    const socket = await stage.raw()
    socket.send(syncFrame(stage.name, STEP_1, EMPTY_STATE_VECTOR))
    socket.send(awarenessFrame(stage.name, [[4711, 1, { user: 'Ada' }]]))
    socket.send(syncFrame(stage.name, UPDATE, textUpdate('smuggled')))
    assert.equal((await hears(socket, 'a verdict', (each) => each.type === AUTH)).reason, DENIED)
    await socket.roundTrip()
    assert.deepEqual(taken(socket), [])
    assert.equal((await login(socket, stage.name)).reason, DENIED)
  })

  once('is denied a keyed name and a fresh token the same way', async (stage) => {
    const socket = await stage.raw()
    assert.equal((await login(socket, `${stage.name}\0a`)).reason, DENIED)
    assert.equal((await login(socket, stage.name, 'not a token')).reason, DENIED)
    assert.equal((await login(socket, stage.name, 'another')).reason, DENIED)
  })
})
