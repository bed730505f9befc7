import { expect, test } from 'vitest';
import { addressOf } from './address';

test.each([
  ['https://example.org/a?b#c', 'https://example.org/a?b#c'],
  ['example.org', 'https://example.org'],
  ['localhost:8080/n/x', 'https://localhost:8080/n/x'],
  ['ann@example.org', 'mailto:ann@example.org'],
  ['mailto:ann@example.org', 'mailto:ann@example.org'],
  ['/n/plan', '/n/plan'],
  ['#part', '#part'],
  ['', null],
  ['two words', null],
  ['javascript:alert(1)', null],
  ['data:text/html,x', null],
])('%j leads to %j', (typed, href) => {
  expect(addressOf(typed)).toBe(href);
});
