/**
 * Writes into lines that consist of two texts.
 *
 * Two people who begin an empty line at once leave two shared texts in it. The stock binding makes
 * one of them, by moving what is in the second into the first: when it receives the second, and
 * when somebody types. The first would be a change without a person; the second, done by both
 * people at once, doubles the letters, and takes away those that arrive meanwhile. Here the texts
 * stay two, and what is typed goes into the one where it was typed.
 */
import type { Node } from '@tiptap/pm/model';
import { simpleDiff } from 'lib0/diff';
import * as Y from 'yjs';
import type { Mapping } from './draw';

/** Whether two texts stand side by side in an element. */
export function isDoubled(element: Y.XmlFragment): boolean {
  const children = element.toArray() as unknown[];
  return children.length > 1 && children.every((child) => child instanceof Y.XmlText);
}

/**
 * Writes what changed within such lines, and enters them into the mapping, so that the binding
 * finds nothing to do there. A change that goes beyond one line is left to the binding.
 */
export function writeDoubled(
  lines: Iterable<Y.XmlElement>,
  mapping: Mapping,
  before: Node,
  after: Node,
): void {
  const start = before.content.findDiffStart(after.content);
  const end = before.content.findDiffEnd(after.content);
  if (start === null || end === null) return;
  for (const line of lines) {
    const drawn = mapping.get(line);
    if (drawn === undefined || Array.isArray(drawn) || !isDoubled(line)) continue;
    const position = placeOf(before, drawn, start);
    if (position === null || Math.max(start, end.a) >= position + drawn.nodeSize) continue;
    const now = after.nodeAt(position);
    if (now === null || !now.sameMarkup(drawn) || !holdsTextOnly(now)) continue;
    write(line.toArray() as Y.XmlText[], now);
    mapping.set(line, now);
  }
}

/** Where the change begins in that very node. */
function placeOf(doc: Node, node: Node, change: number): number | null {
  const $change = doc.resolve(change);
  for (let depth = $change.depth; depth > 0; depth -= 1) {
    if ($change.node(depth) === node) return $change.before(depth);
  }
  return null;
}

function holdsTextOnly(node: Node): boolean {
  return node.children.every((child) => child.isText);
}

function write(texts: readonly Y.XmlText[], line: Node): void {
  const old = texts.map((text) => lettersOf(text));
  const { index, remove, insert } = simpleDiff(old.join(''), line.textContent);
  const lengths: number[] = [];
  let at = 0;
  let isInserted = insert === '';
  texts.forEach((text, order) => {
    const { length } = old[order] ?? '';
    const from = Math.min(Math.max(index - at, 0), length);
    const until = Math.min(Math.max(index + remove - at, 0), length);
    if (until > from) text.delete(from, until - from);
    // At the seam, the first of the two is taken: the caret stood behind its last letter.
    const isHere = !isInserted && index <= at + length;
    if (isHere) text.insert(from, insert);
    lengths.push(length - (until - from) + (isHere ? insert.length : 0));
    isInserted ||= isHere;
    at += length;
  });
  writeMarks(texts, lengths, line);
}

function writeMarks(texts: readonly Y.XmlText[], lengths: readonly number[], line: Node): void {
  let at = 0;
  texts.forEach((text, order) => {
    const length = lengths[order] ?? 0;
    const none = Object.fromEntries(keysIn(text).map((key) => [key, null]));
    const runs = line.cut(at, at + length).children.map((run) => ({
      retain: run.nodeSize,
      attributes: {
        ...none,
        ...Object.fromEntries(run.marks.map((mark) => [mark.type.name, mark.attrs])),
      },
    }));
    text.applyDelta(runs);
    at += length;
  });
}

function lettersOf(text: Y.XmlText): string {
  return runsOf(text)
    .map(({ insert }) => insert)
    .join('');
}

function keysIn(text: Y.XmlText): string[] {
  return runsOf(text).flatMap(({ attributes }) => Object.keys(attributes ?? {}));
}

function runsOf(text: Y.XmlText) {
  return text.toDelta() as { insert: string; attributes?: Record<string, unknown> }[];
}
