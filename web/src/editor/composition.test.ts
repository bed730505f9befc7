// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { holdWhileComposing } from './composition';

let states: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('matchMedia', () => ({ matches: false }));
  states = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function watched(): { tell: (kind: string) => void; stop: () => void } {
  const element = document.createElement('div');
  const note = (state: string) => () => {
    if (states.at(-1) !== state) states.push(state);
  };
  const stop = holdWhileComposing(element, { hold: note('held'), release: note('free') });
  return { tell: (kind) => element.dispatchEvent(new CompositionEvent(kind)), stop };
}

test('others wait from the first letter of a composition to its end', () => {
  const { tell } = watched();
  tell('compositionstart');
  vi.advanceTimersByTime(10_000);
  tell('compositionupdate');
  vi.advanceTimersByTime(25_000);
  expect(states).toEqual(['held']);
  tell('compositionend');
  vi.advanceTimersByTime(0);
  expect(states).toEqual(['held', 'free']);
});

test('composition that begins as another ends keeps them waiting', () => {
  const { tell } = watched();
  tell('compositionstart');
  tell('compositionend');
  tell('compositionstart');
  vi.advanceTimersByTime(1000);
  expect(states).toEqual(['held']);
});

test('composition that nothing happens in keeps nobody waiting for ever', () => {
  const { tell } = watched();
  tell('compositionstart');
  vi.advanceTimersByTime(30_000);
  expect(states).toEqual(['held', 'free']);
});

test('editor that is taken away lets go', () => {
  const { tell, stop } = watched();
  tell('compositionstart');
  stop();
  expect(states).toEqual(['held', 'free']);
});
