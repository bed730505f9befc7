/**
 * HocuspocusProvider: when it is synced, what counts as unsynced, batching, asking again, and reading only.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import * as Y from 'yjs'
import { sameText, when } from './support/clients.mjs'
import { Log, framesOf, suite } from './support/provider.mjs'

/** Longer than the edits of one test take, so that all of them fall into one batch. */
const BATCH_MS = 60

/** The number that an `unsyncedChanges` event carries, in an object since 3.x. */
const numberIn = (event) => event.number ?? event

/** Makes one more change and waits for its answer: whatever was sent before has been answered as well. */
async function settled(client) {
  client.doc.getMap('settled').set('rounds', (client.doc.getMap('settled').get('rounds') ?? 0) + 1)
  await client.saved()
}

describe('the first sync', () => {
  const { each } = suite()

  each('is told once, when the text is there', async (stage) => {
    const writer = stage.open()
    await writer.saved()
    writer.type('here before')
    await writer.saved()

    const seen = new Log()
    const reader = stage.open({ onSynced: ({ state }) => seen.note([state, reader.text.toString()]) })
    await reader.saved()
    await settled(reader)
    assert.deepEqual(seen.entries, [[true, 'here before']])
    assert.equal(reader.provider.isSynced, true)
  })

  each('leaves nothing unsynced', async (stage) => {
    const client = stage.open()
    assert.equal(client.provider.synced, false)
    assert.equal(client.provider.hasUnsyncedChanges, false)
    await client.saved()
    assert.equal(client.provider.unsyncedChanges, 0)
  })

  each('saves what was typed before the socket was open', async (stage) => {
    const client = stage.open()
    client.type('early')
    assert.equal(client.provider.hasUnsyncedChanges, true)
    await client.saved()
    const other = stage.open()
    await other.saved()
    assert.equal(other.text.toString(), 'early')
  })

  each('offers a document that had text before', async (stage) => {
    const doc = new Y.Doc()
    doc.getText('body').insert(0, 'from a draft')
    const witness = stage.witness()
    const client = stage.open({ doc })
    await Promise.all([client.saved(), sameText([client, witness], 'from a draft')])
  })

  each('comes again with each connection, and brings what both sides missed', async (stage) => {
    const synced = new Log()
    const client = stage.open({ onSynced: ({ state }) => state && synced.note('synced') })
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    client.disconnect()
    await when('the provider knows that it is offline', () => !client.provider.synced, [client])
    client.type('offline, ')
    witness.type('meanwhile, ')
    client.connect()
    await sameText([client, witness], 'offline, ', 'meanwhile, ')
    await client.saved()
    assert.equal(synced.entries.length, 2)
  })
})

describe('unsynced changes', () => {
  const { each } = suite()

  each('are counted up by each change and down by each answer', async (stage) => {
    const client = stage.open()
    const numbers = []
    client.provider.on('unsyncedChanges', (event) => numbers.push(numberIn(event)))
    await client.saved()
    for (const piece of ['a', 'b', 'c']) client.type(piece)
    await client.saved()
    assert.deepEqual(numbers, [1, 0, 1, 2, 3, 2, 1, 0])
  })

  each('are not made by what others write', async (stage) => {
    const client = stage.open()
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    const numbers = []
    client.provider.on('unsyncedChanges', (event) => numbers.push(numberIn(event)))
    witness.type('from elsewhere')
    await sameText([client, witness], 'from elsewhere')
    assert.deepEqual(numbers, [])
  })

  each('are sent one by one, and answered one by one', async (stage) => {
    const client = stage.open()
    await client.saved()
    const frames = framesOf(client)
    for (const piece of ['a', 'b', 'c']) client.type(piece)
    await client.saved()
    assert.equal(frames.count('out sync update'), 3)
    assert.equal(frames.count('in sync status 1'), 3)
  })

  each('do not come back with their echo, for whoever observes the text', async (stage) => {
    const client = stage.open()
    await client.saved()
    const frames = framesOf(client)
    const calls = { flat: 0, deep: 0 }
    client.text.observe(() => (calls.flat += 1))
    client.text.observeDeep(() => (calls.deep += 1))
    for (const piece of ['a', 'b', 'c']) client.type(piece)
    client.doc.transact(() => {
      for (const piece of ['d', 'e', 'f']) client.type(piece)
    })
    await client.saved()
    await when('the echo', () => frames.count('in sync update') > 0, [frames])
    await settled(client)
    assert.deepEqual(calls, { flat: 4, deep: 4 })
  })
})

