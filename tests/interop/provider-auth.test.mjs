/**
 * HocuspocusProvider with tokens: coming in, being turned away and trying again, fresh tokens, and losing rights while connected.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import * as Y from 'yjs'
import { sameText, when } from './support/clients.mjs'
import { Issuer, Log, framesOf, hears, login, majorOf, suite } from './support/provider.mjs'
import { AUTH, STEP_1, STEP_2, authFrame, syncFrame } from './support/wire.mjs'

/** Seconds that a short token holds: the server counts in whole ones, so it may be one less. */
const SHORT_S = 2
/** How soon a change of rights must have reached an open socket. */
const EFFECTIVE_LIMIT_MS = 5000
const DENIED = 'permission-denied'
/** Tests that mostly wait for a token to expire do so together. */
const AT_ONCE = { concurrency: 12 }

const issuer = new Issuer()

/** Options that note how logins end. */
function verdicts(log) {
  return {
    onAuthenticated: () => log.note('accepted'),
    onAuthenticationFailed: ({ reason }) => log.note(reason),
  }
}

/** Waits until a provider has been told the scope of its login. */
const scopeIs = (client, scope) =>
  when(`the scope ${scope}`, () => client.provider.authorizedScope === scope, [client], EFFECTIVE_LIMIT_MS)

/** Waits until a provider has lost a document that it had. */
const loses = (client, reason) =>
  when(`being told ${reason}`, () => client.denials.includes(reason), [client], EFFECTIVE_LIMIT_MS)

/** Logs in again with whatever token the provider now has. */
function logInAgain(client) {
  // 2.x has let go of its document by itself, and knows no other way.
  if (majorOf(client.kind) === 2) return client.provider.connect()
  client.provider.sendToken()
  return client.provider.startSync()
}

