import { expect, test } from 'vitest';
import { readLimit } from './fullness';

test.each([
  ['this change was not saved: the document is at its limit of 134217728 bytes', 134217728],
  ['not saved yet: the server cannot store changes right now; it will be tried again', null],
  ['', null],
])('limit in %j is %s', (reason, limit) => {
  expect(readLimit(reason)).toBe(limit);
});