describe('forced syncs', () => {
  const { each } = suite()

  each('ask once, are asked once, and are answered once', async (stage) => {
    const client = stage.open()
    await client.saved()
    const frames = framesOf(client)
    client.provider.forceSync()
    assert.equal(client.provider.hasUnsyncedChanges, true)
    await client.saved()
    await when('the answer', () => frames.count('in sync step 2') > 0, [frames])
    assert.deepEqual(frames.entries.filter((entry) => entry.includes('sync')).sort(), [
      'in sync status 1', 'in sync step 1', 'in sync step 2', 'out sync step 1', 'out sync step 2',
    ])
  })

  each('bring the server what the provider did not send', async (stage) => {
    const client = stage.open()
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    const other = new Y.Doc()
    other.getText('body').insert(0, 'as if received')
    const frames = framesOf(client)
    // What comes with the provider as its origin came from the server, as far as the provider knows.
    Y.applyUpdate(client.doc, Y.encodeStateAsUpdate(other), client.provider)
    assert.equal(frames.count('out sync update'), 0)
    client.provider.forceSync()
    await Promise.all([client.saved(), sameText([client, witness], 'as if received')])
  })

  each('come again and again with an interval, and leave nothing unsynced', async (stage) => {
    const client = stage.open({ forceSyncInterval: 25 })
    const frames = framesOf(client)
    await when('three answers', () => frames.count('in sync status 1') >= 4, [frames])
    client.type('between two of them')
    await client.saved()
    const other = stage.open()
    await sameText([client, other], 'between two of them')
  })
})

describe('batching', () => {
  const { each } = suite()
  const since4 = { from: 4 }

  each('makes one message of many changes, and one answer', async (stage) => {
    const client = stage.open({ flushDelay: BATCH_MS })
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    const frames = framesOf(client)
    for (const piece of ['a', 'b', 'c']) client.type(piece)
    assert.equal(frames.count('out sync update'), 0)
    assert.equal(client.provider.unsyncedChanges, 1)
    await Promise.all([client.saved(), sameText([client, witness], 'abc')])
    assert.equal(frames.count('out sync update'), 1)
    assert.equal(frames.count('in sync status 1'), 1)
  }, since4)

  each('sends the newest awareness only', async (stage) => {
    const client = stage.open({ flushDelay: BATCH_MS })
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    const frames = framesOf(client)
    for (const cursor of [1, 2, 3]) client.provider.setAwarenessField('cursor', cursor)
    const seen = () => witness.awareness.getStates().get(client.doc.clientID)?.cursor === 3
    await when('the newest is seen', seen, [witness])
    await settled(client)
    assert.equal(frames.count('out awareness'), 1)
  }, since4)

  each('loses nothing when the provider is destroyed within a batch', async (stage) => {
    const client = stage.open({ flushDelay: 60_000 })
    const witness = stage.witness()
    await Promise.all([client.saved(), witness.synced()])
    client.type('at the last moment')
    client.provider.destroy()
    await when('it is there', () => witness.text.toString() === 'at the last moment', [witness])
  }, since4)
})

describe('who may only read', () => {
  const { each } = suite({ COSCRIBE_ANONYMOUS: 'read' })

  /** Waits for the negative answers so far to be as many. */
  const refused = (frames, times) =>
    when(`${times} negative answers`, () => frames.count('in sync status 0') >= times, [frames])

  each('is told so, and has nothing unsynced', async (stage) => {
    const scopes = new Log()
    const client = stage.open({ onAuthenticated: () => scopes.note(client.provider.authorizedScope) })
    await client.saved()
    assert.deepEqual(scopes.entries, ['readonly'])
    assert.equal(client.provider.isAuthenticated, true)
    client.provider.forceSync()
    await client.saved()
  })

  each('is never told that a change was saved', async (stage) => {
    const client = stage.open()
    await client.saved()
    const frames = framesOf(client)
    client.type('not allowed')
    await refused(frames, 1)
    client.provider.forceSync()
    await refused(frames, 2)
    assert.equal(frames.count('in sync status 1'), 0)
    assert.equal(client.provider.hasUnsyncedChanges, true)

    const fresh = stage.open()
    await fresh.saved()
    assert.equal(fresh.text.toString(), '')
  })

  each('is not told so either of a document brought along', async (stage) => {
    const doc = new Y.Doc()
    doc.getText('body').insert(0, 'brought along')
    const client = stage.open({ doc })
    const frames = framesOf(client)
    await refused(frames, 1)
    assert.equal(client.provider.hasUnsyncedChanges, true)
    assert.equal(frames.count('in sync status 1'), 0)
  })

  each('is seen by others', async (stage) => {
    const reader = stage.open()
    const witness = stage.witness()
    await Promise.all([reader.saved(), witness.synced()])
    reader.provider.setAwarenessField('user', 'Ada')
    await when('the reader is seen', () => witness.othersPresent.includes('Ada'), [witness])
  })
})
