/** Shared elements for tests, and what happens to the document that holds them. */
import * as Y from 'yjs';
import { TEXT_NAME } from '../net/gate';

/** Makes an element. */
export function element(
  name: string,
  attributes: Record<string, unknown> = {},
  ...children: (Y.XmlElement | Y.XmlText)[]
): Y.XmlElement {
  const made = new Y.XmlElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value as string);
  made.insert(0, children);
  return made;
}

/** Makes a text. */
export function run(text: string, marks: Record<string, unknown> = {}): Y.XmlText {
  const made = new Y.XmlText();
  made.insert(0, text, marks);
  return made;
}

/** Makes a paragraph. */
export function paragraph(text: string, marks: Record<string, unknown> = {}): Y.XmlElement {
  return element('paragraph', {}, run(text, marks));
}

/** The note's text in a document. */
export function textIn(document: Y.Doc): Y.XmlFragment {
  return document.getXmlFragment(TEXT_NAME);
}

/** A document that holds these blocks, written by somebody else. */
export function documentOf(...blocks: Y.XmlElement[]): Y.Doc {
  const source = new Y.Doc();
  textIn(source).insert(0, blocks);
  const document = new Y.Doc();
  Y.applyUpdate(document, Y.encodeStateAsUpdate(source));
  return document;
}

/** Applies what another person does to their own copy. */
export function receive(document: Y.Doc, change: (text: Y.XmlFragment) => void): void {
  const other = new Y.Doc();
  Y.applyUpdate(other, Y.encodeStateAsUpdate(document));
  other.transact(() => change(textIn(other)));
  Y.applyUpdate(document, Y.encodeStateAsUpdate(other, Y.encodeStateVector(document)), 'others');
}

/** Everything a document holds, deleted parts included, as a text that is quick to compare. */
export function stateOf(document: Y.Doc): string {
  return Array.from(Y.encodeStateAsUpdate(document), (byte) => String.fromCharCode(byte)).join('');
}

/** The identities of all elements below, in order: they change when an element is made anew. */
export function idsIn(parent: Y.XmlFragment): string[] {
  return (parent.toArray() as unknown[]).flatMap((child) => {
    if (!(child instanceof Y.XmlElement)) return [];
    const id = child._item?.id;
    return [`${child.nodeName} ${id?.client}.${id?.clock}`, ...idsIn(child)];
  });
}
