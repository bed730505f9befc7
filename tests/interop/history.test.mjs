/**
 * What the server says a document was, against stock Yjs: every update of the log is applied to a Yjs document, and after
 * each of them the two must agree.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import * as Y from 'yjs'
import { ALL, sameText, when } from './support/clients.mjs'
import { Server, binary } from './support/server.mjs'

let server
before(async () => {
  server = await Server.start()
})
after(() => server.dispose())

const api = (document, rest) => `${server.http}/api/v1/documents/${encodeURIComponent(document)}/${rest}`

async function get(document, rest) {
  const answer = await fetch(api(document, rest))
  assert.equal(answer.status, 200, `${rest}: ${answer.status}`)
  return answer
}

/** The updates of the log, in order. */
async function logged(document) {
  const lines = (await (await get(document, 'recording')).text()).trim().split('\n').slice(1)
  const events = lines.map((line) => JSON.parse(line)).filter((event) => event.kind === 'update')
  return events.map((event) => Buffer.from(event.update, 'base64'))
}

/** Opens one client of each kind, lets them edit in turns, and waits until they agree. */
async function edited(document, edit, rounds) {
  const clients = ALL.map((kind) => kind.open(server, document))
  try {
    await Promise.all(clients.map((client) => client.synced()))
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, client] of clients.entries()) {
        client.doc.transact(() => edit(client.doc, round * clients.length + index))
      }
    }
    const holds = (client) => JSON.stringify([...Y.decodeStateVector(Y.encodeStateVector(client.doc))].sort())
    // What everybody has been shown is in the log.
    await when('everybody has everything', () => new Set(clients.map(holds)).size === 1, clients)
  } finally {
    clients.forEach((client) => client.destroy())
  }
}

test('text is what stock Yjs makes of the log, after every update', async () => {
  await edited('texts', (doc, number) => {
    const text = doc.getText('body')
    const at = (number * 7) % (text.length + 1)
    if (number % 4 === 3 && text.length > 2) text.delete(Math.min(at, text.length - 2), 2)
    else text.insert(at, `${number}😀\n`)
    if (number % 5 === 0 && text.length > 3) text.format(0, 3, { bold: true })
  }, 6)
  const doc = new Y.Doc()
  const updates = await logged('texts')
  for (const [index, update] of updates.entries()) {
    Y.applyUpdate(doc, update)
    const text = await (await get('texts', `content?seq=${index + 1}&root=body`)).text()
    assert.equal(text, doc.getText('body').toString(), `after update ${index + 1}`)
  }
  assert.ok(updates.length > 20)
})

test('JSON is what stock Yjs makes of the log, after every update', async () => {
  await edited('values', (doc, number) => {
    const map = doc.getMap('map')
    map.set(`key ${number % 3}`, number % 2 === 0 ? { number, list: [1, 'two', null] } : new Y.Text(`text ${number}`))
    if (number % 7 === 6) map.delete('key 1')
    const list = doc.getArray('list')
    list.insert((number * 5) % (list.length + 1), [number, `word ${number}`])
    if (list.length > 8) list.delete(2, 3)
  }, 5)
  const doc = new Y.Doc()
  for (const [index, update] of (await logged('values')).entries()) {
    Y.applyUpdate(doc, update)
    const json = await (await get('values', `content?format=json&seq=${index + 1}`)).json()
    assert.deepEqual(json.map ?? {}, doc.getMap('map').toJSON(), `map after update ${index + 1}`)
    assert.deepEqual(json.list ?? [], doc.getArray('list').toJSON(), `list after update ${index + 1}`)
  }
})

test('a moment handed out as an update is the same document to stock Yjs', async () => {
  const doc = new Y.Doc()
  const updates = await logged('texts')
  const middle = Math.floor(updates.length / 2)
  updates.slice(0, middle).forEach((update) => Y.applyUpdate(doc, update))
  const state = new Uint8Array(await (await get('texts', `content?format=update&seq=${middle}`)).arrayBuffer())
  const again = new Y.Doc()
  Y.applyUpdate(again, state)
  assert.deepEqual(again.getText('body').toDelta(), doc.getText('body').toDelta())
  assert.deepEqual(Y.encodeStateVector(again), Y.encodeStateVector(doc))
})

test('a restored document is the old one to everybody, also to who was away', async () => {
  const away = ALL[0].open(server, 'texts')
  await away.synced()
  away.destroy()
  const wanted = await (await get('texts', 'content?seq=9&root=body')).text()
  const answer = await fetch(api('texts', 'restore'), { method: 'POST', body: '{"seq":9}' })
  assert.equal((await answer.json()).changed, true)
  const clients = ALL.map((kind) => kind.open(server, 'texts'))
  try {
    await Promise.all(clients.map((client) => client.synced()))
    await sameText(clients)
    assert.equal(clients[0].text.toString(), wanted)
  } finally {
    clients.forEach((client) => client.destroy())
  }
})

test('the database is sound, also while the server runs', () => {
  const said = execFileSync(binary(), ['fsck', '--database', server.databaseFile], { encoding: 'utf8' })
  assert.match(said, /^sound: 2 documents, /)
})
