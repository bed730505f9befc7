import { expect, test } from 'vitest';
import type { DeviceState } from './deviceCopy';
import { saveState, unknownLink, wouldLoseText, type LinkState } from './saveState';

const ONLINE: LinkState = { ...unknownLink(false), socket: 'open', ledger: 'stored' };

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
  [
    'full',
    { ledger: 'refused', bytesMax: 1024 },
    'kept',
    { kind: 'full', bytesMax: 1024, kept: true },
  ],
  [
    'no word from the server',
    { socket: 'down', ledger: 'unknown', silent: true },
    'kept',
    { kind: 'offline', kept: true, silent: true },
  ],
  ['read only', { readOnly: true }, 'kept', { kind: 'readOnly', unsent: false, kept: true }],
  [
    'read only, before the server has looked at what this device has',
    { readOnly: true, ledger: 'waiting', unsent: true },
    'kept',
    { kind: 'readOnly', unsent: false, kept: true },
  ],
  [
    'read only, with text that was turned down',
    { readOnly: true, ledger: 'refused', unsent: true },
    'failed',
    { kind: 'readOnly', unsent: true, kept: false },
  ],
  [
    'denied',
    { denial: 'token-revoked', socket: 'down', ledger: 'unknown' },
    'kept',
    { kind: 'denied', denial: 'token-revoked', unsent: false, kept: true },
  ],
  [
    'denied with unsent text',
    { denial: 'document-deleted', unsent: true, readOnly: true },
    'blocked',
    { kind: 'denied', denial: 'document-deleted', unsent: true, kept: false },
  ],
])('%s', (_case, link, device, expected) => {
  expect(saveState({ ...ONLINE, ...link }, device)).toEqual(expected);
});

test('closing loses text only when neither server nor device has it', () => {
  expect(wouldLoseText({ kind: 'offline', kept: false })).toBe(true);
  expect(wouldLoseText({ kind: 'offline', kept: true })).toBe(false);
  expect(wouldLoseText({ kind: 'saved' })).toBe(false);
  expect(wouldLoseText({ kind: 'full', bytesMax: 1, kept: false })).toBe(true);
  expect(wouldLoseText({ kind: 'full', bytesMax: 1, kept: true })).toBe(false);
  expect(wouldLoseText({ kind: 'stuck' })).toBe(true);
  expect(wouldLoseText({ kind: 'readOnly', unsent: true, kept: false })).toBe(true);
  expect(wouldLoseText({ kind: 'readOnly', unsent: false, kept: false })).toBe(false);
  expect(wouldLoseText({ kind: 'readOnly', unsent: true, kept: true })).toBe(false);
  const denied = { kind: 'denied', denial: 'token-expired' } as const;
  expect(wouldLoseText({ ...denied, unsent: true, kept: false })).toBe(true);
  expect(wouldLoseText({ ...denied, unsent: false, kept: false })).toBe(false);
});
