/**
 * Updates and frames that no honest client sends: what is known to hurt CRDT servers, by name.
 *
 * Built from bytes here, because no library would write them. Source of the update format: Yjs 13.6, `src/utils/encoding.js`
 * and `src/structs`.
 */
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import {
  AUTH, CLOSE, QUERY_AWARENESS, STEP_1, STEP_2, SYNC_STATUS, UPDATE,
  authFrame, awarenessFrame, encode, frame, statelessFrame, syncFrame,
} from './wire.mjs'

const HUNDRED_MILLION = 100_000_000
const DEEP_JSON = '['.repeat(100_000) + ']'.repeat(100_000)
/** Any client id; the documents that these updates go to are made for them. */
const CLIENT = 77

const GC = 0
const DELETED = 1
const JSON_CONTENT = 2
const STRING = 4
const EMBED = 5
const TYPE = 7
const ANY = 8
const SUBDOCUMENT = 9
const SKIP = 10

const XML_ELEMENT = 3
const ANY_OBJECT = 118
const ANY_ARRAY = 117
const ANY_NULL = 126

const { writeVarUint: uint, writeVarString: string, writeUint8: byte, writeUint8Array: raw } = encoding

/** A number of more than 53 bits as a varUint. */
function bigUint(encoder, value) {
  for (; value > 0x7fn; value >>= 7n) byte(encoder, Number(value & 0x7fn) | 0x80)
  byte(encoder, Number(value))
}

/** An update of one client's structs and, if given, deletions of its clocks as `[clock, length]`. */
function update(structs, { client = CLIENT, clock = 0, declared = structs.length, deletes = [] } = {}) {
  return encode((encoder) => {
    uint(encoder, structs.length > 0 || declared > 0 ? 1 : 0)
    if (structs.length > 0 || declared > 0) {
      uint(encoder, declared)
      bigUint(encoder, BigInt(client))
      bigUint(encoder, BigInt(clock))
      for (const struct of structs) struct(encoder)
    }
    uint(encoder, deletes.length > 0 ? 1 : 0)
    if (deletes.length === 0) return
    bigUint(encoder, BigInt(client))
    uint(encoder, deletes.length)
    for (const [at, length] of deletes) {
      uint(encoder, at)
      bigUint(encoder, BigInt(length))
    }
  })
}

/** An item at the top of the root type `body`. */
const item = (kind, content) => (encoder) => {
  byte(encoder, kind)
  uint(encoder, 1)
  string(encoder, 'body')
  content(encoder)
}

/** An item below the item with this clock. */
const child = (parent, kind, content, client = CLIENT) => (encoder) => {
  byte(encoder, kind)
  uint(encoder, 0)
  uint(encoder, client)
  uint(encoder, parent)
  content(encoder)
}

const gap = (kind, length) => (encoder) => {
  byte(encoder, kind)
  bigUint(encoder, BigInt(length))
}

const text = (value) => item(STRING, (encoder) => string(encoder, value))

/** An update that puts a string of this length at the start of `body`, under any client id and clock. */
export function stringAt(client, clock, length) {
  return update([text('x'.repeat(length))], { client, clock })
}

const xmlElement = (encoder) => {
  uint(encoder, XML_ELEMENT)
  string(encoder, 'p')
}

const nested = (depth, open) => item(ANY, (encoder) => {
  uint(encoder, 1)
  for (let level = 0; level < depth; level += 1) open(encoder)
  byte(encoder, ANY_NULL)
})

const openArray = (encoder) => {
  byte(encoder, ANY_ARRAY)
  uint(encoder, 1)
}

const openObject = (encoder) => {
  byte(encoder, ANY_OBJECT)
  uint(encoder, 1)
  string(encoder, 'k')
}

const declaredAny = (tag) => item(ANY, (encoder) => {
  uint(encoder, 1)
  byte(encoder, tag)
  uint(encoder, HUNDRED_MILLION)
})

/** Structs of elements, each below the one before it, from depth `start`. */
const chainOfElements = (length, start = 0, client = CLIENT) => Array.from({ length }, (_, index) =>
  (start + index === 0 ? item(TYPE, xmlElement) : child(start + index - 1, TYPE, xmlElement, client)))

/** The chain of elements again, in updates that are harmless one by one, and the deletion of its first element. */
export function chainInPieces(depth, pieceLength) {
  const client = CLIENT + pieceLength
  const pieces = Array.from({ length: depth / pieceLength }, (_, index) =>
    update(chainOfElements(pieceLength, index * pieceLength, client), { client, clock: index * pieceLength }))
  return [...pieces, update([], { client, deletes: [[0, 1]] })]
}

