/**
 * HocuspocusProvider: its events from opening to the end, coming back, giving up, and the address it connects to.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { HOCUSPOCUS, sameText, when } from './support/clients.mjs'
import { Log, majorOf, suite } from './support/provider.mjs'

/** Options that note what a provider and its socket tell. */
function noting(log) {
  const note = (entry) => () => log.note(entry)
  return {
    onOpen: note('open'),
    onConnect: note('connect'),
    onAuthenticated: note('authenticated'),
    onSynced: ({ state }) => state && log.note('synced'),
    onMessage: () => log.entries.includes('message') || log.note('message'),
    onClose: note('close'),
    onDisconnect: note('disconnect'),
    onDestroy: note('destroy'),
    websocket: { onStatus: ({ status }) => log.note(status) },
  }
}

/** Asserts that entries come in this order; others may stand between them. */
function inOrder(entries, wanted) {
  let at = -1
  for (const entry of wanted) {
    at = entries.indexOf(entry, at + 1)
    assert.ok(at >= 0, `${entry} does not follow in: ${entries.join(', ')}`)
  }
}

/** How to keep a socket from connecting by itself. */
const byHand = (kind) => (majorOf(kind) === 2 ? { connect: false } : { autoConnect: false })

describe('events', () => {
  const { each } = suite()

  each('come in order, from connecting to the end', async (stage) => {
    const log = new Log()
    const client = stage.open({ ...noting(log) })
    await client.saved()
    client.disconnect()
    await log.has('close')
    client.provider.destroy()
    await log.has('destroy')
    inOrder(log.entries, ['connecting', 'open', 'connect', 'message', 'authenticated', 'synced'])
    inOrder(log.entries, ['synced', 'disconnected', 'disconnect', 'destroy'])
    inOrder(log.entries, ['synced', 'close', 'destroy'])
  })

  each('reach those who listen to the provider as well', async (stage) => {
    const log = new Log()
    const client = stage.open()
    for (const event of ['open', 'connect', 'message', 'authenticated', 'synced', 'close', 'disconnect']) {
      client.provider.on(event, () => log.note(event))
    }
    await client.saved()
    client.disconnect()
    await log.has('close')
    inOrder(log.entries, ['open', 'connect', 'message', 'authenticated', 'synced', 'close'])
    inOrder(log.entries, ['synced', 'disconnect'])
  })

  each('stay silent after the provider was destroyed', async (stage) => {
    const log = new Log()
    const client = stage.open()
    const keeper = stage.openAs(`${stage.name}, kept`, { shared: client.websocketProvider })
    await Promise.all([client.saved(), keeper.saved()])
    for (const event of ['message', 'synced', 'awarenessChange', 'stateless']) {
      client.provider.on(event, () => log.note(event))
    }
    client.provider.destroy()
    const before = log.entries.length
    keeper.type('the socket goes on')
    await keeper.saved()
    assert.equal(log.entries.length, before)
  })
})

