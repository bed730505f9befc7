import { Awareness } from 'y-protocols/awareness';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { initials, visitors } from './people';
import { COLORS, madeUpName, readPerson } from './person';

test.each([
  ['Ann', 'An'],
  ['Quiet Heron', 'QH'],
  ['Ann Maria Smith', 'AS'],
  ['😀 Bo', '😀B'],
  ['x', 'x'],
])('initials of %j are %j', (name, letters) => {
  expect(initials(name)).toBe(letters);
});

test('made-up name is two words', () => {
  expect(madeUpName()).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
});

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'Someone'],
  ['a number', { name: 7 }, 'Someone'],
  ['blank', { name: '   ' }, 'Someone'],
  ['too long', { name: 'x'.repeat(90) }, 'x'.repeat(40)],
])('name from %s is safe to show', (_case, claimed, name) => {
  expect(readPerson(claimed, 1).name).toBe(name);
});

test('colour from elsewhere is replaced by one of ours, always the same', () => {
  const claimed = { name: 'Bo', color: 'url(https://example.org/x)' };
  expect(readPerson(claimed, 14).color).toBe(COLORS[2]);
  expect(readPerson({ name: 'Bo', color: COLORS[5] }, 14).color).toBe(COLORS[5]);
});

test('people are listed with this page first; nameless connections are not', () => {
  const awareness = new Awareness(new Y.Doc());
  awareness.setLocalStateField('user', { name: 'Ann' });
  awareness.states.set(5, { user: { name: 'Bo' }, cursor: { anchor: 1, head: 1 } });
  awareness.states.set(6, {});
  const found = visitors(awareness);
  expect(found.map((visitor) => visitor.name)).toEqual(['Ann', 'Bo']);
  expect(found.map((visitor) => visitor.isSelf)).toEqual([true, false]);
  awareness.destroy();
});