/** Names and updates, in the order in which they are to be sent (some build on the one before). */
export const UPDATES = new Map([
  ['100 M clients declared', encode((encoder) => uint(encoder, HUNDRED_MILLION))],
  ['2^53 clients declared', encode((encoder) => bigUint(encoder, 2n ** 53n))],
  ['100 M structs declared', update([], { declared: HUNDRED_MILLION })],
  ['array of 100 M values declared', update([declaredAny(ANY_ARRAY)])],
  ['object of 100 M values declared', update([declaredAny(ANY_OBJECT)])],
  ['100 M values declared', update([item(ANY, (encoder) => uint(encoder, HUNDRED_MILLION))])],
  ['string of 2^40 bytes declared', update([item(STRING, (encoder) => bigUint(encoder, 2n ** 40n))])],
  ['100 M legacy JSON values declared', update([item(JSON_CONTENT, (encoder) => uint(encoder, HUNDRED_MILLION))])],
  ['2^32 - 1 legacy JSON values declared', update([item(JSON_CONTENT, (encoder) => bigUint(encoder, 2n ** 32n - 1n))])],
  ['100 M deletions declared', encode((encoder) => {
    uint(encoder, 0)
    uint(encoder, 1)
    uint(encoder, CLIENT)
    uint(encoder, HUNDRED_MILLION)
  })],
  ['arrays nested 10,000 deep', update([nested(10_000, openArray)])],
  ['arrays nested 1,000,000 deep', update([nested(1_000_000, openArray)])],
  ['objects nested 10,000 deep', update([nested(10_000, openObject)])],
  ['JSON nested 100,000 deep in an embed', update([item(EMBED, (encoder) => string(encoder, DEEP_JSON))])],
  ['GC of 2^32 - 1 clocks', update([gap(GC, 2n ** 32n - 1n)], { client: 7 })],
  ['GC of 2^31 clocks', update([gap(GC, 2n ** 31n)], { client: 7 })],
  ['GC of 2^53 clocks', update([gap(GC, 2n ** 53n)], { client: 7 })],
  ['deleted content of 2^32 - 1 clocks', update([item(DELETED, (encoder) => bigUint(encoder, 2n ** 32n - 1n))], { client: 7 })],
  ['skip of 2^32 - 1 clocks', update([gap(SKIP, 2n ** 32n - 1n), text('x')], { client: 7 })],
  ['a gap before the first clock', update([text('x')], { client: 8, clock: 5 })],
  ['a skip before the first clock', update([gap(SKIP, 5), text('x')], { client: 8 })],
  ['clock 2^32 - 2', update([text('abcdef')], { client: 9, clock: 2n ** 32n - 2n })],
  ['clock 2^31 - 2', update([text('abcdef')], { client: 9, clock: 2n ** 31n - 2n })],
  ['clock 2^64 - 1', update([text('abcdef')], { client: 9, clock: 2n ** 64n - 1n })],
  ['client id 2^53', update([text('x')], { client: 2n ** 53n })],
  ['client id 2^63', update([text('x')], { client: 2n ** 63n })],
  ['a varUint that never ends', new Uint8Array(64).fill(0xff)],
  ['a chain of 8,000 elements', update(chainOfElements(8_000))],
  ['deletion of that chain', update([], { deletes: [[0, 8_000]] })],
  ['deletion of its first element', update([], { deletes: [[0, 1]] })],
  ['deletion of 2^32 unknown clocks', update([], { client: 12, deletes: [[0, 2n ** 32n]] })],
  ['deletion of unknown clocks', update([], { client: 13, deletes: [[1000, 1]] })],
  ['10,000 subdocuments', update(Array.from({ length: 10_000 }, (_, index) => item(SUBDOCUMENT, (encoder) => {
    string(encoder, `${index}`)
    byte(encoder, ANY_OBJECT)
    uint(encoder, 0)
  })), { client: 14 })],
  ['an item that is its own parent', update([child(0, STRING, (encoder) => string(encoder, 'x'))])],
  ['an item below one that is yet to come', update([child(500, STRING, (encoder) => string(encoder, 'x'))], { client: 15 })],
  ['a string that is not UTF-8', update([item(STRING, (encoder) => {
    uint(encoder, 4)
    raw(encoder, Uint8Array.of(0xff, 0xfe, 0xc0, 0x80))
  })])],
  ['half a surrogate pair', update([item(STRING, (encoder) => {
    uint(encoder, 3)
    raw(encoder, Uint8Array.of(0xed, 0xa0, 0xbd))
  })])],
  ['a type that does not exist', update([item(TYPE, (encoder) => uint(encoder, 99))])],
  ['a weak link', update([item(TYPE, (encoder) => uint(encoder, 7))])],
  ['a kind of content that does not exist', update([item(31, (encoder) => uint(encoder, 1))])],
  ['an embed that is not JSON', update([item(EMBED, (encoder) => string(encoder, '{"a":'))])],
  ['bytes after the end', Uint8Array.of(0, 0, 1, 2, 3)],
  ['nothing', new Uint8Array()],
])

