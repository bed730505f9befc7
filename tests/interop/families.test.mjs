/**
 * Every family of clients in one document at once, each version of it unmodified: they write, see and leave each other;
 * a reader's writing never gets anywhere; and a change of rights reaches every one of them within seconds.
 *
 * The measured seconds are printed at the end.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { HOCUSPOCUS, sameText, when } from './support/clients.mjs'
import { FAMILIES, GuardedServer, Guests, Light, Told, Y_WEBSOCKET_4, enter } from './support/families.mjs'
import { Server } from './support/server.mjs'
import { LogLock } from './support/ysweet.mjs'

/** A change of rights is to be felt by then. */
const FELT_LIMIT_MS = 5000
/** `@y/websocket` expects its light to be green again by then. */
const GREEN_LIMIT_MS = 500
/** The providers that know of a document that is closed while its socket stays. */
const CLOSABLE = HOCUSPOCUS.slice(0, 2)
/** Older than the option `protocols`. */
const WITHOUT_PROTOCOLS = ['y-websocket@1.5.4']
/** Tokens count whole seconds. */
const SECOND_MS = 1000

const guests = new Guests()

/** Opens one client of each kind, with the token that `tokenOf` gives for it. */
function enterAll(server, name, tokenOf = () => undefined) {
  return FAMILIES.map((kind, seat) => guests.keep(enter(kind, server, name, tokenOf(kind, seat))))
}

async function openAll(server, name, tokenOf) {
  const clients = enterAll(server, name, tokenOf)
  await Promise.all(clients.map((client) => client.synced()))
  return clients
}

async function openOne(kind, server, name, token) {
  const client = guests.keep(enter(kind, server, name, token))
  await client.synced()
  return client
}

/** A client's state in awareness, as another one sees it. */
const stateOf = (client, seenBy) => seenBy.awareness.getStates().get(client.doc.clientID)

/** Whether a client takes the codes 4400 to 4499 for good; the others come back whatever the code. */
const staysAway = (client) => client.provider.shouldReconnect !== undefined

/** Waits until every client sees every other one's state fit. */
function allSeeAll(what, clients, fits) {
  const seen = () => clients.every((by) => clients.every((client) => client === by || fits(stateOf(client, by), client)))
  return when(what, seen, clients)
}

/**
 * Waits until whatever a client has sent so far has been looked at, and everything taken of it was published to the others:
 * its presence, which it sends after that, has come, and so has what was typed once it had.
 */
async function settled(client, witness, others, mark) {
  client.awareness.setLocalStateField('mark', mark)
  await when(`${client.kind.name} is seen`, () => stateOf(client, witness)?.mark === mark, [witness])
  witness.type(`<${mark}>`)
  await when('the witness is read', () => others.every(({ text }) => text.toString().includes(`<${mark}>`)), others)
}

describe('all families in one document', () => {
  /** @type {Server} */
  let server
  before(async () => {
    server = await Server.start()
  })
  after(() => server.dispose())

  guests.test('write, see each other, delete and leave', async () => {
    const clients = await openAll(server, 'one-table')
    const words = clients.map((client) => `[${client.kind.name}]`)
    for (const [seat, client] of clients.entries()) client.type(words[seat])
    await sameText(clients, ...words)

    for (const client of clients) client.awareness.setLocalStateField('user', { name: client.kind.name })
    await allSeeAll('everybody sees everybody', clients, (state, client) => state?.user?.name === client.kind.name)

    for (const [seat, client] of clients.entries()) {
      client.text.delete(client.text.toString().indexOf(words[seat]), words[seat].length)
    }
    await when('all that was deleted is gone', () => clients.every(({ text }) => text.length === 0), clients)

    const [stays, ...leave] = clients
    for (const client of leave) guests.lose(client)
    await when('who vanished is gone', () => stays.othersPresent.length === 0, [stays])
  })

  guests.test('hear what all others type at the same time', async () => {
    const clients = await openAll(server, 'all-at-once')
    const rounds = Array.from({ length: 30 }, (_, round) => round)
    for (const round of rounds) {
      for (const client of clients) {
        client.type(`${client.kind.name}:${round} `)
        if (round % 3 === 2) client.text.delete(0, 2)
      }
      await new Promise(setImmediate)
    }
    await sameText(clients)
    const length = () => new Set(clients.map(({ text }) => text.length)).size === 1
    assert.ok(length(), 'the same text has the same length')
    for (const client of clients.filter((each) => each.saved)) await client.saved()
    const late = await openAll(server, 'all-at-once')
    await sameText([...clients, ...late])
  })
})

