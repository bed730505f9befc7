/**
 * Shows any shared text without an editor. Reads the shared types only; nothing can be written
 * from here.
 */
import * as Y from 'yjs';
import { domOfAll, type Part, type Run } from './foreignView';

/** Deeper than people nest; what is deeper is shown as its text alone. */
const DEPTH_MAX = 200;

/** Draws `text` into `element` and again at each change; returns how to stop. */
export function showReadOnly(element: HTMLElement, text: Y.XmlFragment): () => void {
  const draw = () => element.replaceChildren(...domOfAll(partsOf(text, 0)));
  draw();
  text.observeDeep(draw);
  return () => text.unobserveDeep(draw);
}

function partsOf(parent: Y.XmlFragment, depth: number): (Part | Run)[] {
  if (depth > DEPTH_MAX) return [{ text: textIn(parent), marks: [] }];
  return (parent.toArray() as unknown[]).flatMap((child) => partOf(child, depth));
}

function partOf(child: unknown, depth: number): (Part | Run)[] {
  if (child instanceof Y.XmlElement) {
    const values: Record<string, unknown> = child.getAttributes();
    return [{ name: child.nodeName, values, children: partsOf(child, depth + 1) }];
  }
  if (child instanceof Y.XmlText) return runsOf(child);
  return [typeof child === 'string' ? { text: child, marks: [] } : unknownPart('content')];
}

function unknownPart(name: string): Part {
  return { name, values: {}, children: [] };
}

function runsOf(text: Y.XmlText): (Part | Run)[] {
  const runs = text.toDelta() as { insert: unknown; attributes?: Record<string, unknown> }[];
  return runs.map(({ insert, attributes }) =>
    typeof insert === 'string'
      ? { text: insert, marks: Object.entries(attributes ?? {}) }
      : unknownPart('object'),
  );
}

/** All text below, without recursion: somebody else decides how deep it is. */
function textIn(parent: Y.XmlFragment): string {
  const waiting: unknown[] = [parent];
  let found = '';
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (next instanceof Y.XmlText) {
      for (const { insert } of next.toDelta() as { insert: unknown }[]) {
        if (typeof insert === 'string') found += insert;
      }
    } else if (next instanceof Y.XmlFragment)
      waiting.push(...(next.toArray() as unknown[]).reverse());
  }
  return found;
}
