/**
 * Finds what the editor cannot even show, before the editor sees it.
 *
 * `draw.ts` makes a node of any element, with any values, and of any text. Nothing can be made of
 * text outside a block, of an object within a text, of other shared types inside of elements, and
 * of elements deeper than a view can draw. With these the note is shown by `readOnlyView.ts` only.
 */
import * as Y from 'yjs';
import type { Guard } from '../net/gate';

/** Deeper than people nest; browsers and editors walk down the text by recursion. */
const DEPTH_MAX = 200;

/** The guard. */
export function createGuard(): Guard {
  return {
    all: (text) => inspect([text]),
    touched: (text, transaction) => inspect(owners(text, transaction)),
  };
}

/** The elements whose own content changed: a text counts as a change of its element. */
function owners(text: Y.XmlFragment, transaction: Y.Transaction): ReadonlySet<unknown> {
  const found = new Set<unknown>();
  for (const type of transaction.changed.keys()) {
    const owner = type instanceof Y.XmlText ? type.parent : type;
    if (owner !== null && depthIn(text, owner) !== null) found.add(owner);
  }
  return found;
}

/** How deep a type is in the text; `null` when it is no part of it, or no more. */
function depthIn(text: Y.XmlFragment, type: unknown): number | null {
  let current: unknown = type;
  for (let depth = 0; current instanceof Y.AbstractType; depth += 1) {
    if (current === text) return depth;
    if (current._item === null || current._item.deleted) return null;
    current = current.parent;
  }
  return null;
}

function inspect(parts: Iterable<unknown>): readonly string[] {
  const foreign = new Set<string>();
  for (const part of parts) inspectPart(part, foreign);
  return [...foreign].sort();
}

/** Without recursion: somebody else decides how deep it is. */
function inspectPart(part: unknown, foreign: Set<string>): void {
  const waiting: [type: unknown, depth: number][] = [[part, depthOf(part)]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [type, depth] = next;
    if (type instanceof Y.XmlText) inspectText(type, foreign);
    else if (!(type instanceof Y.XmlFragment)) foreign.add('unknown');
    else if (depth > DEPTH_MAX) foreign.add('depth');
    else {
      if (type instanceof Y.XmlElement) inspectValues(type, foreign);
      const children = type.toArray() as unknown[];
      const isRoot = !(type instanceof Y.XmlElement);
      const fitting = isRoot ? children.filter(isElement) : children;
      if (fitting.length < children.length) foreign.add('text');
      for (const child of fitting) waiting.push([child, depth + 1]);
    }
  }
}

function depthOf(type: unknown): number {
  let depth = 0;
  for (let at = type; at instanceof Y.AbstractType && at._item !== null; depth += 1) at = at.parent;
  return depth;
}

function isElement(child: unknown): boolean {
  return child instanceof Y.XmlElement;
}

function inspectText(text: Y.XmlText, foreign: Set<string>): void {
  const runs = text.toDelta() as { insert: unknown }[];
  if (runs.some(({ insert }) => typeof insert !== 'string')) foreign.add('embed');
  // The binding makes a text anew when it moves, and knows nothing of attributes on it.
  for (const [name, value] of Object.entries(text.getAttributes() as object)) {
    if (value !== null && value !== undefined) foreign.add(`text.${name}`);
  }
}

/** A shared type as a value would be taken out of the document when its element is made anew. */
function inspectValues(element: Y.XmlElement, foreign: Set<string>): void {
  const values: Record<string, unknown> = element.getAttributes();
  for (const [name, value] of Object.entries(values)) {
    if (value instanceof Y.AbstractType || value instanceof Y.Doc) {
      foreign.add(`${element.nodeName}.${name}`);
    }
  }
}
