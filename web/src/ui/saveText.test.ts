import { expect, test } from 'vitest';
import { fileName } from './saveText';

test.each([
  ['Garden plan', 'Garden plan.md'],
  ['a/b\\c: "d"?', 'a b c d.md'],
  ['  \n ', 'note.md'],
  ['Überblick 2', 'Überblick 2.md'],
  ['x'.repeat(200), `${'x'.repeat(80)}.md`],
])('%j', (title, name) => {
  expect(fileName(title)).toBe(name);
});
