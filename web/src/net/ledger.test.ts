import { expect, test } from 'vitest';
import { Ledger } from './ledger';

const DIFFERENCE = { kind: 'difference' } as const;
const UPDATE = { kind: 'update' } as const;

function agreed(): Ledger {
  const ledger = new Ledger();
  ledger.sent(DIFFERENCE);
  ledger.answered(true);
  return ledger;
}

test('nothing is stored before the first difference has been answered', () => {
  const ledger = new Ledger();
  expect(ledger.state).toBe('unknown');
  ledger.sent(DIFFERENCE);
  expect(ledger.state).toBe('waiting');
  ledger.answered(true);
  expect(ledger.state).toBe('stored');
});

test('answer to an update that went out before the difference is not enough', () => {
  const ledger = new Ledger();
  ledger.sent(UPDATE);
  ledger.answered(true);
  expect(ledger.state).toBe('unknown');
});

test('every update on the wire needs its own answer', () => {
  const ledger = agreed();
  ledger.sent(UPDATE);
  ledger.sent(UPDATE);
  ledger.answered(true);
  expect(ledger.state).toBe('waiting');
  ledger.answered(true);
  expect(ledger.state).toBe('stored');
});

test('refused update is made good only by a later difference', () => {
  const ledger = agreed();
  ledger.sent(UPDATE);
  ledger.answered(false);
  ledger.sent(UPDATE);
  ledger.answered(true);
  expect(ledger.state).toBe('refused');
  ledger.sent(DIFFERENCE);
  expect(ledger.state).toBe('refused');
  ledger.answered(true);
  expect(ledger.state).toBe('stored');
});

test('new socket starts with nothing known', () => {
  const ledger = agreed();
  ledger.sent(UPDATE);
  ledger.reset();
  expect(ledger.state).toBe('unknown');
});

test('frames that carry no text do not count', () => {
  const ledger = agreed();
  ledger.sent({ kind: 'other' });
  expect(ledger.state).toBe('stored');
});
