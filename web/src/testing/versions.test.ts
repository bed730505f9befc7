/** Packages of which two copies in one page stop working together without a word. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, { version?: string; resolved?: string }>;
};

test.each([
  'yjs',
  'y-protocols',
  'lib0',
  '@tiptap/core',
  '@tiptap/pm',
  'prosemirror-model',
  'prosemirror-state',
  'prosemirror-view',
])('there is one %s', (name) => {
  const copies = Object.keys(lock.packages).filter((path) => path.endsWith(`node_modules/${name}`));
  expect(copies).toHaveLength(1);
});

test('all of Tiptap is of one version', () => {
  const versions = Object.entries(lock.packages)
    .filter(([path]) => path.includes('node_modules/@tiptap/') && !path.endsWith('y-tiptap'))
    .map(([, { version }]) => version);
  expect(new Set(versions).size).toBe(1);
});

test('the lock file names no registry', () => {
  expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
});
