/**
 * The y-sweet family, unmodified: the SDK that an app's own server uses, and the provider in its pages; on an open server
 * and on one that wants tokens.
 *
 * What is asserted follows the behaviour that y-sweet tests for its own server; the one place where coscribe differs is
 * that nobody is told "saved" whose change was dropped.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { DocumentManager } from '@y-sweet/sdk'
import * as Y from 'yjs'
import { sameText, when } from './support/clients.mjs'
import { GuardedServer, Guests } from './support/families.mjs'
import { RawSocket } from './support/raw.mjs'
import { Server, binary } from './support/server.mjs'
import { STEP_2, SYNC, UPDATE, read } from './support/wire.mjs'
import { LogLock, Y_SWEET, checkpointOf } from './support/ysweet.mjs'

const run = promisify(execFile)
const NAME = /^[A-Za-z0-9_-]+$/
/** A provider is synced by then, its fetch of a token included. */
const SYNC_LIMIT_MS = 1000
/** An open socket outlives its token by this much at most. */
const CLOSE_LIMIT_MS = 5000
/** A provider that hears nothing asks after two seconds, and gives its socket up after three more. */
const QUIET_MS = 8000

const guests = new Guests()

const open = (server, name, options) => guests.keep(Y_SWEET.open(server, name, options))

/** Opens a document with tokens from the SDK, as an app does. */
function openBy(manager, server, name, request, options = {}) {
  return open(server, name, { tokens: () => manager.getClientToken(name, request), ...options })
}

/** Waits until so much time has passed that a provider would have given up a socket on which nothing comes. */
function quietTime(client) {
  const since = performance.now()
  return when('some seconds have passed, and something came', () => performance.now() - since > QUIET_MS, [client])
}

function docOf(update) {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc
}

function updateOf(text) {
  const doc = new Y.Doc()
  doc.getText('body').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

const textOf = (update) => docOf(update).getText('body').toString()

/** Fails unless the SDK gives an error of its own, with at least this in its cause. */
function rejects(promise, cause) {
  return assert.rejects(promise, (error) => {
    assert.equal(error.name, 'YSweetError', String(error))
    assert.deepEqual({ ...error.cause, ...cause }, error.cause)
    return true
  })
}

/** Sends a request past the SDK. */
const ask = (server, path, { token, ...options } = {}) => fetch(`${server.http}${path}`, {
  ...options,
  headers: { ...(token && { Authorization: `Bearer ${token}` }), ...options.headers },
})

const post = (body, token) => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'Content-Type': 'application/json' },
  token,
})

/** The status with which a socket's upgrade is answered. */
async function upgradeStatus(server, path) {
  const socket = await RawSocket.request(server, path)
  try {
    return await socket.status()
  } finally {
    socket.destroy()
  }
}

/** Both ways to run a server: what its SDK needs, and the token of the app's server. */
const MODES = {
  'an open server': async () => {
    const server = await Server.start()
    return { server, serverToken: undefined, connection: `ys://${server.host}`, dispose: () => server.dispose() }
  },
  'a server that wants tokens': async () => {
    const guarded = await GuardedServer.start()
    const { server } = guarded
    const serverToken = await mint(guarded, '--level', 'admin', '--documents', '*')
    const connection = `ys://${encodeURIComponent(serverToken)}@${server.host}`
    return { server, serverToken, connection, dispose: () => guarded.dispose() }
  },
}

/** A token from the command line; what it prints is the token and nothing else. */
async function mint(guarded, ...options) {
  const { stdout } = await run(binary(), ['token', '--secret-file', guarded.secretFile, ...options])
  const token = stdout.trimEnd()
  assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  return token
}

