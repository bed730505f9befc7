import { expect, test } from 'vitest';
import { connectedDocuments } from '../testing/documents';
import * as Y from 'yjs';
import { difference, firstLine, TitleText } from './titleText';

test.each([
  ['plan', 'plans', { at: 4, removed: 0, inserted: 's' }],
  ['plan', 'pan', { at: 1, removed: 1, inserted: '' }],
  ['', 'x', { at: 0, removed: 0, inserted: 'x' }],
  ['aaa', 'aa', { at: 2, removed: 1, inserted: '' }],
  // The two faces share their first half: a difference of halves would tear them apart.
  ['a😀b', 'a😁b', { at: 1, removed: 2, inserted: '😁' }],
])('difference from %j to %j', (before, after, expected) => {
  expect(difference(before, after)).toEqual(expected);
});

test('two people change different ends and both stay', () => {
  const [a, b] = connectedDocuments();
  const [ann, bo] = [new TitleText(a), new TitleText(b)];
  ann.set('Garden');
  bo.set('Our Garden');
  ann.set('Our Garden plan');
  expect(bo.value).toBe('Our Garden plan');
});

test('undo takes back only what was typed here', () => {
  const [a, b] = connectedDocuments();
  const [ann, bo] = [new TitleText(a), new TitleText(b)];
  bo.set('Garden');
  ann.set('Garden plan');
  ann.undo();
  expect(ann.value).toBe('Garden');
  ann.redo();
  expect(bo.value).toBe('Garden plan');
});

test('title is one line', () => {
  const [a] = connectedDocuments();
  expect(new TitleText(a).set('one\ntwo')).toBe('one two');
});

test('only changes from elsewhere are shown', () => {
  const [a, b] = connectedDocuments();
  const [ann, bo] = [new TitleText(a), new TitleText(b)];
  const shown: string[] = [];
  const stop = ann.onRemote((title) => shown.push(title));
  ann.set('mine');
  bo.set('mine too');
  stop();
  bo.set('later');
  expect(shown).toEqual(['mine too']);
});

test('note without a title goes by its first words, without their formatting', () => {
  const text = new Y.Doc().getXmlFragment('default');
  expect(firstLine(text)).toBe('');
  const [empty, block] = [new Y.XmlElement('paragraph'), new Y.XmlElement('heading')];
  const run = new Y.XmlText();
  run.insert(0, 'plan', { bold: {} });
  run.insert(0, 'Garden ', {});
  block.insert(0, [run]);
  text.insert(0, [empty, block]);
  expect(firstLine(text)).toBe('Garden plan');
  run.insert(0, 'A very long line that goes on and on, further than any list is wide. ');
  expect(firstLine(text)).toBe('A very long line that goes on and on, further than any list…');
});
