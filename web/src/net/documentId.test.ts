import { expect, test } from 'vitest';
import { documentIdOfPath, newDocumentId, parseDocumentId, pathOfDocument } from './documentId';

test.each(['plan', 'team/plan 2', 'a?b#c', 'ümläut/日本', '100%', 'a//b', '+&='])(
  'id %j survives the way through the address',
  (id) => {
    const url = new URL(pathOfDocument(id), 'http://localhost');
    expect(url.search + url.hash).toBe('');
    expect(documentIdOfPath(url.pathname)).toBe(id);
  },
);

test('escaped slash is the same document as a slash', () => {
  expect(documentIdOfPath('/n/team%2Fplan')).toBe('team/plan');
});

test.each(['/n/', '/n/%20%20', '/n/a%00b', '/n/%ff', '/n/%', '/other', '/n'])(
  'path %j is no note',
  (path) => {
    expect(documentIdOfPath(path)).toBeNull();
  },
);

test('limit counts bytes, not characters', () => {
  expect(parseDocumentId('ü'.repeat(512))).not.toBeNull();
  expect(parseDocumentId('ü'.repeat(513))).toBeNull();
});

test('new id has 128 bits, needs no escaping and is never the same', () => {
  const id = newDocumentId();
  expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(pathOfDocument(id)).toBe(`/n/${id}`);
  expect(newDocumentId()).not.toBe(id);
});
