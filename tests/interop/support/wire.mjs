/**
 * The few frames that tests read or write by hand: both dialects, as `docs/protocol.md` draws them.
 *
 * Clients under test bring their own encoders; this file must not be used in their place.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

export const SYNC = 0
export const AWARENESS = 1
export const AUTH = 2
export const QUERY_AWARENESS = 3
export const STATELESS = 5
export const CLOSE = 7
export const SYNC_STATUS = 8

export const STEP_1 = 0
export const STEP_2 = 1
export const UPDATE = 2

const TYPE_NAMES = ['sync', 'awareness', 'auth', 'query awareness', 'sync reply', 'stateless',
  'broadcast stateless', 'close', 'sync status', 'ping', 'pong']
const SYNC_NAMES = ['step 1', 'step 2', 'update']
const AUTH_NAMES = ['token', 'permission denied', 'authenticated']

/** Encodes what `write` puts into a fresh encoder. */
export function encode(write) {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

/** A frame: the address when there is one (Hocuspocus), the type, then the body. */
export function frame(address, type, body = () => {}) {
  return encode((encoder) => {
    if (address !== null) encoding.writeVarString(encoder, address)
    encoding.writeVarUint(encoder, type)
    body(encoder)
  })
}

export function syncFrame(address, subType, payload) {
  return frame(address, SYNC, (encoder) => {
    encoding.writeVarUint(encoder, subType)
    encoding.writeVarUint8Array(encoder, payload)
  })
}

/** An awareness frame; `entries` are `[client id, clock, state]`, a state of `null` says "gone". */
export function awarenessFrame(address, entries) {
  const body = encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length)
    for (const [id, clock, state] of entries) {
      encoding.writeVarUint(encoder, id)
      encoding.writeVarUint(encoder, clock)
      encoding.writeVarString(encoder, JSON.stringify(state))
    }
  })
  return frame(address, AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, body))
}

/** The first Hocuspocus frame of a provider; without `version` it is that of 2.x and 3.x. */
export function authFrame(address, token, version) {
  return frame(address, AUTH, (encoder) => {
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarString(encoder, token)
    if (version !== undefined) encoding.writeVarString(encoder, version)
  })
}

export function statelessFrame(address, payload) {
  return frame(address, STATELESS, (encoder) => encoding.writeVarString(encoder, payload))
}

/**
 * Reads a frame of either dialect as far as a test asks for it.
 * @param {'y-websocket' | 'y-sweet' | 'hocuspocus'} dialect
 * @param {'in' | 'out'} direction seen from the client
 */
export function read(dialect, direction, bytes) {
  if (dialect === 'hocuspocus' && bytes.length === 1) return { type: bytes[0], name: TYPE_NAMES[bytes[0]] }
  const decoder = decoding.createDecoder(bytes)
  const seen = dialect === 'hocuspocus' ? { address: decoding.readVarString(decoder) } : {}
  seen.type = decoding.readVarUint(decoder)
  seen.name = TYPE_NAMES[seen.type]
  switch (seen.type) {
    case SYNC:
    case 4:
      seen.subType = decoding.readVarUint(decoder)
      seen.name += ` ${SYNC_NAMES[seen.subType]}`
      seen.payload = decoding.readVarUint8Array(decoder)
      break
    case AWARENESS:
      seen.entries = readAwareness(decoding.readVarUint8Array(decoder))
      break
    case AUTH:
      if (dialect === 'hocuspocus') readAuth(decoder, direction, seen)
      else readDenial(decoder, seen)
      break
    case STATELESS:
    case 6:
      seen.text = decoding.readVarString(decoder)
      break
    case CLOSE:
      if (decoding.hasContent(decoder)) seen.reason = decoding.readVarString(decoder)
      break
    case SYNC_STATUS:
      seen.status = decoding.readVarUint(decoder)
      break
  }
  return seen
}

function readAwareness(bytes) {
  const decoder = decoding.createDecoder(bytes)
  return Array.from({ length: decoding.readVarUint(decoder) }, () => ({
    client: decoding.readVarUint(decoder),
    clock: decoding.readVarUint(decoder),
    state: JSON.parse(decoding.readVarString(decoder)),
  }))
}

function readDenial(decoder, seen) {
  seen.name += ' permission denied'
  if (decoding.readVarUint(decoder) === 0) seen.reason = decoding.readVarString(decoder)
}

function readAuth(decoder, direction, seen) {
  const kind = decoding.readVarUint(decoder)
  seen.name += ` ${AUTH_NAMES[kind]}`
  if (kind === 0 && direction === 'out') {
    seen.token = decoding.readVarString(decoder)
    if (decoding.hasContent(decoder)) seen.version = decoding.readVarString(decoder)
  }
  if (kind === 1) seen.reason = decoding.readVarString(decoder)
  if (kind === 2) seen.scope = decoding.readVarString(decoder)
}
