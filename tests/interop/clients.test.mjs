/**
 * Stock clients of both dialects edit together through one server.
 *
 * Nothing here knows how the server works: what is asserted is what a person with that client would see,
 * and on the wire only what `docs/protocol.md` promises.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as Y from 'yjs'
import { ALL, HOCUSPOCUS, Y_WEBSOCKET, sameText, when } from './support/clients.mjs'
import { RawSocket } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { CLOSE, STEP_2, SYNC, SYNC_STATUS, UPDATE, awarenessFrame, read, syncFrame } from './support/wire.mjs'

/** What a person who is back on the network may have to wait until others see the typing. */
const BACK_LIMIT_MS = 10_000

/** @type {Server} */
let server
/** Clients of the running test; whatever is left is closed after it. */
let opened = []

before(async () => {
  server = await Server.start()
})

after(() => server.dispose())

function open(kind, name, options) {
  const client = kind.open(server, name, options)
  opened.push(client)
  return client
}

/** A test whose clients are closed however it ends. */
function withClients(name, body) {
  test(name, async () => {
    try {
      await body()
    } finally {
      for (const client of opened) client.destroy()
      opened = []
    }
  })
}

const pairs = ALL.flatMap((one, index) => ALL.slice(index).map((other) => [one, other]))

describe('every pair of clients', () => {
  for (const [one, other] of pairs) {
    withClients(`${one.name} and ${other.name} edit one document`, async () => {
      const name = `pair ${one.name} ${other.name}`
      const a = open(one, name)
      const b = open(other, name)
      await Promise.all([a.synced(), b.synced()])
      a.type('from a, ')
      b.type('from b, ')
      await sameText([a, b], 'from a, ', 'from b, ')
      a.text.delete(0, a.text.length)
      await when('the deletion is seen', () => b.text.length === 0, [b])

      a.awareness.setLocalStateField('user', 'Ada')
      b.awareness.setLocalStateField('user', 'Bert')
      const eachOther = () => a.othersPresent.includes('Bert') && b.othersPresent.includes('Ada')
      await when('each sees the other', eachOther, [a, b])
      a.type('before the late one came')
      const late = open(other, name)
      await late.synced()
      await sameText([a, b, late], 'before the late one came')
      const both = () => ['Ada', 'Bert'].every((user) => late.othersPresent.includes(user))
      await when('the late one sees both', both, [late])
      a.vanish()
      opened.splice(opened.indexOf(a), 1)
      const gone = () => [b, late].every((client) => !client.othersPresent.includes('Ada'))
      await when('who vanished is gone for the rest', gone, [b, late])
    })
  }
})

describe('acknowledgements', () => {
  for (const kind of HOCUSPOCUS) {
    withClients(`${kind.name} counts down to saved, one status for each change`, async () => {
      const counts = { sent: 0, acknowledged: 0 }
      const tap = (direction, bytes) => {
        const frame = read('hocuspocus', direction, bytes)
        if (direction === 'out' && frame.type === SYNC && [STEP_2, UPDATE].includes(frame.subType)) counts.sent += 1
        if (direction === 'in' && frame.type === SYNC_STATUS) {
          assert.equal(frame.status, 1)
          counts.acknowledged += 1
        }
        assert.ok(counts.acknowledged <= counts.sent, 'a status came before the change it is for')
      }
      const client = open(kind, `counting ${kind.name}`, { tap })
      await client.saved()
      const changes = 50
      for (let index = 0; index < changes; index += 1) client.type(`${index} `)
      assert.equal(client.provider.unsyncedChanges, changes)
      await client.saved()
      assert.deepEqual(counts, { sent: changes + 1, acknowledged: changes + 1 })
    })
  }

  for (const kind of Y_WEBSOCKET) {
    withClients(`${kind.name} hears its own change again`, async () => {
      let echoed = false
      const client = open(kind, `echo ${kind.name}`, {
        tap: (direction, bytes) => {
          const frame = read('y-websocket', direction, bytes)
          if (direction === 'in' && frame.subType === UPDATE) echoed ||= Buffer.from(frame.payload).includes('the change')
        },
      })
      await client.synced()
      client.type('the change')
      await when('the echo', () => echoed, [client])
    })
  }

  withClients('changes that a provider batches are acknowledged once a batch', async () => {
    const a = open(HOCUSPOCUS[0], 'batched', { flushDelay: 20 })
    const b = open(Y_WEBSOCKET[0], 'batched')
    await Promise.all([a.saved(), b.synced()])
    for (let index = 0; index < 20; index += 1) a.type(`${index} `)
    assert.equal(a.provider.unsyncedChanges, 1)
    await Promise.all([a.saved(), sameText([a, b], '19 ')])
  })
})

