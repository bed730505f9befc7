/**
 * Writes the blocks of an edited text over those of the shared text: what is the same block keeps
 * its element and its letters, what was moved is made anew as a whole, and nothing else is touched.
 */
import type { Node } from '@tiptap/pm/model';
import { updateYFragment, type ProsemirrorBinding } from '@tiptap/y-tiptap';
import * as Y from 'yjs';
import { isSame, pairParts, partsOf, type Pair, type Part } from './pairBlocks';
import { within, type Stretch } from './survival';

/** The parts of the binding that this uses. */
export type Binding = Pick<ProsemirrorBinding, 'doc' | 'type' | 'mapping' | 'isOMark' | 'mux'>;

/** A child of a shared block, as Yjs types it. */
type Child = Y.XmlElement | Y.XmlText | Y.XmlHook;

/** Children of one block that differ: from `start` on, `before` of them against `after` now. */
interface Middle {
  readonly start: number;
  readonly before: readonly Part[];
  readonly after: readonly Part[];
}

/** One edit, inside one Yjs transaction. */
export class BlockWriter {
  readonly #binding: Binding;
  readonly #stretches: readonly Stretch[];

  /** @param stretches what of the text before the edit is still in its place */
  constructor(binding: Binding, stretches: readonly Stretch[]) {
    this.#binding = binding;
    this.#stretches = stretches;
  }

  /** `from` and `to` are the positions where the content of `before` and `after` begins. */
  write(shared: Y.XmlFragment, before: Node, from: number, after: Node, to: number): void {
    this.#children(shared, partsOf(before, from), partsOf(after, to));
    // Attributes and marks, and whatever the above left alone.
    updateYFragment(this.#binding.doc, shared, after, this.#binding);
  }

  #children(shared: Y.XmlFragment, before: readonly Part[], after: readonly Part[]): void {
    const children = shared.toArray();
    if (!isDrawnAs(children, before)) return;
    const middle = middleOf(before, after);
    const pairs = pairParts(middle.before, middle.after, this.#stretches);
    if (pairs === null) return;
    const old = children.slice(middle.start, middle.start + middle.before.length);
    const paired = new Set(pairs.map((pair) => pair.before));
    this.#insertOthers(shared, middle, pairs, old);
    this.#delete(
      shared,
      old.filter((_, index) => !paired.has(index)),
    );
    for (const { before: was, after: now } of pairs) {
      const [part, next] = [middle.before[was], middle.after[now]];
      if (part === undefined || next === undefined || isSame(part, next)) continue;
      this.#goOn(shared.get(middle.start + now), part, next);
    }
  }

  /** Behind what they replace, so that an undoing brings that back in front of what followed it. */
  #insertOthers(
    shared: Y.XmlFragment,
    { start, before, after }: Middle,
    pairs: readonly Pair[],
    old: readonly Child[],
  ): void {
    const oldAt = new Map(pairs.map((pair) => [pair.after, pair.before]));
    let next = before.length;
    for (let index = after.length - 1; index >= 0; index -= 1) {
      const [part, paired] = [after[index], oldAt.get(index)];
      if (paired !== undefined) next = paired;
      else if (part !== undefined)
        this.#insert(shared, start + next, part, cloneOfMoved(old, before, part));
    }
  }

  #goOn(shared: unknown, was: Part, part: Part): void {
    const { from } = was;
    if (shared instanceof Y.XmlText) this.#splice(shared, was, part);
    else if (shared instanceof Y.XmlElement)
      this.write(shared, was.nodes[0], from + 1, part.nodes[0], part.from + 1);
  }

  #delete(shared: Y.XmlFragment, unwanted: readonly Child[]): void {
    for (const child of unwanted) {
      this.#binding.mapping.delete(child);
      shared.delete(shared.toArray().indexOf(child as Y.XmlElement), 1);
    }
  }

  #insert(shared: Y.XmlFragment, at: number, part: Part, clone: Y.XmlElement | undefined): void {
    const [node] = part.nodes;
    if (node.isText) return shared.insert(at, [new Y.XmlText(lettersOf(part))]);
    const element = clone ?? new Y.XmlElement(node.type.name);
    shared.insert(at, [element]);
    if (clone === undefined) updateYFragment(this.#binding.doc, element, node, this.#binding);
    else this.#remember(element, node);
  }

  /** Tells the binding which node each copied element is. */
  #remember(element: Y.XmlElement, node: Node): void {
    const { mapping } = this.#binding;
    mapping.set(element, node);
    const parts = partsOf(node, 0);
    element.toArray().forEach((child, index) => {
      const nodes = parts[index]?.nodes;
      if (nodes === undefined) return;
      if (child instanceof Y.XmlText) mapping.set(child, [...nodes]);
      else if (child instanceof Y.XmlElement) this.#remember(child, nodes[0]);
    });
  }

  /** Changes the letters of a line exactly where the edit did. */
  #splice(text: Y.XmlText, was: Part, part: Part): void {
    const letters = lettersOf(part);
    if (text.length !== was.to - was.from) return;
    let [end, newEnd] = [text.length, letters.length];
    for (const stretch of within(this.#stretches, was.from, was.to).reverse()) {
      const { shift } = stretch;
      const [kept] = within([stretch], part.from - shift, part.to - shift);
      if (kept === undefined) continue;
      replace(text, kept.to - was.from, end, letters.slice(kept.to + shift - part.from, newEnd));
      [end, newEnd] = [kept.from - was.from, kept.from + shift - part.from];
    }
    replace(text, 0, end, letters.slice(0, newEnd));
  }
}

function replace(text: Y.XmlText, from: number, to: number, letters: string): void {
  text.delete(from, to - from);
  text.insert(from, letters);
}

/** A copy of the part as it was elsewhere. */
function cloneOfMoved(
  old: readonly Child[],
  before: readonly Part[],
  part: Part,
): Y.XmlElement | undefined {
  const source = old[before.findIndex((one) => isSame(one, part))];
  return source instanceof Y.XmlElement ? (source.clone() as Y.XmlElement) : undefined;
}

/** Whether the shared children are the parts, one by one. */
function isDrawnAs(children: readonly Child[], parts: readonly Part[]): boolean {
  return (
    children.length === parts.length &&
    children.every((child, index) => child instanceof Y.XmlText === parts[index]?.nodes[0].isText)
  );
}

function middleOf(before: readonly Part[], after: readonly Part[]): Middle {
  const shorter = Math.min(before.length, after.length);
  const isSameAt = (at: number, other: number): boolean => {
    const [a, b] = [before.at(at), after.at(other)];
    return a !== undefined && b !== undefined && isSame(a, b);
  };
  let start = 0;
  while (start < shorter && isSameAt(start, start)) start += 1;
  let end = 0;
  while (end < shorter - start && isSameAt(-1 - end, -1 - end)) end += 1;
  return {
    start,
    before: before.slice(start, before.length - end),
    after: after.slice(start, after.length - end),
  };
}

function lettersOf(part: Part): string {
  return part.nodes.map((node) => node.text ?? '').join('');
}