describe('a token', () => {
  const { each } = suite(issuer.environment)

  for (const [how, given] of [
    ['a string', (token) => token],
    ['a function', (token) => () => token],
    ['an asynchronous function', (token) => async () => token],
    ['a function that takes its time', (token) => () => new Promise((resolve) => setImmediate(resolve, token))],
  ]) {
    each(`may be ${how}`, async (stage) => {
      const log = new Log()
      const client = stage.open({ token: given(issuer.token()), ...verdicts(log) })
      await client.saved()
      assert.deepEqual(log.entries, ['accepted'])
      assert.equal(client.provider.isAuthenticated, true)
      assert.equal(client.provider.authorizedScope, 'read-write')
      client.type('written')
      await client.saved()
    })
  }

  for (const [level, scope] of [
    ['read', 'readonly'], ['comment', 'readonly'], ['write', 'read-write'], ['admin', 'read-write'],
  ]) {
    each(`of the level ${level} gives the scope ${scope}`, async (stage) => {
      const client = stage.open({ token: issuer.token({ level }) })
      await client.saved()
      assert.equal(client.provider.authorizedScope, scope)
    })
  }

  each('is asked for again with each connection', async (stage) => {
    let asked = 0
    const client = stage.open({ token: () => issuer.token({ jti: String((asked += 1)) }) })
    await client.saved()
    client.socket.terminate()
    await when('it is offline', () => !client.provider.synced, [client])
    await client.saved()
    assert.equal(asked, 2)
    assert.equal(client.provider.isAuthenticated, true)
  })

  each('is for its own documents only, one by one on a socket', async (stage) => {
    const token = issuer.token({ documents: [`${stage.name}/mine/*`] })
    const mine = stage.openAs(`${stage.name}/mine/a`, { token })
    const theirs = stage.openAs(`${stage.name}/theirs`, { token, shared: mine.websocketProvider })
    await Promise.all([mine.saved(), when('the denial', () => theirs.denials.length > 0, [theirs, mine])])
    assert.deepEqual(theirs.denials, [DENIED])
    mine.type('goes on')
    await mine.saved()
  })

  each('may give other rights in each document of a socket', async (stage) => {
    const writer = stage.openAs(`${stage.name}, to write`, { token: issuer.token() })
    const shared = writer.websocketProvider
    const reader = stage.openAs(`${stage.name}, to read`, { token: issuer.token({ level: 'read' }), shared })
    await Promise.all([writer.saved(), reader.saved()])
    assert.equal(writer.provider.authorizedScope, 'read-write')
    assert.equal(reader.provider.authorizedScope, 'readonly')
    const answers = framesOf(writer)
    reader.type('not allowed')
    await when('the answer', () => answers.count('in sync status 0') > 0, [answers])
    writer.type('allowed')
    await writer.saved()
    assert.equal(reader.provider.hasUnsyncedChanges, true)
  })

  each('may give other rights to each session of a document', async (stage) => {
    const good = stage.open({ token: issuer.token(), sessionAwareness: true })
    const shared = good.websocketProvider
    const bad = stage.open({ token: 'bad', sessionAwareness: true, shared })
    const reader = stage.open({ token: issuer.token({ level: 'read' }), sessionAwareness: true, shared })
    await Promise.all([good.saved(), reader.saved(), when('the denial', () => bad.denials.length > 0, [bad])])
    assert.equal(bad.provider.isAuthenticated, false)
    assert.equal(reader.provider.authorizedScope, 'readonly')
    good.type('seen by the reader')
    await Promise.all([good.saved(), sameText([good, reader], 'seen by the reader')])
    assert.equal(bad.text.toString(), '')
  }, { from: 4 })

  each('says who somebody is, whatever they say themselves', async (stage) => {
    const witness = stage.open({ token: issuer.token() })
    const ada = stage.open({ token: issuer.token({ sub: 'ada', name: 'Ada', color: '#2f5fc4' }) })
    await Promise.all([witness.saved(), ada.saved()])
    const claimed = { name: 'Mallory', color: '#000000', role: 'x' }
    ada.awareness.setLocalState({ user: claimed, coscribe: { subject: 'root' }, cursor: 7 })
    const seen = () => witness.awareness.getStates().get(ada.doc.clientID)
    await when('the state is seen', () => seen()?.cursor === 7, [witness])
    assert.deepEqual(seen(), {
      user: { name: 'Ada', color: '#2f5fc4', role: 'x' }, coscribe: { subject: 'ada' }, cursor: 7,
    })
  })
})

