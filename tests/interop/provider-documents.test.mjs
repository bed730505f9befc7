/**
 * HocuspocusProvider: several documents on one socket, leaving one of them by either side, and opening it again.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { sameText, when } from './support/clients.mjs'
import { Log, framesOf, suite } from './support/provider.mjs'

const MANY = 60
const UPDATE_BYTES_MAX = 4096

describe('many documents on one socket', () => {
  const { each } = suite()

  each('are synced and saved, each with its own text', async (stage) => {
    const first = stage.openAs(`${stage.name} 0`)
    const clients = [first]
    for (let index = 1; index < MANY; index += 1) {
      clients.push(stage.openAs(`${stage.name} ${index}`, { shared: first.websocketProvider }))
    }
    for (const [index, client] of clients.entries()) client.type(`text of ${index}`)
    await Promise.all(clients.map((client) => client.saved()))
    assert.deepEqual(clients.map((client) => client.text.toString()), clients.map((_, index) => `text of ${index}`))

    const others = clients.map((client) => stage.witness(client.name))
    await Promise.all(others.map((other) => other.synced()))
    assert.deepEqual(others.map((other) => other.text.toString()), clients.map((_, index) => `text of ${index}`))
  })

  each('all come back together', async (stage) => {
    const first = stage.openAs(`${stage.name} 0`)
    const clients = [first]
    for (let index = 1; index < 5; index += 1) {
      clients.push(stage.openAs(`${stage.name} ${index}`, { shared: first.websocketProvider }))
    }
    await Promise.all(clients.map((client) => client.saved()))
    first.socket.terminate()
    for (const client of clients) client.type('while it was broken')
    await Promise.all(clients.map((client) => client.saved()))
    const others = clients.map((client) => stage.witness(client.name))
    await Promise.all(clients.map((client, index) => sameText([client, others[index]], 'while it was broken')))
  })

  each('keep their messages and their presence apart', async (stage) => {
    const first = stage.openAs(`${stage.name} 1`)
    const second = stage.openAs(`${stage.name} 2`, { shared: first.websocketProvider })
    const senders = [1, 2].map((number) => stage.openAs(`${stage.name} ${number}`))
    await Promise.all([first, second, ...senders].map((client) => client.saved()))
    for (const [index, sender] of senders.entries()) {
      sender.provider.sendStateless(`message ${index + 1}`)
      sender.provider.setAwarenessField('user', `user ${index + 1}`)
    }
    for (const [index, client] of [first, second].entries()) {
      const all = () => client.stateless.length > 0 && client.othersPresent.includes(`user ${index + 1}`)
      await when('both have come', all, [client])
    }
    assert.deepEqual(first.stateless, ['message 1'])
    assert.deepEqual(second.stateless, ['message 2'])
    assert.ok(!first.othersPresent.includes('user 2') && !second.othersPresent.includes('user 1'))
  })

  each('are left one by one, and the socket stays for the next', async (stage) => {
    const first = stage.openAs(`${stage.name} 1`)
    const second = stage.openAs(`${stage.name} 2`, { shared: first.websocketProvider })
    await Promise.all([first.saved(), second.saved()])
    const { socket } = first
    first.provider.destroy()
    second.type('goes on')
    await second.saved()
    second.provider.destroy()
    const third = stage.openAs(`${stage.name} 3`, { shared: first.websocketProvider })
    await third.saved()
    assert.equal(first.websocketProvider.webSocket, socket)
    assert.equal(first.websocketProvider.status, 'connected')
  })

  each('may be opened again after they were destroyed, as a page does that renders twice', async (stage) => {
    const keeper = stage.openAs(`${stage.name}, kept`)
    const shared = keeper.websocketProvider
    await keeper.saved()
    for (const round of [1, 2, 3]) {
      const client = stage.open({ shared })
      await client.saved()
      client.type(`${round} `)
      await client.saved()
      client.provider.destroy()
    }
    const last = stage.open({ shared })
    await last.saved()
    assert.equal(last.text.toString(), '1 2 3 ')
  })

  each('may be opened again before they were synced', async (stage) => {
    const keeper = stage.openAs(`${stage.name}, kept`)
    const shared = keeper.websocketProvider
    await keeper.saved()
    stage.open({ shared }).provider.destroy()
    const second = stage.open({ shared })
    second.type('by the second')
    await second.saved()
  })

  each('may be left for a while', async (stage) => {
    const client = stage.open()
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    client.awareness.setLocalStateField('user', 'Ada')
    await when('presence comes', () => witness.othersPresent.includes('Ada'), [witness])
    for (const round of [1, 2]) {
      client.provider.detach()
      await when('presence goes', () => witness.othersPresent.length === 0, [witness])
      client.type(`detached ${round}, `)
      witness.type(`meanwhile ${round}, `)
      client.provider.attach()
      await sameText([client, witness], `detached ${round}, `, `meanwhile ${round}, `)
      await client.saved()
      client.awareness.setLocalStateField('user', `Ada ${round}`)
      await when('presence comes again', () => witness.othersPresent.includes(`Ada ${round}`), [witness])
    }
  }, { from: 3 })

  each('may be left for a while', async (stage) => {
    const client = stage.open()
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    client.awareness.setLocalStateField('user', 'Ada')
    await when('presence comes', () => witness.othersPresent.includes('Ada'), [witness])
    client.provider.disconnect()
    await when('presence goes', () => witness.othersPresent.length === 0, [witness])
    client.type('disconnected, ')
    witness.type('meanwhile, ')
    client.provider.connect()
    await sameText([client, witness], 'disconnected, ', 'meanwhile, ')
    await client.saved()
  }, { to: 2 })

  each('are told of an end that the server agreed to', async (stage) => {
    const keeper = stage.openAs(`${stage.name}, kept`)
    const client = stage.open({ shared: keeper.websocketProvider })
    await Promise.all([keeper.saved(), client.saved()])
    const frames = framesOf(keeper)
    client.provider.destroy()
    await when('the close is answered', () => frames.count('in close') > 0, [frames])
    assert.equal(frames.count('in close'), 1)
  }, { from: 3 })

  each('of one name do not mix, with awareness of sessions', async (stage) => {
    const options = { sessionAwareness: true }
    const first = stage.open(options)
    const second = stage.open({ ...options, shared: first.websocketProvider })
    await Promise.all([first.saved(), second.saved()])
    assert.notEqual(first.provider.effectiveName, second.provider.effectiveName)
    const addresses = new Log()
    first.on('frame', (direction, bytes) => addresses.note([direction, Buffer.from(bytes).toString('latin1')]))
    second.type('by the second')
    await Promise.all([second.saved(), sameText([first, second], 'by the second')])
    first.provider.forceSync()
    await first.saved()
    // Both keys are the name, a NUL and the session: no frame goes or comes under the plain name.
    for (const [direction, text] of addresses.entries) {
      const keyed = [first, second].some((client) => text.includes(`\0${client.provider.sessionId}`))
      assert.ok(keyed, `${direction} ${JSON.stringify(text)}`)
    }
    first.provider.detach()
    second.type(', alone')
    await second.saved()
  }, { from: 4 })

  each('of one name are refused by the provider itself without it', async (stage) => {
    const first = stage.open()
    await first.saved()
    assert.throws(() => stage.open({ shared: first.websocketProvider }), /sessionAwareness/)
    first.type('the first goes on')
    await first.saved()
  }, { from: 4 })
})

describe('a document that the server closes', () => {
  const { each } = suite({ COSCRIBE_LIMITS_UPDATE_BYTES_MAX: `${UPDATE_BYTES_MAX}` })

  each('is closed with a reason and without the others', async (stage) => {
    const keeper = stage.openAs(`${stage.name}, kept`)
    const client = stage.open({ shared: keeper.websocketProvider })
    await Promise.all([keeper.saved(), client.saved()])
    const { socket } = keeper
    client.type('x'.repeat(2 * UPDATE_BYTES_MAX))
    await when('the reason', () => client.closes.length > 0, [client, keeper])
    assert.match(client.closes[0], /^this change was not saved: /)
    assert.equal(client.provider.synced, false)
    assert.equal(client.provider.hasUnsyncedChanges, true)
    assert.deepEqual(keeper.closes, [])
    keeper.type('goes on')
    await keeper.saved()
    assert.equal(keeper.websocketProvider.webSocket, socket)
  }, { from: 3 })
})

describe('a document for which there is no room', () => {
  const { each } = suite({ COSCRIBE_LIMITS_CONNECTION_DOCUMENTS_MAX: '2' })

  each('is denied with a reason and without the others, and opens when there is room', async (stage) => {
    const first = stage.openAs(`${stage.name} 1`)
    const shared = first.websocketProvider
    const second = stage.openAs(`${stage.name} 2`, { shared })
    await Promise.all([first.saved(), second.saved()])
    const third = stage.openAs(`${stage.name} 3`, { shared })
    await when('the denial', () => third.denials.length > 0, [third, first])
    assert.equal(third.provider.isAuthenticated, false)
    first.type('goes on')
    await first.saved()

    second.provider.destroy()
    const again = stage.openAs(`${stage.name} 4`, { shared })
    await again.saved()
  })
})
