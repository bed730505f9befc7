import { expect, test } from 'vitest';
import { Ledger } from './ledger';

const QUESTION = { kind: 'question' } as const;
const DIFFERENCE = { kind: 'difference' } as const;
const UPDATE = { kind: 'update' } as const;

function agreed(): Ledger {
  const ledger = new Ledger();
  ledger.sent(QUESTION);
  ledger.sent(DIFFERENCE);
  ledger.answered(true);
  return ledger;
}

test('nothing is stored before the first difference has been answered', () => {
  const ledger = new Ledger();
  expect(ledger.state).toBe('unknown');
  ledger.sent(QUESTION);
  expect(ledger.state).toBe('unknown');
  ledger.sent(DIFFERENCE);
  expect(ledger.state).toBe('waiting');
  ledger.answered(true);
  expect(ledger.state).toBe('stored');
});

test('answer to an update that went out before the first question is not enough', () => {
  const ledger = new Ledger();
  ledger.sent(UPDATE);
  ledger.answered(true);
  expect(ledger.state).toBe('waiting');
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

test('difference that the server asks for of its own accord is owed nothing', () => {
  const ledger = agreed();
  ledger.sent(DIFFERENCE);
  expect(ledger.state).toBe('stored');
});

test('difference settles an update that was held up', () => {
  const ledger = agreed();
  ledger.sent(UPDATE);
  ledger.sent(DIFFERENCE);
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
  ledger.sent(QUESTION);
  ledger.sent(DIFFERENCE);
  expect(ledger.state).toBe('refused');
  ledger.answered(true);
  expect(ledger.state).toBe('stored');
});

test('refused difference is made good by the one that the server asks for when it takes text again', () => {
  const ledger = new Ledger();
  ledger.sent(QUESTION);
  ledger.sent(DIFFERENCE);
  ledger.answered(false);
  expect(ledger.state).toBe('refused');
  ledger.sent(DIFFERENCE);
  ledger.answered(true);
  expect(ledger.state).toBe('stored');
});

test('it is quiet when every frame has its answer, whatever it was', () => {
  const ledger = agreed();
  expect(ledger.isQuiet).toBe(true);
  ledger.sent(UPDATE);
  ledger.sent(UPDATE);
  ledger.answered(false);
  expect(ledger.isQuiet).toBe(false);
  ledger.answered(true);
  expect(ledger.isQuiet).toBe(true);
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