describe('a token that is not accepted', () => {
  const { each } = suite(issuer.environment)

  for (const [what, token, reason] of [
    ['none', () => undefined, DENIED],
    ['an empty one', () => '', DENIED],
    ['any text', () => 'SUPER-SECRET-TOKEN', DENIED],
    ['one that somebody else signed', () => issuer.forged(), DENIED],
    ['one for other documents', () => issuer.token({ documents: 'elsewhere/*' }), DENIED],
    ['one that has expired', () => issuer.token({}, -10), 'token-expired'],
  ]) {
    each(`is told to the app: ${what}`, async (stage) => {
      const log = new Log()
      const client = stage.open({ token: token(), ...verdicts(log) })
      client.type('not seen by anybody')
      await log.reaches('a verdict', 1)
      const owner = stage.open({ token: issuer.token() })
      await owner.saved()
      assert.deepEqual(log.entries, [reason])
      assert.equal(client.provider.isAuthenticated, false)
      assert.equal(client.provider.synced, false)
      assert.equal(client.provider.hasUnsyncedChanges, true)
      assert.deepEqual(client.closes, [])
      assert.equal(client.connected, true)
      assert.equal(owner.text.toString(), '')
    })
  }

  each('leaves the other documents of the socket alone', async (stage) => {
    const good = stage.openAs(`${stage.name}, good`, { token: issuer.token() })
    await good.saved()
    const bad = stage.open({ token: 'bad', shared: good.websocketProvider })
    await when('the denial', () => bad.denials.length > 0, [bad])
    good.type('goes on')
    await good.saved()
  })

  each('may be tried again on the same socket with another', async (stage) => {
    const log = new Log()
    let asked = 0
    let socket
    const client = stage.open({
      token: () => ((asked += 1) === 1 ? 'wrong' : issuer.token()),
      ...verdicts(log),
      onAuthenticationFailed: ({ reason }) => {
        log.note(reason)
        socket = client.socket
        // 2.x lets go of its document after this handler.
        queueMicrotask(() => logInAgain(client))
      },
    })
    client.type('written meanwhile')
    await client.saved()
    assert.deepEqual(log.entries, [DENIED, 'accepted'])
    assert.equal(asked, 2)
    assert.equal(client.socket, socket)
    const other = stage.open({ token: issuer.token() })
    await sameText([client, other], 'written meanwhile')
  })

  each('may be tried again by hand, the token first', async (stage) => {
    const client = stage.open({ token: 'wrong' })
    await when('the denial', () => client.denials.length > 0, [client])
    client.provider.configuration.token = issuer.token()
    await client.provider.sendToken()
    client.provider.startSync()
    await client.saved()
    assert.equal(client.provider.isAuthenticated, true)
  }, { from: 3 })

  each('does not stand in the way of another provider of that document', async (stage) => {
    const bad = stage.open({ token: 'wrong' })
    await when('the denial', () => bad.denials.length > 0, [bad])
    const good = stage.open({ token: issuer.token(), shared: bad.websocketProvider })
    await good.saved()
    good.type('written')
    await good.saved()
    assert.equal(bad.provider.isAuthenticated, false)
    assert.equal(bad.text.toString(), '')
  })
})

describe('who may only read, in a document with text', () => {
  const { each } = suite(issuer.environment)
  const reading = () => ({ token: issuer.token({ level: 'read' }) })

  /** A writer, and the state of the document that it has written. */
  async function written(stage) {
    const writer = stage.open({ token: issuer.token() })
    await writer.saved()
    writer.type('the text')
    await writer.saved()
    return [writer, Y.encodeStateAsUpdate(writer.doc)]
  }

  /** A copy of a document that somebody has kept. */
  function kept(state) {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, state)
    return doc
  }

  each('sees it, and what is written later', async (stage) => {
    const [writer] = await written(stage)
    const reader = stage.open(reading())
    await Promise.all([reader.saved(), sameText([writer, reader], 'the text')])
    writer.type(', longer')
    await Promise.all([writer.saved(), sameText([writer, reader], 'the text, longer')])
    assert.equal(reader.provider.hasUnsyncedChanges, false)
  })

  each('has nothing unsynced with a copy that is the same', async (stage) => {
    const [, state] = await written(stage)
    await stage.open({ ...reading(), doc: kept(state) }).saved()
  })

  for (const [what, change] of [
    ['text', (text) => text.insert(0, 'more ')], ['a deletion only', (text) => text.delete(0, 3)],
  ]) {
    each(`has unsynced changes with a copy that was changed, by ${what}`, async (stage) => {
      const [writer, state] = await written(stage)
      const doc = kept(state)
      change(doc.getText('body'))
      const reader = stage.open({ ...reading(), doc })
      const answers = framesOf(reader)
      await when('the answer', () => answers.count('in sync status 0') > 0, [answers])
      writer.type(', longer')
      await writer.saved()
      assert.equal(answers.count('in sync status 1'), 0)
      assert.equal(reader.provider.hasUnsyncedChanges, true)
      assert.equal(writer.text.toString(), 'the text, longer')
    })
  }

  each('keeps unsynced changes while others write', async (stage) => {
    const [writer] = await written(stage)
    const reader = stage.open(reading())
    await reader.saved()
    reader.doc.getMap('notes').set('mine', true)
    writer.type(', longer')
    await writer.saved()
    await when('the reader sees it', () => reader.text.toString() === 'the text, longer', [reader])
    assert.equal(reader.provider.hasUnsyncedChanges, true)
    assert.equal(writer.doc.getMap('notes').size, 0)
  })
})

