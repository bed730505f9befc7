/**
 * Reads the few bytes of a Hocuspocus frame that the page itself must know.
 *
 * A frame is: address (var-string), type (var-uint), body. The provider does the syncing; this
 * module only tells which frames carry our text and how the server answered them.
 * Source: `docs/protocol.md`, Hocuspocus.
 */
import * as decoding from 'lib0/decoding';

/** What one frame means for the question "is our text stored?". */
export type Frame =
  /** A step 1, of either side: what do you have that I lack? */
  | { readonly kind: 'question' }
  /** Client to server: our whole difference, in answer to the server's step 1. */
  | { readonly kind: 'difference' }
  /** Client to server: one change. */
  | { readonly kind: 'update' }
  /** Server to client: the answer to one difference or update; `reason` is why it is not stored. */
  | { readonly kind: 'status'; readonly stored: boolean; readonly reason?: string }
  /** Server to client: the server has closed this document. */
  | { readonly kind: 'close'; readonly reason: string }
  /** Anything else. */
  | { readonly kind: 'other' };

const TYPE_SYNC = 0;
const TYPE_CLOSE = 7;
const TYPE_SYNC_STATUS = 8;
const SYNC_STEP_1 = 0;
const SYNC_STEP_2 = 1;
const SYNC_UPDATE = 2;
const OTHER: Frame = { kind: 'other' };

/** Decodes one frame; a frame that cannot be read is `other`, for the provider to complain about. */
export function readFrame(bytes: Uint8Array): Frame {
  // Ping and pong are single bytes without an address.
  if (bytes.length < 2) return OTHER;
  try {
    const decoder = decoding.createDecoder(bytes);
    decoding.readVarString(decoder);
    return readBody(decoder);
  } catch {
    return OTHER;
  }
}

function readBody(decoder: decoding.Decoder): Frame {
  switch (decoding.readVarUint(decoder)) {
    case TYPE_SYNC: {
      const step = decoding.readVarUint(decoder);
      if (step === SYNC_STEP_1) return { kind: 'question' };
      if (step === SYNC_STEP_2) return { kind: 'difference' };
      return step === SYNC_UPDATE ? { kind: 'update' } : OTHER;
    }
    case TYPE_SYNC_STATUS:
      // Reading past the end gives 0, which would be an answer.
      if (!decoding.hasContent(decoder)) return OTHER;
      return readStatus(decoder);
    case TYPE_CLOSE:
      return {
        kind: 'close',
        reason: decoding.hasContent(decoder) ? decoding.readVarString(decoder) : '',
      };
    default:
      return OTHER;
  }
}

/** The reason stands behind the status, where stock clients do not look. */
function readStatus(decoder: decoding.Decoder): Frame {
  const stored = decoding.readVarInt(decoder) === 1;
  if (stored || !decoding.hasContent(decoder)) return { kind: 'status', stored };
  return { kind: 'status', stored, reason: decoding.readVarString(decoder) };
}
