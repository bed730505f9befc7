// @vitest-environment jsdom
import { afterEach, expect, test } from 'vitest';
import { keepCaretRead } from './caretReading';

let reads = 0;
const count = () => (reads += 1);
document.addEventListener('selectionchange', count);

let comes: () => void = () => undefined;
let stopped = false;
const others = {
  onComing: (listener: () => void) => {
    comes = listener;
    return () => (stopped = true);
  },
};

let stop: () => void = () => undefined;
afterEach(() => stop());

function began(): void {
  reads = 0;
  stop = keepCaretRead(document, others);
}

test('editor is told where the caret is before it hears of a key', () => {
  began();
  let before = 0;
  const field = document.body.appendChild(document.createElement('div'));
  field.addEventListener('keydown', () => (before = reads));
  field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  expect(before).toBe(1);
});

test('key of a composition is left to the browser', () => {
  began();
  document.body.dispatchEvent(new KeyboardEvent('keydown', { isComposing: true, bubbles: true }));
  expect(reads).toBe(0);
});

test('editor is told before others change the text, and no more once it is gone', () => {
  began();
  comes();
  expect(reads).toBe(1);
  stop();
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  expect(reads).toBe(1);
  expect(stopped).toBe(true);
});