for (const [mode, start] of Object.entries(MODES)) {
  describe(mode, () => {
    let server
    let serverToken
    let dispose
    /** @type {DocumentManager} */
    let manager

    before(async () => {
      let connection
      ;({ server, serverToken, connection, dispose } = await start())
      manager = new DocumentManager(connection)
    })
    after(() => dispose())

    test('says that its store is well', async () => {
      assert.deepEqual(await manager.checkStore(), { ok: true })
      const older = await ask(server, '/check_store?z=1', { token: serverToken })
      assert.deepEqual(await older.json(), { ok: true })
      assert.deepEqual(await (await ask(server, '/ready')).json(), { ok: true })
    })

    test('makes documents under given names and under its own, and keeps what is there', async () => {
      assert.deepEqual(await manager.createDoc('given_Name-1'), { docId: 'given_Name-1' })
      await manager.updateDoc('given_Name-1', updateOf('kept'))
      assert.deepEqual(await manager.createDoc('given_Name-1'), { docId: 'given_Name-1' })
      assert.equal(textOf(await manager.getDocAsUpdate('given_Name-1')), 'kept')

      const names = await Promise.all(Array.from({ length: 20 }, async () => (await manager.createDoc()).docId))
      for (const name of names) assert.match(name, NAME)
      assert.equal(new Set(names).size, names.length)
      assert.equal(textOf(await manager.getDocAsUpdate(names[0])), '')
    })

    test('makes no document under a name that is not one', async () => {
      for (const docId of ['mydoc!', 'a b', 'a/b', '..', 'ä', '%41', 'a\u0000', 'n'.repeat(1025)]) {
        await rejects(manager.createDoc(docId), { code: 'ServerError', status: 400 })
      }
      for (const body of [{ docId: '' }, { docId: 7 }, 'text']) {
        const { status } = await ask(server, '/doc/new', post(body, serverToken))
        assert.equal(status, 400, JSON.stringify(body))
      }
    })

    test('knows nothing of a document that nobody made', async () => {
      await rejects(manager.getClientToken('nobody-made'), { code: 'ServerError', status: 404 })
      await rejects(manager.getDocAsUpdate('nobody-made'), { code: 'ServerError', status: 404 })
      await rejects(manager.updateDoc('nobody-made', updateOf('text')), { code: 'ServerError', status: 404 })
      await rejects(manager.getClientToken('nobody-made'), { code: 'ServerError', status: 404 })
      await manager.createDoc('nobody-made')
      assert.equal((await manager.getClientToken('nobody-made')).docId, 'nobody-made')
    })

    test('says where a document is and what may be done there', async () => {
      const full = await manager.getOrCreateDocAndToken('where')
      assert.equal(full.url, `ws://${server.host}/d/where/ws`)
      assert.equal(full.baseUrl, `${server.http}/d/where`)
      assert.equal(full.docId, 'where')
      assert.equal(full.authorization, 'full')
      assert.equal('token' in full, serverToken !== undefined)
      const reading = await manager.getClientToken('where', { authorization: 'read-only', userId: 'ann', validForSeconds: 60 })
      assert.equal(reading.authorization, 'read-only')
      const random = await manager.getOrCreateDocAndToken()
      assert.match(random.docId, NAME)
      // What other languages' SDKs send for "not given".
      const nulls = await ask(server, '/doc/where/auth', post({ userId: null, validForSeconds: null }, serverToken))
      assert.equal(nulls.status, 200)
      for (const body of [{ authorization: 'owner' }, { validForSeconds: -1 }, { validForSeconds: 'long' }]) {
        await rejects(manager.getClientToken('where', body), { code: 'ServerError' })
      }
    })

    test('takes and gives documents as updates', async () => {
      const { docId } = await manager.createDocWithContent(updateOf('made with this. '))
      assert.equal(textOf(await manager.getDocAsUpdate(docId)), 'made with this. ')
      const doc = docOf(await manager.getDocAsUpdate(docId))
      doc.getText('body').insert(16, 'and this')
      doc.getMap('map').set('key', [1, null, { a: 'b' }])
      const connectionTo = await manager.getDocConnection(docId)
      await connectionTo.updateDoc(Y.encodeStateAsUpdate(doc))
      const back = docOf(await connectionTo.getAsUpdate())
      assert.equal(back.getText('body').toString(), 'made with this. and this')
      assert.deepEqual(back.getMap('map').get('key'), [1, null, { a: 'b' }])

      const { token } = await manager.getClientToken(docId)
      const older = `/doc/${docId}`
      const binary = { method: 'POST', body: updateOf('older. '), headers: { 'Content-Type': 'application/octet-stream' }, token }
      assert.ok((await ask(server, `${older}/update`, binary)).ok)
      const got = await ask(server, `${older}/as-update`, { token })
      assert.ok(textOf(new Uint8Array(await got.arrayBuffer())).includes('older. '))
    })

    test('refuses bytes that are no update, and the document is as it was', async () => {
      const { docId } = await manager.createDocWithContent(updateOf('unharmed'))
      for (const bytes of [[1, 1, 1], [255, 255, 255, 255, 255], [1, 1, 7, 0, 4]]) {
        await rejects(manager.updateDoc(docId, Uint8Array.from(bytes)), { code: 'ServerError' })
      }
      assert.equal(textOf(await manager.getDocAsUpdate(docId)), 'unharmed')
    })

    guests.test('syncs a provider soon, with what was typed before it was there', async () => {
      const { docId } = await manager.createDocWithContent(updateOf('there. '))
      const client = openBy(manager, server, docId)
      client.type('typed before. ')
      await when('the first sync', () => client.provider.synced, [client], SYNC_LIMIT_MS)
      await client.saved()
      const text = textOf(await manager.getDocAsUpdate(docId))
      assert.ok(text.includes('there. ') && text.includes('typed before. '), text)

      const second = openBy(manager, server, docId)
      await second.synced()
      assert.equal(second.text.toString(), client.text.toString())
      await manager.updateDoc(docId, updateOf('by HTTP. '))
      await sameText([client, second], 'by HTTP. ')
    })

    guests.test('lets two providers write to and see each other', async () => {
      const { docId } = await manager.createDoc()
      const clients = [openBy(manager, server, docId), openBy(manager, server, docId)]
      const [a, b] = clients
      await Promise.all(clients.map((client) => client.synced()))
      a.type('from a, ')
      b.type('from b, ')
      await sameText(clients, 'from a, ', 'from b, ')
      await Promise.all(clients.map((client) => client.saved()))
      a.text.delete(0, a.text.length)
      await when('the deletion is seen', () => b.text.length === 0, [b])
      await a.saved()

      a.awareness.setLocalStateField('user', 'Ada')
      b.awareness.setLocalStateField('user', 'Bert')
      await when('each sees the other', () => a.othersPresent.includes('Bert') && b.othersPresent.includes('Ada'), clients)
      guests.lose(a)
      await when('who vanished is gone', () => b.othersPresent.length === 0, [b])
    })

    test('answers a socket whose address names two documents with 400', async () => {
      const { docId } = await manager.createDoc()
      const { token } = await manager.getClientToken(docId)
      const query = token ? `?token=${token}` : ''
      assert.equal(await upgradeStatus(server, `/d/${docId}/ws/another${query}`), 400)
      assert.equal(await upgradeStatus(server, `/d/${docId}/ws/${docId}${query}`), 101)
      assert.equal(await upgradeStatus(server, `/doc/ws/${docId}${query}`), 101)
    })
  })
}