describe(`the light of ${Y_WEBSOCKET_4.name}`, () => {
  /** @type {Server} */
  let server
  before(async () => {
    server = await Server.start()
  })
  after(() => server.dispose())

  guests.test('is green, not green in the turn of a change, and soon green again', async () => {
    const client = guests.keep(enter(Y_WEBSOCKET_4, server, 'light'))
    const light = new Light(client)
    await light.turnsGreen(GREEN_LIMIT_MS)
    const changes = {
      insert: () => client.doc.get('').insert(0, 'hello'),
      delete: () => client.doc.get('').delete(0, 2),
      'insert and delete at once': () => client.doc.transact(() => {
        client.doc.get('').insert(0, 'abc')
        client.doc.get('').delete(0, 3)
      }),
      format: () => client.doc.get('').format(0, 2, { bold: true }),
      attribute: () => client.doc.get('').setAttr('key', { a: [1, null, 'x'] }),
      'many small ones': () => {
        for (let turn = 0; turn < 50; turn += 1) {
          client.doc.get('').insert(0, 'xyz')
          client.doc.get('').delete(1, 2)
        }
      },
    }
    for (const [what, change] of Object.entries(changes)) {
      change()
      assert.equal(light.green, false, `green in the turn of: ${what}`)
      await light.turnsGreen(GREEN_LIMIT_MS)
    }
  })

  guests.test('is not green while nothing can be saved', async () => {
    const client = guests.keep(enter(Y_WEBSOCKET_4, server, 'light-locked'))
    const witness = await openOne(FAMILIES[0], server, 'light-locked')
    const light = new Light(client)
    await light.turnsGreen()
    const lock = await LogLock.take(server)
    try {
      client.type('not on disk yet')
      // The server answers, with presence; and it has had the time to answer the change.
      for (let mark = 0; mark < 5; mark += 1) {
        client.awareness.setLocalStateField('mark', mark)
        await when('presence goes on', () => stateOf(client, witness)?.mark === mark, [witness])
        assert.equal(light.green, false)
      }
      assert.equal(witness.text.length, 0)
    } finally {
      await lock.release()
    }
    await light.turnsGreen()
    await sameText([client, witness], 'not on disk yet')
  })
})

describe('with tokens', () => {
  /** @type {GuardedServer} */
  let guarded
  before(async () => {
    guarded = await GuardedServer.start()
  })
  after(() => guarded.dispose())

  guests.test('everybody writes, and is who the token says', async () => {
    const tokenOf = (kind, seat) => guarded.token('write', { sub: `s${seat}`, name: `Name ${seat}`, color: '#00aa00' })
    const clients = await openAll(guarded.server, 'tokens', tokenOf)
    for (const client of clients) {
      client.type(`[${client.kind.name}]`)
      client.awareness.setLocalState({ user: { name: 'Mallory', color: '#ff0000', icon: 7 }, coscribe: { subject: 'root' } })
    }
    await sameText(clients, ...clients.map((client) => `[${client.kind.name}]`))
    await allSeeAll('everybody is here', clients, (state) => state?.user !== undefined)
    for (const by of clients) {
      for (const [seat, client] of clients.entries()) {
        if (client === by) continue
        assert.deepEqual(stateOf(client, by), {
          user: { name: `Name ${seat}`, color: '#00aa00', icon: 7 },
          coscribe: { subject: `s${seat}` },
        }, `${client.kind.name} as ${by.kind.name} sees it`)
      }
    }
  })

  guests.test('whoever has none, or one that is not for here, is told so and not let in', async () => {
    const now = Math.floor(Date.now() / SECOND_MS)
    const cases = [
      ['none', undefined, 401, 'permission-denied'],
      ['not one of ours', guarded.token('write').replace(/.{6}$/, 'AAAAAA'), 401, 'permission-denied'],
      ['expired', guarded.token('write', { iat: now - 60, exp: now - 1 }), 401, 'token-expired'],
      ['for another document', guarded.token('admin', { documents: ['other', 'not-let-in/*'] }), 403, 'permission-denied'],
    ]
    for (const [what, token, status, reason] of cases) {
      const clients = enterAll(guarded.server, 'not-let-in', () => token)
      const told = clients.map((client) => new Told(client))
      await when(`a verdict for: ${what}`, () => told.every(({ refusals, end }) => refusals.length > 0 || end), clients)
      for (const { client, refusals, end } of told) {
        const said = client.kind.dialect === 'hocuspocus' ? end.said : refusals[0]
        assert.equal(said, client.kind.dialect === 'hocuspocus' ? reason : status, `${client.kind.name}, ${what}`)
        assert.equal(client.provider.synced, false)
      }
      guests.dismiss()
    }
  })

  guests.test('y-websocket clients carry it as they can', async () => {
    const token = guarded.token('write')
    const kinds = FAMILIES.filter(({ dialect }) => dialect === 'y-websocket')
    const carriers = [{ params: { token } }, { params: { yauth: token } }]
    const withProtocols = kinds.filter(({ name }) => !WITHOUT_PROTOCOLS.includes(name))
    const clients = [
      ...kinds.flatMap((kind) => carriers.map((options) => kind.open(guarded.server, 'carried', options))),
      ...withProtocols.map((kind) => kind.open(guarded.server, 'carried', { protocols: [`yauth-${token}`] })),
      ...withProtocols.map((kind) => kind.open(guarded.server, 'carried', { protocols: ['app', `yauth-${token}`] })),
    ]
    for (const client of clients) guests.keep(client)
    await Promise.all(clients.map((client) => client.synced()))
    for (const [seat, client] of clients.entries()) client.type(`[${seat}]`)
    await sameText(clients, ...clients.map((_, seat) => `[${seat}]`))
  })

  for (const level of ['read', 'comment']) {
    guests.test(`what those write who may only ${level} never gets anywhere`, async () => {
      const name = `only-${level}`
      const writers = await openAll(guarded.server, name, () => guarded.token('write'))
      writers[0].type('before. ')
      await sameText(writers, 'before. ')
      const readers = await openAll(guarded.server, name, () => guarded.token(level))
      await sameText([...writers, ...readers], 'before. ')
      for (const reader of readers) {
        const word = `{${reader.kind.name}}`
        reader.type(word)
        reader.text.delete(0, 3)
        await settled(reader, writers[0], [...writers, ...readers], reader.kind.name)
      }
      const late = await openOne(FAMILIES[0], guarded.server, name, guarded.token('read'))
      const marks = readers.map((reader) => `<${reader.kind.name}>`).join('')
      for (const client of [...writers, late]) assert.equal(client.text.toString(), `before. ${marks}`)
      for (const reader of readers) assert.ok(reader.connected, `${reader.kind.name} is still here`)
    })
  }
})