describe('one Hocuspocus socket', () => {
  for (const kind of HOCUSPOCUS) {
    withClients(`${kind.name} holds several documents apart`, async () => {
      const first = open(kind, `shared one ${kind.name}`)
      const second = open(kind, `shared two ${kind.name}`, { shared: first.websocketProvider })
      const other = open(Y_WEBSOCKET[0], `shared two ${kind.name}`)
      await Promise.all([first.saved(), second.saved(), other.synced()])
      first.type('one')
      second.type('two')
      await Promise.all([sameText([second, other], 'two'), first.saved()])
      assert.equal(first.text.toString(), 'one')
      assert.equal(other.text.toString(), 'two')
    })
  }

  for (const kind of HOCUSPOCUS.slice(0, 2)) {
    withClients(`${kind.name} closes one document, keeps the other, and opens it again`, async () => {
      const closes = []
      const first = open(kind, `stays ${kind.name}`, {
        tap: (direction, bytes) => {
          const frame = read('hocuspocus', direction, bytes)
          if (direction === 'in' && frame.type === CLOSE) closes.push([frame.address, frame.reason])
        },
      })
      const second = open(kind, `leaves ${kind.name}`, { shared: first.websocketProvider })
      const watcher = open(Y_WEBSOCKET[0], `leaves ${kind.name}`)
      await Promise.all([first.saved(), second.saved(), watcher.synced()])
      second.awareness.setLocalStateField('user', 'Ada')
      await when('presence comes', () => watcher.othersPresent.includes('Ada'), [watcher])

      second.provider.detach()
      await when('the close is answered', () => closes.length > 0, [first])
      assert.deepEqual(closes, [[`leaves ${kind.name}`, 'provider_initiated']])
      await when('presence goes with it', () => watcher.othersPresent.length === 0, [watcher])
      first.type('still here')
      await first.saved()

      second.type('written while detached, ')
      watcher.type('written meanwhile')
      second.provider.attach()
      await sameText([second, watcher], 'written while detached, ', 'written meanwhile')
      await second.saved()
      assert.ok(first.connected)
    })
  }

  withClients('two session-aware providers of one document share a socket', async () => {
    const name = 'session aware'
    const a = open(HOCUSPOCUS[0], name, { sessionAwareness: true })
    const b = open(HOCUSPOCUS[0], name, { sessionAwareness: true, shared: a.websocketProvider })
    const c = open(Y_WEBSOCKET[0], name)
    await Promise.all([a.saved(), b.saved(), c.synced()])
    a.type('from a, ')
    b.type('from b, ')
    c.type('from c, ')
    await sameText([a, b, c], 'from a, ', 'from b, ', 'from c, ')
    await Promise.all([a.saved(), b.saved()])
    a.awareness.setLocalStateField('user', 'Ada')
    b.awareness.setLocalStateField('user', 'Bert')
    await when('all see all', () => [a, b, c].every((client) => client.othersPresent.length >= 2), [a, b, c])
    b.provider.detach()
    await when('only one of the two has left', () => !c.othersPresent.includes('Bert') && c.othersPresent.includes('Ada'), [c])
    a.type('after b left')
    await sameText([a, c], 'after b left')
  })
})

describe('stateless messages', () => {
  withClients('reach every other Hocuspocus client of the document and nobody else', async () => {
    const clients = HOCUSPOCUS.map((kind) => open(kind, 'stateless'))
    const elsewhere = open(HOCUSPOCUS[0], 'stateless, another document')
    const yWebsocket = open(Y_WEBSOCKET[0], 'stateless')
    await Promise.all([...clients.map((client) => client.saved()), elsewhere.saved(), yWebsocket.synced()])
    for (const [index, sender] of clients.entries()) {
      const payload = JSON.stringify({ from: index, text: 'grüße 🙂' })
      sender.provider.sendStateless(payload)
      const others = clients.filter((client) => client !== sender)
      await when('the others have it', () => others.every((client) => client.stateless.at(-1) === payload), others)
    }
    // A round trip on each connection: had anything more been on its way, it would be here.
    elsewhere.type('last')
    yWebsocket.type('last')
    await Promise.all([elsewhere.saved(), sameText([...clients, yWebsocket], 'last')])
    assert.deepEqual(clients.map((client) => client.stateless.length), clients.map(() => clients.length - 1))
    assert.deepEqual(elsewhere.stateless, [])
  })
})

