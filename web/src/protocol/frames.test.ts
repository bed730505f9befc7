import * as encoding from 'lib0/encoding';
import { expect, test } from 'vitest';
import { readFrame } from './frames';

function frame(...numbers: number[]): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, 'notes/a');
  for (const number of numbers) encoding.writeVarUint(encoder, number);
  return encoding.toUint8Array(encoder);
}

function closeFrame(reason: string): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, 'notes/a');
  encoding.writeVarUint(encoder, 7);
  encoding.writeVarString(encoder, reason);
  return encoding.toUint8Array(encoder);
}

test.each<[string, Uint8Array, object]>([
  ['step 1', frame(0, 0, 1, 0), { kind: 'question' }],
  ['step 2', frame(0, 1, 2, 0, 0), { kind: 'difference' }],
  ['update', frame(0, 2, 2, 0, 0), { kind: 'update' }],
  ['status 1', frame(8, 1), { kind: 'status', stored: true }],
  ['status 0', frame(8, 0), { kind: 'status', stored: false }],
  // A server that says why: the string stands where stock clients have stopped reading.
  [
    'status 0 with a reason',
    frame(8, 0, 2, 'n'.charCodeAt(0), 'o'.charCodeAt(0)),
    { kind: 'status', stored: false, reason: 'no' },
  ],
  ['close', closeFrame('too large'), { kind: 'close', reason: 'too large' }],
  ['close without a reason', frame(7), { kind: 'close', reason: '' }],
  ['awareness', frame(1, 1, 0), { kind: 'other' }],
  ['ping', new Uint8Array([9]), { kind: 'other' }],
  ['nothing', new Uint8Array(), { kind: 'other' }],
  ['cut address', new Uint8Array([200, 1, 65]), { kind: 'other' }],
  ['cut status', frame(8), { kind: 'other' }],
])('%s', (_case, bytes, expected) => {
  expect(readFrame(bytes)).toEqual(expected);
});
