/**
 * Open sockets and loaded documents, as `/metrics` counts them while providers come and go.
 */
import assert from 'node:assert/strict'
import { when } from './support/clients.mjs'
import { metric, metricIs, suite } from './support/provider.mjs'

const CONNECTIONS = 'coscribe_connections'
const DOCUMENTS = 'coscribe_documents_loaded'
const MANY = 40

/** Documents leave at once when nobody is in them. */
const { each, once } = suite({ COSCRIBE_TIMING_IDLE_TIMEOUT_MS: '1' })

/** Waits until the server holds these many sockets and documents. */
async function holds(stage, connections, documents) {
  await metricIs(stage.server, CONNECTIONS, connections)
  await metricIs(stage.server, DOCUMENTS, documents)
}

each('every socket is counted, and no longer when it has gone', async (stage) => {
  await holds(stage, 0, 0)
  const clients = Array.from({ length: 5 }, () => stage.open())
  await Promise.all(clients.map((client) => client.saved()))
  assert.equal(await metric(stage.server, CONNECTIONS), 5)
  assert.equal(await metric(stage.server, DOCUMENTS), 1)
  clients[0].vanish()
  clients[1].disconnect()
  clients[2].provider.destroy()
  clients[2].websocketProvider.destroy()
  await holds(stage, 2, 1)
  for (const client of clients.slice(3)) client.disconnect()
  await holds(stage, 0, 0)
})

each('documents on one socket are one socket and many documents', async (stage) => {
  await holds(stage, 0, 0)
  const first = stage.openAs(`${stage.name} 0`)
  const clients = [first]
  for (let index = 1; index < MANY; index += 1) {
    clients.push(stage.openAs(`${stage.name} ${index}`, { shared: first.websocketProvider }))
  }
  await Promise.all(clients.map((client) => client.saved()))
  await holds(stage, 1, MANY)
  for (const client of clients.slice(0, MANY / 2)) client.provider.destroy()
  await holds(stage, 1, MANY / 2)
  for (const client of clients.slice(MANY / 2)) client.provider.destroy()
  await holds(stage, 1, 0)
  first.websocketProvider.destroy()
  await holds(stage, 0, 0)
})

for (const name of ['', '   ']) {
  each(`the name ${JSON.stringify(name)} is denied and loads nothing`, async (stage) => {
    await holds(stage, 0, 0)
    const client = stage.openAs(name)
    await when('the denial', () => client.denials.length > 0, [client])
    await holds(stage, 1, 0)
    client.destroy()
    await holds(stage, 0, 0)
  })
}

once('a socket without a document loads nothing', async (stage) => {
  await holds(stage, 0, 0)
  const socket = await stage.raw()
  await holds(stage, 1, 0)
  socket.destroy()
  await holds(stage, 0, 0)
})