describe('a change of rights while connected', () => {
  /** @type {GuardedServer} */
  let guarded
  /** Rows of the table: what changed, for whom, how it was told, and after how many seconds. */
  const measured = []

  before(async () => {
    guarded = await GuardedServer.start()
  })
  after(() => guarded.dispose())

  /** Opens one of each kind and an administrator's client that looks on. */
  async function seat(name, tokenOf) {
    const witness = await openOne(Y_WEBSOCKET_4, guarded.server, name, guarded.token('admin', { sub: 'witness' }))
    const clients = enterAll(guarded.server, name, tokenOf)
    const told = clients.map((client) => new Told(client))
    await Promise.all(clients.map((client) => client.synced()))
    for (const client of clients) client.type(`[${client.kind.name}]`)
    await sameText([witness, ...clients], ...clients.map((client) => `[${client.kind.name}]`))
    return { witness, clients, told }
  }

  /** Waits until all have been told, notes after how long, and fails for those who were told late. */
  async function felt(what, told, sinceMs, atOf, saidOf) {
    const clients = told.map(({ client }) => client)
    const overdue = when(what, () => told.every((each) => atOf(each) !== null), clients, FELT_LIMIT_MS + 2 * SECOND_MS)
    await overdue.catch(() => {})
    const late = []
    for (const each of told) {
      const { name } = each.client.kind
      const afterMs = atOf(each) === null ? null : atOf(each) - sinceMs
      measured.push([what, name, afterMs === null ? 'never' : saidOf(each), afterMs === null ? '-' : (afterMs / SECOND_MS).toFixed(2)])
      if (afterMs === null || afterMs > FELT_LIMIT_MS) late.push(name)
    }
    assert.deepEqual(late, [], `${what} was not felt within ${FELT_LIMIT_MS} ms`)
  }

  /** All are out, told why in their own words, and what they type from now on is not taken. */
  async function allOut(what, { witness, clients, told }, sinceMs, { code, reason }) {
    await felt(what, told, sinceMs, (each) => each.end?.at ?? null, (each) => each.end.said)
    for (const { client, end } of told) {
      assert.equal(end.said, client.kind.dialect === 'hocuspocus' ? reason : code, client.kind.name)
    }
    // A provider of 2.x has left by then, and one that hears of it reads no more.
    const closing = told.filter(({ client }) => CLOSABLE.includes(client.kind))
    await when('the document is closed', () => closing.every(({ closeReason }) => closeReason !== null), clients)
    for (const client of clients) client.type('too late')
    const knocking = told.filter(({ client }) => client.kind.dialect !== 'hocuspocus' && !staysAway(client))
    const refused = () => knocking.every(({ refusals }) => refusals.length > 0)
    await when('who comes back is refused at the door', refused, clients)
    for (const { client, refusals } of knocking) {
      assert.equal(new Set(refusals).size, 1, `${client.kind.name} was refused with ${refusals}`)
      assert.ok([401, 403, 404].includes(refusals[0]), `${client.kind.name} was refused with ${refusals[0]}`)
    }
    for (const { client, refusals } of told.filter((each) => staysAway(each.client))) {
      assert.deepEqual(refusals, [])
      assert.equal(client.provider.shouldConnect, false, `${client.kind.name} took the code for good`)
    }
    assert.ok(!witness.text.toString().includes('too late'))
  }

  guests.test('a token expires', async () => {
    const exp = Math.floor(Date.now() / SECOND_MS) + 5
    const table = await seat('expiry', (_, index) => guarded.token('write', { sub: `s${index}`, exp }))
    const expiresAt = performance.now() + (exp * SECOND_MS - Date.now())
    await allOut('token expired', table, expiresAt, { code: 4401, reason: 'token-expired' })
    for (const { client, end } of table.told) assert.ok(end.at > expiresAt - SECOND_MS, `${client.kind.name} went early`)
    table.witness.type('goes on')
    assert.ok(table.witness.connected)
  })

  for (const [what, claims, revocation] of [
    ['subject', (index) => ({ sub: 'ann', jti: `t${index}` }), [{ subject: 'ann' }]],
    ['token id', (index) => ({ sub: `by-id-${index}`, jti: 'one-token' }), [{ token_id: 'one-token' }]],
  ]) {
    guests.test(`a ${what} is revoked`, async () => {
      const table = await seat(`revoked-${what.replace(' ', '-')}`, (_, index) => guarded.token('write', claims(index)))
      const since = performance.now()
      await guarded.administer('POST', '/revocations', revocation[0])
      await allOut(`${what} revoked`, table, since, { code: 4401, reason: 'token-revoked' })
      table.witness.type('goes on')
      assert.ok(table.witness.connected)
    })
  }

  guests.test('a share link is revoked', async () => {
    const { id, secret } = await guarded.share('link-revoked', 'write')
    const table = await seat('link-revoked', () => secret)
    const since = performance.now()
    await guarded.administer('DELETE', `/links/${id}`)
    await allOut('link revoked', table, since, { code: 4401, reason: 'token-revoked' })
  })

  guests.test('a share link is turned down to reading, and up again', async () => {
    const name = 'link-changed'
    const { id, secret } = await guarded.share(name, 'write')
    const { witness, clients, told } = await seat(name, () => secret)
    const saved = witness.text.toString()
    const sockets = clients.map((client) => client.socket)
    for (const each of told) each.wordAt = null

    let since = performance.now()
    await guarded.administer('PATCH', `/links/${id}`, { level: 'read' })
    await felt('link downgraded', told, since, (each) => each.wordAt, (each) => each.words.at(-1))
    for (const { client, words } of told) {
      const sentence = 'you may read this document now, not change it'
      assert.equal(words.at(-1), client.kind.dialect === 'hocuspocus' ? 'readonly' : sentence, client.kind.name)
      client.type(`{${client.kind.name}}`)
    }
    for (const client of clients) await settled(client, witness, [witness, ...clients], client.kind.name)
    for (const client of clients) assert.ok(!witness.text.toString().includes(`{${client.kind.name}}`), client.kind.name)
    assert.ok(witness.text.toString().startsWith(saved), 'what had been saved is kept')

    for (const each of told) each.askedAt = null
    since = performance.now()
    await guarded.administer('PATCH', `/links/${id}`, { level: 'write' })
    const asked = (each) => (each.client.kind.dialect === 'hocuspocus' ? each.words.at(-1) : 'step 1')
    await felt('link upgraded', told, since, (each) => each.askedAt, asked)
    for (const client of clients) client.type(`(${client.kind.name})`)
    await sameText([witness, ...clients], ...clients.map((client) => `(${client.kind.name})`))
    for (const [index, client] of clients.entries()) {
      assert.equal(client.socket, sockets[index], `${client.kind.name} kept its socket`)
    }
    for (const client of clients.filter((each) => each.saved)) await client.saved()
  })

  guests.test('the document is deleted', async () => {
    const table = await seat('deleted', (_, index) => guarded.token('write', { sub: `s${index}` }))
    const since = performance.now()
    await guarded.administer('DELETE', '/documents/deleted')
    await allOut('document deleted', table, since, { code: 4404, reason: 'document-deleted' })
  })

  test('measured', (context) => {
    const widths = [0, 1, 2].map((column) => Math.max(...measured.map((row) => String(row[column]).length)))
    for (const row of measured) {
      context.diagnostic(row.map((cell, column) => String(cell).padEnd(widths[column] ?? 0)).join('  ') + ' s')
    }
  })
})