describe('a fresh token', AT_ONCE, () => {
  const { each, once } = suite(issuer.environment)

  each('takes the place of the old one, without a word', async (stage) => {
    const log = new Log()
    const client = stage.open({ token: issuer.token({}, SHORT_S), ...verdicts(log) })
    const clock = stage.open({ token: issuer.token({}, SHORT_S + 1) })
    await Promise.all([client.saved(), clock.saved()])
    client.provider.configuration.token = issuer.token()
    await client.provider.sendToken()
    await loses(clock, 'token-expired')
    client.type('the old one has expired')
    await client.saved()
    assert.deepEqual(log.entries, ['accepted'])
    assert.deepEqual(client.closes, [])
  }, { from: 3 })

  each('is asked for before the old one expires, and the document stays open', async (stage) => {
    let asked = 0
    const client = stage.open({ token: () => issuer.token({ jti: String((asked += 1)) }, SHORT_S) })
    await client.saved()
    const renewed = () => asked >= 3
    const frames = framesOf(client)
    await when('it was asked for twice more', renewed, [frames, client])
    client.type('still here')
    await client.saved()
    assert.deepEqual(client.denials, [])
    assert.deepEqual(client.closes, [])
  }, { from: 3 })

  each('is sent for each document of a socket by itself', async (stage) => {
    const first = stage.openAs(`${stage.name} 1`, { token: issuer.token({}, SHORT_S) })
    const second = stage.openAs(`${stage.name} 2`, { token: issuer.token({}, SHORT_S), shared: first.websocketProvider })
    await Promise.all([first.saved(), second.saved()])
    first.provider.configuration.token = issuer.token()
    await first.provider.sendToken()
    await loses(second, 'token-expired')
    first.type('goes on')
    await first.saved()
    assert.deepEqual(first.denials, [])
  }, { from: 3 })

  each('that is not accepted closes the document, and only that', async (stage) => {
    const keeper = stage.openAs(`${stage.name}, kept`, { token: issuer.token() })
    const client = stage.open({ token: issuer.token(), shared: keeper.websocketProvider })
    await Promise.all([keeper.saved(), client.saved()])
    client.provider.configuration.token = issuer.forged()
    await client.provider.sendToken()
    await when('the close', () => client.closes.length > 0, [client, keeper], EFFECTIVE_LIMIT_MS)
    assert.equal(client.provider.isAuthenticated, false)
    assert.equal(client.provider.synced, false)
    keeper.type('goes on')
    await keeper.saved()
    client.provider.configuration.token = issuer.token()
    logInAgain(client)
    await client.saved()
  }, { from: 3 })

  each('with fewer rights makes a reader, with more a writer again', async (stage) => {
    const other = stage.open({ token: issuer.token() })
    const client = stage.open({ token: issuer.token() })
    await Promise.all([other.saved(), client.saved()])
    client.type('allowed, ')
    await Promise.all([client.saved(), sameText([client, other], 'allowed, ')])

    client.provider.configuration.token = issuer.token({ level: 'read' })
    await client.provider.sendToken()
    await scopeIs(client, 'readonly')
    const answers = framesOf(client)
    client.type('not allowed, ')
    await when('the answer', () => answers.count('in sync status 0') > 0, [answers])
    assert.equal(answers.count('in sync status 1'), 0)
    assert.equal(client.provider.hasUnsyncedChanges, true)
    assert.equal(other.text.toString(), 'allowed, ')

    client.provider.configuration.token = issuer.token()
    await client.provider.sendToken()
    await scopeIs(client, 'read-write')
    await Promise.all([client.saved(), sameText([client, other], 'allowed, ', 'not allowed, ')])
  }, { from: 3 })

  once('on an open document gets no second answer when nothing changes', async (stage) => {
    const socket = await stage.raw()
    assert.equal((await login(socket, stage.name, issuer.token())).scope, 'read-write')
    socket.send(authFrame(stage.name, issuer.token(), '4.8.0'))
    socket.send(syncFrame(stage.name, STEP_1, Uint8Array.of(0)))
    const first = await hears(socket, 'an answer', (each) => each.type === AUTH || each.subType === STEP_2)
    assert.equal(first.subType, STEP_2)
  })
})