describe('a server without keys', () => {
  /** @type {Server} */
  let server
  before(async () => {
    server = await Server.start()
  })
  after(() => server.dispose())

  test('does not look at a token', async () => {
    const manager = new DocumentManager(`ys://any-token@${server.host}`)
    const { docId } = await manager.createDocWithContent(updateOf('open'))
    const { baseUrl } = await manager.getClientToken(docId)
    const answer = await fetch(`${baseUrl}/as-update`, { headers: { Authorization: 'Bearer undefined' } })
    assert.equal(textOf(new Uint8Array(await answer.arrayBuffer())), 'open')
    assert.equal(await upgradeStatus(server, `/d/${docId}/ws/${docId}?token=nonsense`), 101)
  })

  guests.test('stays connected to a provider that says nothing', async () => {
    const manager = new DocumentManager(`ys://${server.host}`)
    const { docId } = await manager.createDoc()
    const client = openBy(manager, server, docId)
    await client.saved()
    let closed = false
    client.on('closed', () => { closed = true })
    await quietTime(client)
    assert.equal(closed, false)
    assert.deepEqual(client.changes, [false])
  })

  test('that is not there is told of in the words of the SDK', async () => {
    const gone = await Server.start()
    const { port } = gone
    await gone.dispose()
    const manager = new DocumentManager(`ys://127.0.0.1:${port}`)
    await rejects(manager.createDoc(), { code: 'ServerRefused', address: '127.0.0.1', port })
  })
})

