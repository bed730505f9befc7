// @vitest-environment jsdom
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { showReadOnly } from './readOnlyView';

function show(fill: (text: Y.XmlFragment) => void): { element: HTMLElement; document: Y.Doc } {
  const shared = new Y.Doc();
  fill(shared.getXmlFragment('default'));
  const element = document.createElement('div');
  showReadOnly(element, shared.getXmlFragment('default'));
  return { element, document: shared };
}

function block(name: string, text: string, marks = {}): Y.XmlElement {
  const element = new Y.XmlElement(name);
  const run = new Y.XmlText();
  run.insert(0, text, marks);
  element.insert(0, [run]);
  return element;
}

test('unknown element is shown with its name and its text', () => {
  const { element } = show((text) => text.insert(0, [block('callout', 'kept')]));
  expect(element.querySelector('.unknown')?.textContent).toBe('Unknown content: calloutkept');
});

test('unknown mark leaves its text, known marks show', () => {
  const { element } = show((text) => {
    text.insert(0, [block('paragraph', 'words', { comment: {}, bold: {} })]);
  });
  expect(element.innerHTML).toBe('<p><strong>words</strong></p>');
});

test('link that may not be followed is no link', () => {
  const { element } = show((text) => {
    text.insert(0, [block('paragraph', 'x', { link: { href: 'javascript:alert(1)' } })]);
  });
  expect(element.querySelector('a')?.hasAttribute('href')).toBe(false);
});

test('markup in the text stays text', () => {
  const { element } = show((text) => text.insert(0, [block('paragraph', '<img src=x>')]));
  expect(element.querySelector('img')).toBeNull();
});

test('changes are shown, and nothing is written', () => {
  const { element, document: shared } = show((text) => text.insert(0, [block('callout', 'one')]));
  const before = Y.encodeStateVector(shared);
  const other = new Y.Doc();
  Y.applyUpdate(other, Y.encodeStateAsUpdate(shared));
  other.getXmlFragment('default').insert(1, [block('paragraph', 'two')]);
  Y.applyUpdate(shared, Y.encodeStateAsUpdate(other));
  expect(element.lastElementChild?.textContent).toBe('two');
  expect(Y.decodeStateVector(Y.encodeStateVector(shared)).get(shared.clientID)).toBe(
    Y.decodeStateVector(before).get(shared.clientID),
  );
});
