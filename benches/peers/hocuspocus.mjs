/**
 * Starts a Hocuspocus server with its SQLite extension: `node hocuspocus.mjs PORT FILE [FLUSH_DELAY_MS]`.
 * Runs where the peers are installed. Without the third word the flush delay is Hocuspocus' own.
 */
import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'

const [port, database, flushDelay] = process.argv.slice(2)

const server = new Server({
  port: Number(port),
  address: '127.0.0.1',
  quiet: true,
  extensions: [new SQLite({ database })],
  ...(flushDelay === undefined ? {} : { flushDelay: Number(flushDelay) }),
})
await server.listen()