describe('while connected', AT_ONCE, () => {
  const { each } = suite(issuer.environment)

  /** Asks the server for something that only an administrator may do. */
  async function asAdmin(server, method, path, body) {
    const answer = await fetch(`${server.http}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${issuer.token({ level: 'admin', sub: 'root' })}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    })
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.text()}`)
  }

  const revoke = ({ server }, what) => asAdmin(server, 'POST', 'revocations', what)
  const remove = ({ server, name }) => asAdmin(server, 'DELETE', `documents/${encodeURIComponent(name)}`)

  for (const [what, reason, happen] of [
    ['a token that expires', 'token-expired', () => {}],
    ['a token that is revoked', 'token-revoked', (stage, { jti }) => revoke(stage, { token_id: jti })],
    ['a user who is revoked', 'token-revoked', (stage, { sub }) => revoke(stage, { subject: sub })],
    ['a document that is deleted', 'document-deleted', remove],
  ]) {
    each(`${what} ends the document with its reason, and nothing after it is saved`, async (stage) => {
      const claims = { sub: `user of ${stage.name}`, jti: `token of ${stage.name}` }
      const expires = reason === 'token-expired'
      const keeper = stage.openAs(`${stage.name}, kept`, { token: issuer.token() })
      const client = stage.open({ token: issuer.token(claims, expires ? SHORT_S : 3600), shared: keeper.websocketProvider })
      await Promise.all([keeper.saved(), client.saved()])
      client.type('saved')
      await client.saved()
      const { socket } = keeper
      await happen(stage, claims)
      await loses(client, reason)
      // 2.x has let go of the document by then, so that it is not told of the close.
      if (majorOf(stage.kind) > 2) await when('the close', () => client.closes.length > 0, [client, keeper])
      assert.equal(client.provider.isAuthenticated, false)
      client.type(', not saved')
      keeper.type('goes on')
      await keeper.saved()
      assert.equal(keeper.websocketProvider.webSocket, socket)
      if (majorOf(stage.kind) > 2) assert.equal(client.provider.hasUnsyncedChanges, true)
    })
  }

  each('a new token after the old one has expired opens the document again on that socket', async (stage) => {
    const client = stage.open({ token: issuer.token({}, SHORT_S) })
    await client.saved()
    const { socket } = client
    await loses(client, 'token-expired')
    client.type('written without a login')
    client.provider.configuration.token = issuer.token()
    logInAgain(client)
    await client.saved()
    assert.equal(client.socket, socket)
    const other = stage.open({ token: issuer.token() })
    await sameText([client, other], 'written without a login')
  })

  each('who came with a token that is over is seen no longer', async (stage) => {
    const witness = stage.open({ token: issuer.token() })
    const client = stage.open({ token: issuer.token({}, SHORT_S) })
    await Promise.all([witness.saved(), client.saved()])
    client.awareness.setLocalStateField('cursor', 1)
    const states = () => witness.awareness.getStates()
    await when('it is seen', () => states().has(client.doc.clientID), [witness])
    await when('it has gone', () => !states().has(client.doc.clientID), [witness], EFFECTIVE_LIMIT_MS)
  })
})

describe('a server without keys', () => {
  const { each } = suite()

  each('does not look at tokens', async (stage) => {
    const log = new Log()
    const client = stage.open({ token: 'SUPER-SECRET-TOKEN', ...verdicts(log) })
    await client.saved()
    client.type('written')
    await client.saved()
    assert.deepEqual(log.entries, ['accepted'])
  })
})