describe('"no local changes"', () => {
  /** @type {Server} */
  let server
  /** @type {DocumentManager} */
  let manager
  before(async () => {
    server = await Server.start()
    manager = new DocumentManager(`ys://${server.host}`)
  })
  after(() => server.dispose())

  guests.test('is not said while nothing can be saved, and the provider stays', async () => {
    const { docId } = await manager.createDoc()
    const clients = [openBy(manager, server, docId), openBy(manager, server, docId)]
    const [client, other] = clients
    await Promise.all(clients.map((each) => each.saved()))
    let closed = false
    client.on('closed', () => { closed = true })
    client.changes.length = 0
    const lock = await LogLock.take(server)
    try {
      client.type('not on disk yet')
      await quietTime(client)
      assert.deepEqual(client.changes, [true])
      assert.equal(client.provider.hasLocalChanges, true)
      assert.equal(closed, false, 'the provider gave up its socket')
      assert.equal(other.text.length, 0)
    } finally {
      await lock.release()
    }
    await client.saved()
    assert.deepEqual(client.changes, [true, false])
    await sameText(clients, 'not on disk yet')
  })

  guests.test('is not said of what was typed offline until that has come', async () => {
    const { docId } = await manager.createDoc()
    const client = openBy(manager, server, docId)
    await client.saved()
    client.unplug()
    await when('it notices', () => !client.connected, [client])
    client.type('typed offline')
    const version = client.provider.localVersion
    let published = false
    let said = false
    client.on('frame', (direction, bytes) => {
      if (direction === 'out') return
      const frame = read('y-websocket', direction, bytes)
      const update = frame.type === SYNC && [STEP_2, UPDATE].includes(frame.subType)
      published ||= update && Buffer.from(frame.payload).includes('typed offline')
      if ((checkpointOf(bytes) ?? -1) < version) return
      said = true
      assert.ok(published, 'the server said "saved" before it had what was typed offline')
    })
    client.plug()
    await client.saved()
    assert.ok(said)
    assert.equal(textOf(await manager.getDocAsUpdate(docId)), 'typed offline')
  })

  guests.test('is said again after the network was gone, with everything on both sides', async () => {
    const { docId } = await manager.createDoc()
    const clients = [openBy(manager, server, docId), openBy(manager, server, docId)]
    const [away, there] = clients
    await Promise.all(clients.map((client) => client.synced()))
    there.type('before. ')
    await sameText(clients, 'before. ')
    away.awareness.setLocalStateField('user', 'Ada')
    await when('presence comes', () => there.othersPresent.includes('Ada'), [there])
    away.unplug()
    await when('presence goes', () => there.othersPresent.length === 0, [there])
    away.type('away. ')
    there.type('there. ')
    assert.equal(away.provider.hasLocalChanges, true)
    away.plug()
    await sameText(clients, 'before. ', 'away. ', 'there. ')
    await Promise.all(clients.map((client) => client.saved()))
    await when('presence is back', () => there.othersPresent.includes('Ada'), [there])
  })

  test('is kept through kill -9', async () => {
    const rounds = 5
    const own = await Server.start()
    const ownManager = new DocumentManager(`ys://${own.host}`)
    try {
      const { docId } = await ownManager.createDoc()
      const promised = []
      for (let round = 0; round < rounds; round += 1) {
        const writers = [0, 1].map((seat) => writer(ownManager, own, docId, `${round}.${seat}`))
        const wanted = 20 + 15 * round
        const clients = writers.map(({ client }) => client)
        await when('much is saved', () => writers.every(({ saved }) => saved.length >= wanted), clients)
        own.kill()
        await own.ended
        for (const client of clients) client.destroy()
        promised.push(...writers.flatMap(({ saved }) => saved))
        await own.restart()
        const words = textOf(await ownManager.getDocAsUpdate(docId)).split(' ')
        const there = new Set(words)
        assert.deepEqual(promised.filter((word) => !there.has(word)), [], `missing after round ${round}`)
      }
    } finally {
      await own.dispose()
    }
  })
})

/** A provider that types some words, more as soon as those are saved, and so on; and the words it was told are saved. */
function writer(manager, server, docId, prefix) {
  const client = Y_SWEET.open(server, docId, { tokens: () => manager.getClientToken(docId) })
  const saved = []
  let typed = []
  client.provider.on('local-changes', (there) => {
    if (there) return
    saved.push(...typed)
    typed = Array.from({ length: 3 }, (_, index) => `${prefix}.${saved.length + index}`)
    // The provider tells of it in the middle of its own work.
    queueMicrotask(() => {
      for (const word of typed) client.type(`${word} `)
    })
  })
  return { client, saved }
}

