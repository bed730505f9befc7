import { expect, test } from 'vitest';
import type { DeviceState } from './deviceCopy';
import { saveState, wouldLoseText, type LinkState } from './saveState';

const ONLINE: LinkState = { socket: 'open', ledger: 'stored', refusal: null, readOnly: false };

test.each<[string, Partial<LinkState>, DeviceState, object]>([
  ['all stored', {}, 'kept', { kind: 'saved' }],
  ['stored, device still writing', {}, 'keeping', { kind: 'saved' }],
  ['on its way', { ledger: 'waiting' }, 'kept', { kind: 'saving' }],
  ['not yet synced', { ledger: 'unknown' }, 'kept', { kind: 'opening' }],
  ['first attempt', { socket: 'trying', ledger: 'unknown' }, 'kept', { kind: 'opening' }],
  ['offline', { socket: 'down', ledger: 'unknown' }, 'kept', { kind: 'offline', kept: true }],
  ['offline, being kept', { socket: 'down', ledger: 'unknown' }, 'keeping', { kind: 'saving' }],
  [
    'offline, device full',
    { socket: 'down', ledger: 'unknown' },
    'failed',
    { kind: 'offline', kept: false },
  ],
  [
    'offline, no storage',
    { socket: 'down', ledger: 'unknown' },
    'blocked',
    { kind: 'offline', kept: false },
  ],
  ['cannot store', { ledger: 'refused' }, 'kept', { kind: 'notSaved', reason: null, kept: true }],
  [
    'refused',
    { refusal: 'too large' },
    'kept',
    { kind: 'notSaved', reason: 'too large', kept: true },
  ],
  [
    'refused and offline',
    { refusal: 'gone', socket: 'down' },
    'failed',
    { kind: 'notSaved', reason: 'gone', kept: false },
  ],
  ['read only', { readOnly: true, ledger: 'refused' }, 'kept', { kind: 'readOnly' }],
])('%s', (_case, link, device, expected) => {
  expect(saveState({ ...ONLINE, ...link }, device)).toEqual(expected);
});

test('closing loses text only when neither server nor device has it', () => {
  expect(wouldLoseText({ kind: 'offline', kept: false })).toBe(true);
  expect(wouldLoseText({ kind: 'offline', kept: true })).toBe(false);
  expect(wouldLoseText({ kind: 'saved' })).toBe(false);
});
