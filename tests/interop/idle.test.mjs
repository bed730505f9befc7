/**
 * Clients that have nothing to say and show no presence stay connected.
 *
 * Stock clients leave a server from which no message has come for 30 s; pings of the WebSocket protocol do not count.
 * With awareness there is the echo of their own renewal; without it the server has to say something by itself.
 * The providers' 30 s cannot be set everywhere, so this file takes its time, beside the others.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ALL, sameText } from './support/clients.mjs'
import { Server } from './support/server.mjs'
import { AWARENESS, read } from './support/wire.mjs'

/** The limit of 30 s, the 3 s between two looks at it, and a second more. */
const WATCH_MS = 34_500

test('clients without awareness are kept for longer than their limit of silence', async () => {
  const server = await Server.start()
  const clients = ALL.map((kind) => {
    const client = kind.open(server, 'idle', kind.dialect === 'hocuspocus' ? { awareness: null } : {})
    if (kind.dialect === 'y-websocket') client.awareness.setLocalState(null)
    return client
  })
  const sockets = new Map()
  const renewed = new Set()
  try {
    await Promise.all(clients.map((client) => client.synced()))
    for (const client of clients) {
      sockets.set(client, client.socket)
      client.on('frame', (direction, bytes) => {
        if (direction === 'out' && read(client.kind.dialect, direction, bytes).type === AWARENESS) renewed.add(client)
      })
    }
    // The passing of this time, with nothing said, is what is tested.
    await pause(WATCH_MS)
    for (const client of clients) {
      assert.ok(!renewed.has(client), `${client.kind.name} showed presence, so this proves nothing`)
      assert.equal(client.socket, sockets.get(client), `${client.kind.name} had to connect again`)
      assert.ok(client.provider.synced, `${client.kind.name} is not synced`)
    }
    for (const [index, client] of clients.entries()) client.type(`${index} `)
    await sameText(clients, ...clients.map((_, index) => `${index} `))
  } finally {
    for (const client of clients) client.destroy()
    await server.dispose()
  }
})