describe('rights', () => {
  /** @type {GuardedServer} */
  let guarded
  /** @type {Server} */
  let server
  /** @type {DocumentManager} */
  let manager

  const managerWith = (token) => new DocumentManager(`ys://${token ? `${encodeURIComponent(token)}@` : ''}${server.host}`)

  before(async () => {
    guarded = await GuardedServer.start()
    ;({ server } = guarded)
    manager = managerWith(guarded.token('admin'))
  })
  after(() => guarded.dispose())

  test('of the app\'s server: without a token, or with one that is not accepted, nothing', async () => {
    const { docId } = await manager.createDoc()
    const spoilt = `${guarded.token('admin').slice(0, -4)}AAAA`
    const gone = guarded.token('admin', { exp: Math.floor(Date.now() / 1000) - 1 })
    for (const [token, refused] of [
      [undefined, { code: 'NoAuthProvided' }],
      ['nonsense', { code: 'InvalidAuthProvided' }],
      [spoilt, { code: 'InvalidAuthProvided' }],
      [gone, { code: 'InvalidAuthProvided' }],
    ]) {
      const stranger = managerWith(token)
      await rejects(stranger.checkStore(), refused)
      await rejects(stranger.createDoc(), refused)
      await rejects(stranger.createDoc('by-a-stranger'), refused)
      await rejects(stranger.getClientToken(docId), refused)
      await rejects(stranger.getClientToken('nobody-made'), refused)
    }
    await rejects(manager.getClientToken('by-a-stranger'), { code: 'ServerError', status: 404 })
  })

  test('of the app\'s server are not those of a page', async () => {
    const { docId } = await manager.createDoc()
    const { token } = await manager.getClientToken(docId)
    const page = managerWith(token)
    const attempts = [
      () => page.createDoc('by-a-page'),
      () => page.getClientToken(docId),
      () => page.getClientToken('nobody-made'),
    ]
    for (const attempt of attempts) {
      await assert.rejects(attempt, ({ cause }) => cause.code === 'InvalidAuthProvided' || [403, 404].includes(cause.status))
    }
    await rejects(manager.getClientToken('by-a-page'), { code: 'ServerError', status: 404 })
  })

  test('of a page: on its own document, in its own measure', async () => {
    const { docId } = await manager.createDocWithContent(updateOf('mine'))
    const other = await manager.createDocWithContent(updateOf('of others'))
    const { token } = await manager.getClientToken(docId)
    const socket = (name, query) => upgradeStatus(server, `/d/${name}/ws/${name}${query}`)
    assert.equal(await socket(docId, `?token=${token}`), 101)
    assert.equal(await socket(docId, ''), 401)
    assert.equal(await socket(docId, '?token='), 401)
    assert.equal(await socket(docId, '?token=nonsense'), 401)
    const refused = [401, 403]
    assert.ok(refused.includes(await socket(other.docId, `?token=${token}`)))
    for (const path of [`/d/${other.docId}`, `/doc/${other.docId}`]) {
      assert.ok(refused.includes((await ask(server, `${path}/as-update`, { token })).status))
      const update = { method: 'POST', body: updateOf('not mine'), token }
      assert.ok(refused.includes((await ask(server, `${path}/update`, update)).status))
      assert.equal((await ask(server, `${path}/as-update`)).status, 401)
    }
    assert.equal(textOf(await manager.getDocAsUpdate(other.docId)), 'of others')
  })

  guests.test('of a page are those of its user, who is seen under that name', async () => {
    const { docId } = await manager.createDoc()
    const ann = openBy(manager, server, docId, { userId: 'ann' })
    const bo = openBy(manager, server, docId, { userId: 'bo' })
    await Promise.all([ann.synced(), bo.synced()])
    ann.awareness.setLocalState({ coscribe: { subject: 'bo' }, cursor: 3 })
    const seen = () => bo.awareness.getStates().get(ann.doc.clientID)
    await when('bo sees ann', () => seen()?.cursor === 3, [bo])
    assert.deepEqual(seen().coscribe, { subject: 'ann' })
  })

  guests.test('to read only: what is written never gets anywhere, is never called saved, and the reader stays', async () => {
    const { docId } = await manager.createDocWithContent(updateOf('theirs'))
    const writer = openBy(manager, server, docId)
    const reader = openBy(manager, server, docId, { authorization: 'read-only' })
    await Promise.all([writer.saved(), reader.saved()])
    assert.deepEqual(reader.changes, [false])

    const readerToken = await manager.getClientToken(docId, { authorization: 'read-only' })
    const update = { method: 'POST', body: updateOf('by a reader'), token: readerToken.token }
    assert.equal((await ask(server, `/d/${docId}/update`, update)).status, 403)

    let closed = false
    reader.on('closed', () => { closed = true })
    reader.type(' and mine')
    reader.text.delete(0, 3)
    await quietTime(reader)
    assert.equal(closed, false)
    assert.equal(reader.provider.hasLocalChanges, true)
    assert.deepEqual(reader.changes, [false, true])

    reader.awareness.setLocalStateField('user', 'Ada')
    await when('the reader is seen', () => writer.othersPresent.includes('Ada'), [writer])
    writer.type(', still theirs')
    await when('the reader reads on', () => reader.text.toString().includes('still theirs'), [reader])
    assert.equal(writer.text.toString(), 'theirs, still theirs')
    await writer.saved()
    assert.equal(textOf(await manager.getDocAsUpdate(docId)), 'theirs, still theirs')
  })

  guests.test('to read only: neither what was typed before the reader came', async () => {
    const { docId } = await manager.createDocWithContent(updateOf('theirs'))
    const reader = openBy(manager, server, docId, { authorization: 'read-only' })
    reader.type('mine')
    await reader.synced()
    const witness = openBy(manager, server, docId)
    await witness.synced()
    reader.awareness.setLocalStateField('user', 'Ada')
    await when('the reader is seen', () => witness.othersPresent.includes('Ada'), [witness])
    witness.type('.')
    await when('the reader reads on', () => reader.text.toString().includes('.'), [reader])
    assert.equal(witness.text.toString(), 'theirs.')
    assert.equal(reader.provider.hasLocalChanges, true)
  })

  guests.test('end with the token, and a new one brings everything back', async () => {
    const { docId } = await manager.createDoc()
    let fetched = 0
    const tokens = () => {
      fetched += 1
      return manager.getClientToken(docId, { validForSeconds: fetched === 1 ? 2 : 3600 })
    }
    const opensAt = performance.now()
    const client = open(server, docId, { tokens })
    const closes = []
    const refusals = []
    client.on('closed', (code) => closes.push({ code, at: performance.now() }))
    client.on('refused', (status) => refusals.push(status))
    const witness = openBy(manager, server, docId)
    await Promise.all([client.saved(), witness.saved()])
    client.type('in time. ')
    await client.saved()
    await when('the socket is closed', () => closes.length > 0, [client])
    assert.equal(closes[0].code, 4401)
    const lateMs = closes[0].at - opensAt - 2000
    assert.ok(lateMs > -1000 && lateMs < CLOSE_LIMIT_MS, `closed ${lateMs} ms after its time`)
    client.type('meanwhile. ')
    witness.type('by the others. ')
    await sameText([client, witness], 'in time. ', 'meanwhile. ', 'by the others. ')
    await client.saved()
    assert.equal(fetched, 2)
    assert.deepEqual([...new Set(refusals)], [401])
  })

  guests.test('of a token that was short from the start end at once, by HTTP as well', async () => {
    const { docId } = await manager.createDoc()
    const none = await manager.getDocConnection(docId, { validForSeconds: 0 })
    await rejects(none.getAsUpdate(), { code: 'InvalidAuthProvided' })

    const short = await manager.getClientToken(docId, { validForSeconds: 2 })
    const connection = await manager.getDocConnection(docId, { validForSeconds: 2 })
    assert.ok((await connection.getAsUpdate()).length > 0)
    const client = open(server, docId, { tokens: async () => short })
    await when('its time is over', () => !client.connected && client.provider.receivedAtLeastOneSyncResponse, [client])
    await rejects(connection.getAsUpdate(), { code: 'InvalidAuthProvided' })
    await rejects(connection.updateDoc(updateOf('late')), { code: 'InvalidAuthProvided' })
  })
})
