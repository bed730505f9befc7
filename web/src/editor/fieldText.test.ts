import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { connectedDocuments } from '../testing/documents';
import { randomFrom, type Random } from '../testing/random';
import { changeOf, difference, FieldText, type Change } from './fieldText';

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

test.each<[string, string, number, string, Change]>([
  ['letter among equal ones', 'aaa', 1, 'aaaa', { at: 0, removed: 0, inserted: 'a' }],
  ['letter at the end of them', 'aaa', 4, 'aaaa', { at: 3, removed: 0, inserted: 'a' }],
  ['backspace among equal ones', 'aaa', 1, 'aa', { at: 1, removed: 1, inserted: '' }],
  ['word over a selection', 'big plan', 5, 'small plan', { at: 0, removed: 3, inserted: 'small' }],
  ['face over a face', 'a😀b', 3, 'a😁b', { at: 1, removed: 2, inserted: '😁' }],
  [
    'correction far from the caret',
    'teh plan',
    8,
    'the plan',
    { at: 1, removed: 2, inserted: 'he' },
  ],
])('%s is what was done', (_case, before, caret, after, expected) => {
  expect(changeOf(before, after, caret)).toEqual(expected);
});

/** A field as a browser would keep it: a string that only what `show` is told may change. */
class TestField {
  value: string;
  readonly letters: FieldText;

  constructor(readonly document: Y.Doc) {
    this.letters = new FieldText(document.getText('title'), this, (changes) => {
      for (const { at, removed, inserted } of changes) this.#replace(at, removed, inserted);
    });
    this.value = this.letters.shown;
  }

  type(at: number, removed: number, inserted: string): void {
    this.#replace(at, removed, inserted);
    this.letters.type({ at, removed, inserted });
  }

  #replace(at: number, removed: number, inserted: string): void {
    this.value = this.value.slice(0, at) + inserted + this.value.slice(at + removed);
  }
}

function fields(title: string): [TestField, TestField] {
  const [a, b] = connectedDocuments();
  a.getText('title').insert(0, title);
  return [new TestField(a), new TestField(b)];
}

/* Bo's か was there twice once it had become 漢字, because Ann's letters had moved it meanwhile. */
test('composition ends where it began, once, whatever came before it meanwhile', () => {
  const [ann, bo] = fields('の計画');
  bo.letters.hold();
  bo.type(0, 0, 'か');
  ann.type(0, 0, 'A: ');
  bo.type(0, 1, 'かん');
  ann.type(1, 1, '');
  bo.type(0, 2, '漢字');
  expect(bo.value).toBe('漢字の計画');
  expect(ann.value).toBe(bo.document.getText('title').toString());
  bo.letters.release();
  expect(bo.value).toBe(ann.value);
  expect(ann.value).toBe('A 漢字の計画');
});

test('what others take away around a composition takes nothing of it along', () => {
  const [ann, bo] = fields('old plan');
  bo.letters.hold();
  bo.type(4, 0, '新');
  ann.type(0, ann.value.length, 'gone');
  bo.type(4, 1, '新しい');
  bo.letters.release();
  expect([ann.value, bo.value].map((value) => value.includes('新しい'))).toEqual([true, true]);
  expect(bo.value).toBe(ann.value);
});

test('what a held field shows and others have removed can be deleted and typed over', () => {
  const [ann, bo] = fields('abc');
  bo.letters.hold();
  ann.type(0, 3, '');
  bo.type(1, 2, 'x');
  expect(bo.value).toBe('ax');
  bo.letters.release();
  expect([ann.value, bo.value]).toEqual(['x', 'x']);
});

function typeAnywhere(field: TestField, random: Random): void {
  const characters = [...field.value];
  const start = random.below(characters.length + 1);
  const before = characters.slice(0, start).join('');
  const selected = characters.slice(start, start + random.below(4)).join('');
  field.type(before.length, selected.length, random.pick(['', 'a', 'ab', '漢', '😀']));
}

test('fields show what is kept, whatever two people do to them (300 seeds)', () => {
  for (let seed = 0; seed < 300; seed += 1) {
    const random = randomFrom(seed);
    const pair = fields('Garden plan');
    for (let step = 0; step < 40; step += 1) {
      const field = random.pick(pair);
      if (random.below(6) === 0) field.letters.hold();
      if (random.below(6) === 0) field.letters.release();
      typeAnywhere(field, random);
      expect(field.letters.shown, `seed ${seed}`).toBe(field.value);
    }
    for (const field of pair) field.letters.release();
    const kept = pair.map((field) => field.document.getText('title').toString());
    expect([...pair.map((field) => field.value), kept[0]], `seed ${seed}`).toEqual([
      ...kept,
      kept[1],
    ]);
  }
});

test('a pair that a foreign client cut in half does not part the field from the title', () => {
  const [ann, bo] = fields('a😀b');
  ann.document.getText('title').delete(1, 1);
  expect(bo.value).toBe(bo.document.getText('title').toString());
  bo.type(bo.value.length, 0, '!');
  expect(ann.value).toBe(bo.value);
});