describe('document names', () => {
  const names = ['plain', 'a/b/c', '/leading and trailing/', 'a%2Fb', '100%', 'with spaces  inside', ' padded ',
    '🙂 café', 'café', 'cafe\u0301', 'CAFÉ', 'a/../b', './a', 'question?mark=1&x#y', 'back\\slash', '*',
    'tab\tand\nnewline', '+', 'ä'.repeat(500)]

  withClients('are taken byte for byte, the same in both dialects', async () => {
    const open2 = names.map((name) => [open(Y_WEBSOCKET[0], name), open(HOCUSPOCUS[0], name)])
    await Promise.all(open2.flat().map((client) => client.synced()))
    for (const [index, [a, b]] of open2.entries()) {
      a.type(`(${index} by y-websocket)`)
      b.type(`(${index} by hocuspocus)`)
    }
    await Promise.all(open2.map((pair, index) => sameText(pair, `(${index} by y-websocket)`, `(${index} by hocuspocus)`)))
    for (const [index, pair] of open2.entries()) {
      const length = `(${index} by y-websocket)(${index} by hocuspocus)`.length
      assert.equal(pair[0].text.length, length, `${JSON.stringify(names[index])} shares its text with another name`)
    }
  })

  // A URL parser resolves dot segments before they reach the server, so that only a raw request can ask for these.
  for (const [path, name] of [['..', '..'], ['.', '.'], ['%2E%2E', '..'], ['a/../../b', 'a/../../b']]) {
    withClients(`/sync/${path} is the document ${name}`, async () => {
      const writer = open(HOCUSPOCUS[0], name)
      await writer.saved()
      writer.type(`in ${name}`)
      await writer.saved()
      const socket = await RawSocket.open(server, `/sync/${path}`)
      try {
        const doc = await socket.fetchDocument()
        assert.equal(doc.getText('body').toString(), writer.text.toString())
      } finally {
        socket.destroy()
      }
    })
  }

  for (const [what, name] of [['empty', ''], ['blank', ' \t\u00a0 '], ['too long', 'n'.repeat(1025)]]) {
    for (const kind of HOCUSPOCUS) {
      withClients(`${kind.name} is denied a name that is ${what}, its socket stays`, async () => {
        const good = open(kind, `good ${what} ${kind.name}`)
        await good.saved()
        const denied = open(kind, name, { shared: good.websocketProvider })
        await when('the denial', () => denied.denials.length > 0, [denied, good])
        if (what !== 'too long') assert.equal(denied.denials[0], 'permission-denied')
        good.type('goes on')
        await good.saved()
      })
    }

    test(`the upgrade is refused for a y-websocket name that is ${what}`, async () => {
      const socket = await RawSocket.request(server, `/sync/${encodeURIComponent(name)}`)
      const status = await socket.status()
      socket.destroy()
      assert.ok(status >= 400 && status < 500, `status ${status}`)
    })
  }
})

describe('a connection that dies without a word', () => {
  for (const kind of [Y_WEBSOCKET[0], HOCUSPOCUS[0]]) {
    // A laptop that changes networks: the server still holds the old socket when the same document is back on a new one.
    withClients(`does not keep ${kind.name} waiting when it is back`, async () => {
      const name = `half-open ${kind.name}`
      const witness = open(HOCUSPOCUS[0], name)
      await witness.saved()
      const doc = new Y.Doc()
      doc.getText('body').insert(0, 'before, ')
      const old = await RawSocket.open(server, `/sync/${encodeURIComponent(name)}`)
      try {
        old.send(syncFrame(null, STEP_2, Y.encodeStateAsUpdate(doc)))
        old.send(awarenessFrame(null, [[doc.clientID, 1, { user: 'Ada' }]]))
        await when('the first edit is seen', () => witness.text.toString() === 'before, ', [witness])
        old.tcp.pause()

        const back = open(kind, name, { doc })
        await back.synced()
        back.type('after')
        const seen = () => witness.text.toString() === 'before, after'
        await when('what is typed after it is back is seen', seen, [witness], BACK_LIMIT_MS)
        if (back.saved) await back.saved()
      } finally {
        old.destroy()
      }
    })
  }
})

describe('a restart of the server', () => {
  withClients('merges what everybody wrote while it was down', async () => {
    const clients = ALL.map((kind) => open(kind, 'restart'))
    await Promise.all(clients.map((client) => client.synced()))
    clients[0].type('before, ')
    await sameText(clients, 'before, ')

    server.kill()
    await server.ended
    await when('all notice', () => clients.every((client) => !client.provider.synced), clients)
    const pieces = clients.map((client, index) => `offline ${index}, `)
    for (const [index, client] of clients.entries()) client.type(pieces[index])
    await server.restart()

    await sameText(clients, 'before, ', ...pieces)
    await Promise.all(clients.filter((client) => client.saved).map((client) => client.saved()))
    const fresh = open(HOCUSPOCUS[0], 'restart')
    await fresh.synced()
    await sameText([...clients, fresh], ...pieces)
  })
})