const entry = (id, clock, json) => (encoder) => {
  bigUint(encoder, BigInt(id))
  bigUint(encoder, BigInt(clock))
  string(encoder, json)
}

function awareness(entries, declared = entries.length) {
  return encode((encoder) => {
    uint(encoder, declared)
    for (const write of entries) write(encoder)
  })
}

/** Names and bodies of awareness messages. */
export const AWARENESS_BODIES = new Map([
  ['100 M states declared', awareness([], HUNDRED_MILLION)],
  ['100 M states declared, one given', awareness([entry(1, 1, '{}')], HUNDRED_MILLION)],
  ['JSON nested 100,000 deep', awareness([entry(1, 1, DEEP_JSON)])],
  ['JSON that is not JSON', awareness([entry(2, 1, '{"a":')])],
  ['a state of 1 MB', awareness([entry(3, 1, JSON.stringify('x'.repeat(1_000_000)))])],
  ['client id 2^53', awareness([entry(2n ** 53n, 1, '{}')])],
  ['clock 2^64 - 1', awareness([entry(4, 2n ** 64n - 1n, '{}')])],
  ['20,000 clients', awareness(Array.from({ length: 20_000 }, (_, index) => entry(100 + index, 1, '{}')))],
  ['the same client 20,000 times', awareness(Array.from({ length: 20_000 }, (_, index) => entry(5, index, '{}')))],
])

/** Names and bodies of state vectors. */
export const STATE_VECTORS = new Map([
  ['100 M clients declared', encode((encoder) => uint(encoder, HUNDRED_MILLION))],
  ['client id 2^63', encode((encoder) => {
    uint(encoder, 1)
    bigUint(encoder, 2n ** 63n)
    bigUint(encoder, 2n ** 63n)
  })],
  ['bytes after the end', Uint8Array.of(0, 1, 2, 3)],
  ['nothing', new Uint8Array()],
])

/** One honest frame of every type that either dialect knows, those of the server included, by name. */
export function honestFrames(address) {
  const doc = new Y.Doc()
  doc.getText('body').insert(0, 'grüße 🙂')
  const change = Y.encodeStateAsUpdate(doc)
  const frames = [
    ['step 1', syncFrame(address, STEP_1, Y.encodeStateVector(doc))],
    ['step 2', syncFrame(address, STEP_2, change)],
    ['update', syncFrame(address, UPDATE, change)],
    ['awareness', awarenessFrame(address, [[doc.clientID, 1, { user: 'Ada' }]])],
    ['query awareness', frame(address, QUERY_AWARENESS)],
    ['auth denied', frame(address, AUTH, (encoder) => {
      uint(encoder, 0)
      string(encoder, 'no')
    })],
  ]
  if (address === null) return frames
  return [
    ...frames,
    ['auth without version', authFrame(address, 'token')],
    ['auth with version', authFrame(address, '', '4.8.0')],
    ['sync reply', frame(address, 4, (encoder) => {
      uint(encoder, STEP_2)
      encoding.writeVarUint8Array(encoder, change)
    })],
    ['stateless', statelessFrame(address, 'hello')],
    ['broadcast stateless', frame(address, 6, (encoder) => string(encoder, 'hello'))],
    ['sync status', frame(address, SYNC_STATUS, (encoder) => uint(encoder, 1))],
    ['close', frame(address, CLOSE)],
    ['ping', Uint8Array.of(9)],
    ['pong', Uint8Array.of(10)],
  ]
}

/**
 * Every way to spoil a frame: cut at each byte, grown, single bits flipped.
 * @param {import('./random.mjs').Random} random chooses the bits
 */
export function spoiled(bytes, random, flips) {
  const cuts = Array.from({ length: bytes.length }, (_, length) => bytes.slice(0, length))
  const grown = [1, 100, 70_000].map((more) => Buffer.concat([bytes, random.bytes(more)]))
  const flipped = Array.from({ length: flips }, () => {
    const copy = bytes.slice()
    copy[random.between(0, copy.length)] ^= 1 << random.between(0, 8)
    return copy
  })
  return [...cuts, ...grown, ...flipped]
}
