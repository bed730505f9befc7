/**
 * What a Hocuspocus socket may send before it has opened a document: little, and not for long. Afterwards none of it counts.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { Issuer, hears, login, suite } from './support/provider.mjs'
import { CLOSE, STATELESS, STEP_1, STEP_2, SYNC, frame, statelessFrame, syncFrame } from './support/wire.mjs'

const FRAMES_MAX = 5
const BYTES_MAX = 256 * 1024
const DOCUMENTS_MAX = 3
const LOGIN_TIMEOUT_MS = 1000
/** One after the other; far more than any of the limits. */
const MANY = 50
/** A message of this length is a small frame: a stranger's larger ones are not read at all until it logs in. */
const SMALL = 32 * 1024
/** The state vector of an empty document. */
const NOTHING = new Uint8Array([0])
/** Limits that do not come into it. */
const PLENTY = { frames: 1_000_000, bytes: 1 << 30, documents: 1_000_000, timeout: 60_000 }

const issuer = new Issuer()

/** Settings of a server with these limits, where nobody comes in without a token. */
function limited(limits) {
  const { frames, bytes, documents, timeout } = { ...PLENTY, ...limits }
  return {
    ...issuer.environment,
    COSCRIBE_LIMITS_UNAUTHENTICATED_FRAMES_MAX: `${frames}`,
    COSCRIBE_LIMITS_UNAUTHENTICATED_BYTES_MAX: `${bytes}`,
    COSCRIBE_LIMITS_UNAUTHENTICATED_DOCUMENTS_MAX: `${documents}`,
    COSCRIBE_TIMING_LOGIN_TIMEOUT_MS: `${timeout}`,
  }
}

/** Sends everything, unless the server closes before that, and gives the close code or null. */
async function flood(socket, frames) {
  await socket.pump(frames)
  await socket.roundTrip()
  return socket.code
}

const messages = (count, length, name = (index) => `document ${index}`) =>
  Array.from({ length: count }, (_, index) => statelessFrame(name(index), 'A'.repeat(length)))
const oneDocument = () => 'one document'

describe('frames before a login', () => {
  const { once } = suite(limited({ frames: FRAMES_MAX }))

  once('are counted, and the socket is closed at the limit', async (stage) => {
    assert.equal(await flood(await stage.raw(), messages(MANY, 16, oneDocument)), 4205)
  })

  once('may be as many as the limit', async (stage) => {
    const socket = await stage.raw()
    assert.equal(await flood(socket, messages(FRAMES_MAX - 1, 16, oneDocument)), null)
    assert.equal((await login(socket, stage.name, issuer.token())).scope, 'read-write')
  })

  once('are not limited after it', async (stage) => {
    const [socket, other] = [await stage.enter({ token: issuer.token() }), await stage.enter({ token: issuer.token() })]
    // The verdict comes before the seat in the document: who has its answer hears everything from then on.
    other.send(syncFrame(stage.name, STEP_1, NOTHING))
    await hears(other, 'a step 2', (each) => each.type === SYNC && each.subType === STEP_2)
    assert.equal(await flood(socket, messages(MANY, 16, () => stage.name)), null)
    for (let index = 0; index < MANY; index += 1) await hears(other, 'the message', (each) => each.type === STATELESS)
  })
})

describe('bytes before a login', () => {
  const { once } = suite(limited({ bytes: BYTES_MAX }))

  once('are counted, and the socket is closed at the limit', async (stage) => {
    assert.equal(await flood(await stage.raw(), messages(20, SMALL, oneDocument)), 4205)
  })

  once('count in one large frame as well', async (stage) => {
    assert.equal(await flood(await stage.raw(), messages(1, BYTES_MAX + 1, oneDocument)), 4205)
  })

  once('are not limited after it', async (stage) => {
    const socket = await stage.enter({ token: issuer.token() })
    assert.equal(await flood(socket, messages(20, SMALL, () => stage.name)), null)
  })
})

describe('documents before a login', () => {
  const { once } = suite(limited({ documents: DOCUMENTS_MAX }))

  once('are counted by their names, and the socket is closed at the limit', async (stage) => {
    assert.equal(await flood(await stage.raw(), messages(MANY, 16)), 4205)
  })

  once('count as well when a bad token was tried for each', async (stage) => {
    const socket = await stage.raw()
    for (let index = 0; !socket.gone && index < MANY; index += 1) await login(socket, `document ${index}`, 'bad').catch(() => {})
    assert.equal(socket.code, 4205)
  })

  once('are not limited after it', async (stage) => {
    const socket = await stage.enter({ token: issuer.token() })
    for (let index = 0; index < MANY; index += 1) {
      assert.equal((await login(socket, `${stage.name} ${index}`, issuer.token())).scope, 'read-write')
    }
  })
})

describe('the time before a login', () => {
  const { once } = suite(limited({ timeout: LOGIN_TIMEOUT_MS }))

  once('ends, however much is sent meanwhile', async (stage) => {
    const socket = await stage.raw()
    const started = performance.now()
    // Each answer to a ping is the signal for the next frame, so that the socket is never silent.
    while (!socket.gone) {
      socket.send(statelessFrame('one document', 'x'))
      await socket.roundTrip()
    }
    assert.equal(socket.code, 4408)
    assert.ok(performance.now() - started < 5 * LOGIN_TIMEOUT_MS)
  })

  once('is over for good with the first document, even if that is left again', async (stage) => {
    const [socket, clock] = [await stage.enter({ token: issuer.token() }), await stage.raw()]
    socket.send(frame(stage.name, CLOSE))
    await hears(socket, 'the close', (each) => each.type === CLOSE)
    // A socket that came later and did not log in shows that the time has passed.
    assert.equal(await clock.closed(), 4408)
    await socket.roundTrip()
    assert.ok(!socket.gone)
    assert.equal((await login(socket, stage.name, issuer.token())).scope, 'read-write')
  })
})