describe('coming back', () => {
  const { each } = suite()

  each('happens by itself when the connection breaks', async (stage) => {
    const log = new Log()
    const client = stage.open(noting(log))
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    client.socket.terminate()
    await log.has('close')
    client.type('while it was broken')
    await sameText([client, witness], 'while it was broken')
    await client.saved()
    inOrder(log.entries, ['synced', 'disconnected', 'connecting', 'open', 'connected', 'synced'])
    inOrder(log.entries, ['synced', 'close', 'open'])
  })

  each('happens as often as it must, with everything that was typed', async (stage) => {
    const client = stage.open()
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    for (const round of [1, 2, 3, 4, 5]) {
      client.socket.terminate()
      client.type(`${round} `)
      await when('the edit is there', () => witness.text.toString().endsWith(`${round} `), [witness])
    }
    await client.saved()
    assert.equal(witness.text.toString(), '1 2 3 4 5 ')
  })

  each('does not happen when the user has disconnected', async (stage) => {
    const log = new Log()
    const client = stage.open({ websocket: { onStatus: ({ status }) => log.note(status), delay: 1, minDelay: 1, maxDelay: 1 } })
    await client.saved()
    client.disconnect()
    await log.has('disconnected')
    const other = stage.open()
    await other.saved()
    assert.equal(log.entries.at(-1), 'disconnected')
    client.connect()
    await client.saved()
    assert.equal(log.entries.at(-1), 'connected')
  })

  each('waits for the user when the socket is not to connect by itself', async (stage) => {
    const client = stage.open({ websocket: byHand(stage.kind) })
    const other = stage.open()
    client.type('written before, ')
    other.type('by the other, ')
    client.awareness?.setLocalStateField('user', 'Ada')
    client.awareness?.setLocalStateField('user', 'Berta')
    await other.saved()
    assert.equal(client.socket, undefined)
    client.connect()
    await sameText([client, other], 'written before, ', 'by the other, ')
    await client.saved()
    await when('the newest presence is seen', () => other.othersPresent.includes('Berta'), [other])
    assert.ok(!other.othersPresent.includes('Ada'))
  })
})

describe('giving up', () => {
  const { each } = suite()

  each('comes after as many attempts as were allowed', async (stage) => {
    const log = new Log()
    const { Socket } = stage.kind
    const client = stage.open()
    await client.saved()
    const Tapped = client.tappedSocket()
    const socket = new Socket({
      // There is nothing to be had at this address: the upgrade is refused.
      url: `ws://${stage.server.host}/nothing`,
      WebSocketPolyfill: class extends Tapped {
        constructor(address, protocols) {
          super(address, protocols)
          log.note('attempt')
        }
      },
      ...byHand(stage.kind),
      maxAttempts: 3,
      delay: 1,
      minDelay: 1,
      maxDelay: 1,
      onMaxAttemptsFailed: () => log.note('gave up'),
    })
    // Up to 3.x only the promise tells that it gave up.
    await socket.connect().catch(() => {})
    if (majorOf(stage.kind) > 3) await log.has('gave up')
    assert.equal(log.entries.filter((entry) => entry === 'attempt').length, 3)
    socket.destroy()
  })
})

describe('the address', () => {
  const { each, once } = suite()

  /** The address that the socket of a client connected to, without scheme and host. */
  const pathOf = (client, server) => client.socket.url.slice(`ws://${server.host}`.length)

  each('may carry parameters for the app', async (stage) => {
    const { kind, server } = stage
    const websocket = majorOf(kind) === 2
      ? { parameters: { app: 'wiki', lang: 'é &=' } } : { url: `${server.collabUrl}?app=wiki&lang=%C3%A9%20%26%3D` }
    const client = stage.open({ websocket })
    await client.saved()
    assert.equal(pathOf(client, server), '/collab?app=wiki&lang=%C3%A9%20%26%3D')
  })

  each('loses its trailing slash', async (stage) => {
    const client = stage.open({ websocket: { url: `${stage.server.collabUrl}/` } })
    await client.saved()
    assert.equal(pathOf(client, stage.server), '/collab')
  })

  each('keeps its trailing slash on demand', async (stage) => {
    const client = stage.open({ websocket: { url: `${stage.server.collabUrl}/`, preserveTrailingSlash: true } })
    await client.saved()
    assert.equal(pathOf(client, stage.server), '/collab/')
  }, { from: 3 })

  once('is the same for all versions, which meet in one document', async (stage) => {
    const clients = HOCUSPOCUS.map((kind) => kind.open(stage.server, stage.name))
    try {
      await Promise.all(clients.map((client) => client.saved()))
      for (const [index, client] of clients.entries()) client.type(`${index} `)
      await sameText(clients, '0 ', '1 ', '2 ')
      await Promise.all(clients.map((client) => client.saved()))
    } finally {
      for (const client of clients) client.destroy()
    }
  })
})
