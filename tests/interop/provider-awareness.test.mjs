/**
 * HocuspocusProvider: who is here, as the provider tells it, and nobody else.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { when } from './support/clients.mjs'
import { Log, suite } from './support/provider.mjs'
import { AWARENESS, read } from './support/wire.mjs'

/** Less than the 15 s after which a client renews its presence by itself. */
const BACK_LIMIT_MS = 5000

const { each } = suite()

/** The states that events tell of, without those of no content. */
const told = (log) => ({ states }) => log.note(states.filter((state) => state.user).map((state) => state.user).sort())

/** Waits until the newest event tells of exactly these. */
const tells = (log, ...users) =>
  when(`${users} in ${JSON.stringify(log.entries.at(-1))}`, () => String(log.entries.at(-1)) === String(users), [log])

/** Clients that one watches: two others, all synced. */
async function three(stage, options = {}) {
  const watcher = stage.open(options)
  const others = [stage.open(), stage.open()]
  await Promise.all([watcher, ...others].map((client) => client.saved()))
  return [watcher, ...others]
}

describe('presence', () => {
  for (const event of ['onAwarenessUpdate', 'onAwarenessChange']) {
    each(`is told by ${event}: coming, changing, leaving`, async (stage) => {
      const log = new Log()
      const [watcher, ada, bert] = await three(stage, { [event]: told(log) })
      watcher.provider.setAwarenessField('user', 'Me')
      await tells(log, 'Me')
      ada.provider.setAwarenessField('user', 'Ada')
      await tells(log, 'Ada', 'Me')
      bert.provider.setAwarenessField('user', 'Bert')
      await tells(log, 'Ada', 'Bert', 'Me')
      ada.provider.setAwarenessField('user', 'Ada L.')
      await tells(log, 'Ada L.', 'Bert', 'Me')
      bert.awareness.setLocalState(null)
      await tells(log, 'Ada L.', 'Me')
      bert.awareness.setLocalState({ user: 'Bert again' })
      await tells(log, 'Ada L.', 'Bert again', 'Me')
    })
  }

  each('carries the client ids and any JSON', async (stage) => {
    const [watcher, ada] = await three(stage)
    const state = { user: { name: 'Ada 🙂', color: '#2f5fc4' }, list: [1, -2.5, null, true, 'ü'], deep: { a: { b: [] } } }
    ada.awareness.setLocalState(state)
    const seen = () => watcher.awareness.getStates().get(ada.doc.clientID)
    await when('the state', () => seen()?.user, [watcher])
    assert.deepEqual(seen(), state)
  })

  each('is there for who comes later', async (stage) => {
    const [, ada, bert] = await three(stage)
    ada.provider.setAwarenessField('user', 'Ada')
    bert.provider.setAwarenessField('user', 'Bert')
    const log = new Log()
    stage.open({ onAwarenessChange: told(log) })
    await tells(log, 'Ada', 'Bert')
  })

  each('may be set before the socket is open', async (stage) => {
    const log = new Log()
    const watcher = stage.open({ onAwarenessChange: told(log) })
    await watcher.saved()
    const early = stage.open()
    early.provider.setAwarenessField('user', 'Early')
    await tells(log, 'Early')
  })

  for (const [how, leave] of [
    ['the provider is destroyed', (client) => client.provider.destroy()],
    ['the socket is disconnected', (client) => client.disconnect()],
    ['the socket breaks', (client) => client.vanish()],
  ]) {
    each(`goes when ${how}`, async (stage) => {
      const [watcher, ada, bert] = await three(stage)
      ada.provider.setAwarenessField('user', 'Ada')
      bert.provider.setAwarenessField('user', 'Bert')
      const both = () => ['Ada', 'Bert'].every((user) => watcher.othersPresent.includes(user))
      await when('both are seen', both, [watcher])
      leave(ada)
      const gone = () => !watcher.awareness.getStates().has(ada.doc.clientID)
      await when('one has gone', gone, [watcher])
      assert.ok(watcher.othersPresent.includes('Bert'))
    })
  }

  each('goes with one document and stays in the other of that socket', async (stage) => {
    const ada = stage.open()
    const elsewhere = stage.openAs(`${stage.name}, elsewhere`, { shared: ada.websocketProvider })
    const watchers = [stage.witness(), stage.witness(`${stage.name}, elsewhere`)]
    await Promise.all([ada.saved(), elsewhere.saved(), ...watchers.map((watcher) => watcher.synced())])
    for (const client of [ada, elsewhere]) client.provider.setAwarenessField('user', 'Ada')
    for (const watcher of watchers) await when('Ada is seen', () => watcher.othersPresent.includes('Ada'), [watcher])
    ada.provider.destroy()
    await when('Ada has gone', () => !watchers[0].othersPresent.includes('Ada'), [watchers[0]])
    elsewhere.provider.setAwarenessField('user', 'Ada, still')
    await when('Ada is there still', () => watchers[1].othersPresent.includes('Ada, still'), [watchers[1]])
  })

  each('comes back with the connection', async (stage) => {
    const [watcher, ada, bert] = await three(stage)
    ada.provider.setAwarenessField('user', 'Ada')
    await when('Ada is seen', () => watcher.othersPresent.includes('Ada'), [watcher])
    ada.socket.terminate()
    await when('Ada is offline', () => !ada.provider.synced, [ada])
    await ada.saved()
    // With this the watcher knows whatever was told of the broken connection before.
    bert.provider.setAwarenessField('user', 'Bert')
    await when('Bert is seen', () => watcher.othersPresent.includes('Bert'), [watcher])
    await when('Ada is back', () => watcher.othersPresent.includes('Ada'), [watcher], BACK_LIMIT_MS)
  })

  each('of one person is sent to everybody once, although others reflect it', async (stage) => {
    const [watcher, ada, bert] = await three(stage)
    const heard = []
    watcher.on('frame', (direction, bytes) => {
      const { type, entries } = read('hocuspocus', direction, bytes)
      if (direction !== 'in' || type !== AWARENESS) return
      heard.push(...entries.filter(({ client, state }) => client === ada.doc.clientID && state?.user).map(({ clock }) => clock))
    })
    for (const round of [1, 2, 3]) {
      ada.provider.setAwarenessField('user', `Ada ${round}`)
      const all = () => [watcher, bert].every((client) => client.othersPresent.includes(`Ada ${round}`))
      await when('all see it', all, [watcher, bert])
      // Whoever reflects has done so by now, and the server has read it before this change.
      bert.type('x')
      await bert.saved()
    }
    assert.deepEqual(heard, [...new Set(heard)])
    assert.equal(heard.length, 3)
  })

  each('is not reflected any more', async (stage) => {
    const [watcher, ada] = await three(stage)
    const sent = []
    watcher.on('frame', (direction, bytes) => {
      if (direction === 'out' && read('hocuspocus', direction, bytes).type === AWARENESS) sent.push(bytes)
    })
    ada.provider.setAwarenessField('user', 'Ada')
    await when('Ada is seen', () => watcher.othersPresent.includes('Ada'), [watcher])
    watcher.type('x')
    await watcher.saved()
    assert.deepEqual(sent, [])
  }, { from: 4 })
})

describe('a provider without awareness', () => {
  each('syncs and saves, is not seen, and says so when asked for presence', async (stage) => {
    const silent = stage.open({ awareness: null })
    const watcher = stage.witness()
    await Promise.all([silent.saved(), watcher.synced()])
    watcher.awareness.setLocalStateField('user', 'Ada')
    silent.type('by nobody')
    await Promise.all([silent.saved(), when('it is seen', () => watcher.text.toString() === 'by nobody', [watcher])])
    assert.deepEqual(watcher.othersPresent, [])
    assert.equal(silent.provider.awareness, null)
    assert.throws(() => silent.provider.setAwarenessField('user', 'Bert'), { code: 1001 })
  })
})
