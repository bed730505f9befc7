/**
 * `npm run record-fixtures`: writes real frames of every stock client, and this server's answers, to `tests/fixtures`.
 *
 * The tests of the server and of the web app read them. Client ids and texts are fixed, so that a new recording differs
 * only where a client or the server does (or the order of what happens at once).
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import WebSocket from 'ws'
import * as Y from 'yjs'
import { ALL, HOCUSPOCUS, Y_WEBSOCKET, sameText, when } from './support/clients.mjs'
import { Server } from './support/server.mjs'
import { STEP_1, SYNC, read } from './support/wire.mjs'

const FOLDER = fileURLToPath(new URL('../fixtures/', import.meta.url))
const DOCUMENT = 'notes/día 1'
const RECORDED_ID = 1001
const HELPER_ID = 2002
const SERVER = 'coscribe'

/** Gathers the frames of one client, each under the name of the step that the client is in. */
class Recording {
  frames = []
  step = ''
  /** Whether a change was sent and no update has come back since. */
  awaitsEcho = false

  constructor(kind) {
    this.kind = kind
    this.tap = (direction, bytes) => this.#add(direction, bytes)
  }

  #add(direction, bytes) {
    const { dialect, name: source } = this.kind
    const { name, payload, subType, type, ...rest } = read(dialect, direction, bytes)
    const decoded = { message: name, ...rest }
    if (type === SYNC && subType !== STEP_1) this.awaitsEcho = direction === 'out' && payload.length > 2
    if (type === SYNC) Object.assign(decoded, subType === STEP_1 ? stateVector(payload) : update(payload))
    const hex = Buffer.from(bytes).toString('hex')
    const [from, to] = direction === 'out' ? [source, 'to_server'] : [SERVER, 'to_client']
    if (this.frames.some((frame) => frame.direction === to && frame.hex === hex)) return
    this.frames.push({ source: from, dialect, direction: to, name: `${this.step}: ${name}`, hex, decoded })
  }
}

function stateVector(bytes) {
  return { state_vector: Object.fromEntries(Y.decodeStateVector(bytes)) }
}

function update(bytes) {
  const { structs, ds } = Y.decodeUpdate(bytes)
  return {
    inserts: structs.map(({ id, length }) => [id.client, id.clock, length]),
    deletes: [...ds.clients].flatMap(([client, ranges]) => ranges.map(({ clock, len }) => [client, clock, len])),
  }
}

function docWithId(id) {
  const doc = new Y.Doc()
  doc.clientID = id
  return doc
}

/** What a person does in a document, step by step. `settled` resolves when the server has answered. */
async function session(kind, server, recording, helper) {
  const open = (options) => kind.open(server, DOCUMENT, { tap: recording.tap, ...options })
  let client
  const settled = () => (kind.dialect === 'hocuspocus' ? client.saved()
    : when('the echo', () => client.provider.synced && !recording.awaitsEcho, [client]))
  const step = async (name, act) => {
    recording.step = name
    await act()
    await settled()
    await sameText([client, helper])
  }
  await step('opening', () => {
    client = open({ doc: docWithId(RECORDED_ID) })
  })
  await step('typing', () => client.type('Hello'))
  await step('typing an emoji', () => client.type(' 🙂'))
  await step('deleting', () => client.text.delete(0, 2))
  await step('making bold', () => client.text.format(0, 2, { bold: true }))
  await step('an embed', () => client.text.insertEmbed(0, { image: 'a.png' }))
  await step('a map entry', () => client.doc.getMap('meta').set('title', { words: ['a', 1, true, null, 1.5] }))
  await step('a paragraph', () => {
    const paragraph = new Y.XmlElement('paragraph')
    paragraph.insert(0, [new Y.XmlText('text')])
    client.doc.getXmlFragment('default').insert(0, [paragraph])
  })
  await step('presence', async () => {
    client.awareness.setLocalStateField('user', { name: 'Ada', color: '#30bced' })
    await when('presence is seen', () => helper.othersPresent.some((user) => user?.name === 'Ada'), [helper])
  })
  await step("the other's presence", async () => {
    helper.awareness.setLocalStateField('user', { name: 'Bert' })
    await when('presence is seen', () => client.othersPresent.some((user) => user?.name === 'Bert'), [client])
  })
  await step("the other's typing", async () => {
    helper.type(', and more')
    await sameText([client, helper], ', and more')
  })
  if (kind.dialect === 'hocuspocus') {
    await step('a stateless message', () => client.provider.sendStateless('{"saved":true}'))
    await step("the other's stateless message", async () => {
      const other = HOCUSPOCUS[0].open(server, DOCUMENT, { doc: docWithId(HELPER_ID + 1), awareness: null })
      await other.saved()
      other.provider.sendStateless('{"from":"the other"}')
      await when('it has come', () => client.stateless.length > 0, [client])
      other.destroy()
    })
  }
  await step('coming back with edits', async () => {
    client.disconnect()
    await when('it is offline', () => !client.connected, [client])
    client.type(' offline')
    client.connect()
    await sameText([client, helper], ' offline')
  })
  const leave = async () => {
    recording.step = 'leaving'
    client.destroy()
    await when('the socket is closed', () => client.socket.readyState === WebSocket.CLOSED, [client])
  }
  await leave()

  if (kind.dialect !== 'hocuspocus') return
  await step('opening with a token', () => {
    client = open({ doc: docWithId(RECORDED_ID + 1), token: 'the-token' })
  })
  await leave()
  if (kind !== HOCUSPOCUS[0]) return
  await step('opening session-aware', () => {
    client = open({ doc: docWithId(RECORDED_ID + 2), sessionAwareness: true })
  })
  await leave()
  recording.step = 'opening a blank name'
  client = kind.open(server, ' ', { tap: recording.tap, doc: docWithId(RECORDED_ID + 3) })
  await when('the denial', () => client.denials.length > 0, [client])
  await leave()
}

async function record(kind) {
  const server = await Server.start()
  const helperKind = (kind.dialect === 'hocuspocus' ? Y_WEBSOCKET : HOCUSPOCUS)[0]
  const helper = helperKind.open(server, DOCUMENT, { doc: docWithId(HELPER_ID) })
  const recording = new Recording(kind)
  try {
    await helper.synced()
    await session(kind, server, recording, helper)
  } finally {
    helper.destroy()
    await server.dispose()
  }
  return recording.frames
}

async function write(name, frames) {
  await writeFile(`${FOLDER}${name}.json`, `[\n${frames.map((frame) => JSON.stringify(frame)).join(',\n')}\n]\n`)
  console.log(`${name}.json: ${frames.length} frames`)
}

await mkdir(FOLDER, { recursive: true })
for (const kind of ALL) {
  const frames = await record(kind)
  const file = kind.name.replace(/^@/, '').replaceAll('/', '-').replace('@', '-')
  await write(file, frames.filter((frame) => frame.direction === 'to_server'))
  const newest = kind === Y_WEBSOCKET[0] || kind === HOCUSPOCUS[0]
  if (newest) await write(`${SERVER}-${kind.dialect}`, frames.filter((frame) => frame.direction === 'to_client'))
}
