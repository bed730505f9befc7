import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { connectedDocuments } from '../testing/documents';
import type { Change } from './fieldText';
import { firstLine, fitting, onOneLine, TitleText } from './titleText';

/** A title with a field that nobody looks at, to type into. */
function titled(document: Y.Doc): { title: TitleText; type: (change: Partial<Change>) => void } {
  const title = new TitleText(document);
  const field = title.inField(() => undefined);
  const type = (change: Partial<Change>) => {
    field.type({ at: title.value.length, removed: 0, inserted: '', ...change });
  };
  return { title, type };
}

test('two people change different ends and both stay', () => {
  const [a, b] = connectedDocuments();
  const [ann, bo] = [titled(a), titled(b)];
  ann.type({ inserted: 'Garden' });
  bo.type({ at: 0, inserted: 'Our ' });
  ann.type({ inserted: ' plan' });
  expect(bo.title.value).toBe('Our Garden plan');
});

test('undo takes back only what was typed here', () => {
  const [a, b] = connectedDocuments();
  const [ann, bo] = [titled(a), titled(b)];
  bo.type({ inserted: 'Garden' });
  ann.type({ inserted: ' plan' });
  ann.title.undo();
  expect(ann.title.value).toBe('Garden');
  ann.title.redo();
  expect(bo.title.value).toBe('Garden plan');
});

test.each([
  ['one\ntwo', 'one two'],
  ['one\r\n\r\ntwo\u2028three', 'one two three'],
  // Spaces that people chose, and that a list of "all white space" would flatten.
  ['東京\u3000大阪', '東京\u3000大阪'],
  ['10\u00a0kg\u202f%  two', '10\u00a0kg\u202f%  two'],
])('title is one line: %j', (text, line) => {
  expect(onOneLine(text)).toBe(line);
});

test.each([
  ['all there is room for', 'plan', 296, 'plan'],
  ['no more than that', 'plan', 298, 'pl'],
  ['nothing when it is full', 'x', 300, ''],
  ['nothing when others have gone over it', 'x', 321, ''],
  ['no half of a pair', 'a😀', 298, 'a'],
  ['no part of a family', 'a👨‍👩‍👧', 295, 'a'],
  ['no letter without its accent', 'e\u0301', 299, ''],
])('a title takes %s', (_case, wanted, length, taken) => {
  expect(fitting(wanted, length)).toBe(taken);
});

test('changes are told, whoever makes them', () => {
  const [a, b] = connectedDocuments();
  const [ann, bo] = [titled(a), titled(b)];
  const shown: string[] = [];
  const stop = ann.title.onChange((title) => shown.push(title));
  ann.type({ inserted: 'mine' });
  bo.type({ inserted: ' too' });
  stop();
  bo.type({ inserted: ' later' });
  expect(shown).toEqual(['mine', 'mine too']);
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
