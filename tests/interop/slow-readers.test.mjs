/**
 * Clients that never read do not cost the server their backlog, and lose nothing in the end.
 *
 * Sixteen sockets stop reading while a gigabyte in total is offered to them. Memory stays bounded; then one of them
 * reads again and must come to the full text by itself, without asking.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOCUSPOCUS, when } from './support/clients.mjs'
import { RawSocket } from './support/raw.mjs'
import { Server } from './support/server.mjs'

const MEBIBYTE = 1 << 20
const READERS = 16
const OFFERED_BYTES = 1e9
const PIECE_BYTES = 100_000
const GROWTH_BYTES_MAX = 64 * MEBIBYTE
const EDITS = OFFERED_BYTES / READERS / PIECE_BYTES

test('sixteen clients never read while 1 GB is offered to them', async (t) => {
  // Who does not read cannot answer a ping, and would be dropped as dead before the end.
  const server = await Server.start({ COSCRIBE_TIMING_PEER_TIMEOUT_MS: '600000' })
  const writer = HOCUSPOCUS[0].open(server, 'flood')
  try {
    await writer.saved()
    writer.type('the beginning ')
    await writer.saved()
    const readers = await Promise.all(Array.from({ length: READERS }, () => RawSocket.open(server, '/sync/flood')))
    const documents = await Promise.all(readers.map((reader) => reader.fetchDocument()))
    for (const reader of readers) reader.tcp.pause()

    const residentBefore = server.residentBytes
    let residentPeak = residentBefore
    for (let edit = 0; edit < EDITS; edit += 1) {
      writer.doc.transact(() => {
        writer.text.insert(writer.text.length, String.fromCharCode(97 + (edit % 26)).repeat(PIECE_BYTES))
        if (writer.text.length > 5 * PIECE_BYTES) writer.text.delete(20, PIECE_BYTES)
      })
      // The writer is not to run ahead: what is measured is the readers' backlog, not its own.
      await writer.saved()
      residentPeak = Math.max(residentPeak, server.residentBytes)
    }
    const growth = residentPeak - residentBefore
    t.diagnostic(`memory grew by ${Math.round(growth / MEBIBYTE)} MiB at most, from ${Math.round(residentBefore / MEBIBYTE)} MiB`)
    const read = readers.reduce((sum, reader) => sum + reader.received, 0)
    assert.ok(read < OFFERED_BYTES / 10, `the readers did read: ${read} bytes`)
    assert.ok(growth < GROWTH_BYTES_MAX, `memory grew by ${growth} bytes`)

    writer.type(' the end')
    await writer.saved()
    readers[0].tcp.resume()
    const wanted = writer.text.toString()
    await when('the one that reads again has the whole text', () => documents[0].getText('body').toString() === wanted, [readers[0]])
    assert.ok(readers[0].received < OFFERED_BYTES / READERS / 2, `it was sent ${readers[0].received} bytes, not a difference`)
    assert.ok(server.alive)
    for (const reader of readers) reader.destroy()
  } finally {
    writer.destroy()
    await server.dispose()
  }
})
