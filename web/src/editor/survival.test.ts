import { expect, test } from 'vitest';
import { StepMap } from '@tiptap/pm/transform';
import { survivors, within } from './survival';

/** A change of `from` to `to` into something of another size. */
const change = (from: number, to: number, size: number) => new StepMap([from, to - from, size]);

test('everything survives no edit', () => {
  expect(survivors(10, [])).toEqual([{ from: 0, to: 10, shift: 0 }]);
});

test('insertion shifts what is behind it', () => {
  expect(survivors(10, [change(4, 4, 3)])).toEqual([
    { from: 0, to: 4, shift: 0 },
    { from: 4, to: 10, shift: 3 },
  ]);
});

test('deletion cuts, and the next edit is measured in the text after it', () => {
  expect(survivors(10, [change(2, 5, 0), change(3, 3, 1)])).toEqual([
    { from: 0, to: 2, shift: 0 },
    { from: 5, to: 6, shift: -3 },
    { from: 6, to: 10, shift: -2 },
  ]);
});

test('two places of one step', () => {
  const wrapped = new StepMap([2, 0, 1, 6, 0, 1]);
  expect(survivors(10, [wrapped])).toEqual([
    { from: 0, to: 2, shift: 0 },
    { from: 2, to: 6, shift: 1 },
    { from: 6, to: 10, shift: 2 },
  ]);
});

test('whole text replaced leaves nothing', () => {
  expect(survivors(10, [change(0, 10, 12)])).toEqual([]);
});

test('part of the survivors', () => {
  const all = survivors(10, [change(4, 4, 3)]);
  expect(within(all, 3, 6)).toEqual([
    { from: 3, to: 4, shift: 0 },
    { from: 4, to: 6, shift: 3 },
  ]);
});
