/**
 * Pairs the parts of a text before an edit with those after it that are the same part, so that as
 * many letters as possible stay where they are in the shared text.
 *
 * Paired can be only parts of one kind and in one order: Yjs can neither rename nor move an element.
 * Of the two halves of a split the longer one goes on being the old block, of two joined blocks the
 * longer one stays; at a tie it is the first. Of two blocks that change places, the one that the
 * edit cut out is made anew.
 */
import type { Node } from '@tiptap/pm/model';
import { within, type Stretch } from './survival';

/** What the shared text has one child for: a block, an object in a line, or a run of text nodes. */
export interface Part {
  readonly nodes: readonly [Node, ...Node[]];
  /** The positions in front of it and behind it. */
  readonly from: number;
  readonly to: number;
}

/** Indexes of one part before and after. */
export interface Pair {
  readonly before: number;
  readonly after: number;
}

interface Candidate extends Pair {
  readonly worth: number;
}

interface Match {
  /** How many positions can stay where they are. */
  readonly sum: number;
  readonly pairs: readonly Pair[];
}

/** The parts of a node; `from` is where its content begins. */
export function partsOf(node: Node, from: number): Part[] {
  const parts: Part[] = [];
  node.forEach((child, offset) => {
    const last = parts.at(-1);
    const to = from + offset + child.nodeSize;
    if (child.isText && last !== undefined && last.nodes[0].isText) {
      parts[parts.length - 1] = { nodes: [...last.nodes, child], from: last.from, to };
    } else parts.push({ nodes: [child], from: from + offset, to });
  });
  return parts;
}

/** Whether nothing about the part has changed. */
export function isSame(a: Part, b: Part): boolean {
  return a.nodes.length === b.nodes.length && a.nodes.every((node, at) => node === b.nodes[at]);
}

/** The pairs in order, or `null` when the edit says nothing about these parts. */
export function pairParts(
  before: readonly Part[],
  after: readonly Part[],
  stretches: readonly Stretch[],
): readonly Pair[] | null {
  const { sum, pairs } = match(before, after, stretches);
  if (sum === 0 && !hasSurvivor(before, stretches)) return null;
  return withLeftovers(pairs, before, after);
}

function hasSurvivor(before: readonly Part[], stretches: readonly Stretch[]): boolean {
  return before.some(({ from, to }) => within(stretches, from, to).length > 0);
}

function match(
  before: readonly Part[],
  after: readonly Part[],
  stretches: readonly Stretch[],
): Match {
  const candidates = before.flatMap((old, index) => {
    const kept = within(stretches, old.from, old.to);
    return after.flatMap((now, other) => {
      const worth = worthOf(old, now, kept);
      return worth > 0 ? [{ before: index, after: other, worth }] : [];
    });
  });
  return heaviestInOrder(candidates);
}

/** How many positions of the old part stay where they are when the new one goes on in it. */
function worthOf(old: Part, now: Part, stretches: readonly Stretch[]): number {
  const [oldNode, node] = [old.nodes[0], now.nodes[0]];
  if (oldNode.type !== node.type) return 0;
  const landing = landingIn(stretches, now);
  // Cut out and put in again at what may be its old place: better kept than made anew.
  if (isSame(old, now)) return landing || (old.to - old.from) / 2;
  if (oldNode.isLeaf || landing === 0) return landing;
  // Of what landed in it, only what is at its old depth can stay.
  return 1 + match(partsOf(oldNode, old.from + 1), partsOf(node, now.from + 1), stretches).sum;
}

/** How many positions of the stretches are inside the part now. */
function landingIn(stretches: readonly Stretch[], part: Part): number {
  return stretches.reduce((sum, { from, to, shift }) => {
    const overlap = Math.min(to + shift, part.to) - Math.max(from + shift, part.from);
    return sum + Math.max(0, overlap);
  }, 0);
}

/** Of the candidates, which come sorted, those that cross nobody and are worth most together. */
function heaviestInOrder(candidates: readonly Candidate[]): Match {
  const chains: { sum: number; last: Candidate; rest: number }[] = [];
  candidates.forEach((candidate) => {
    let rest = -1;
    let sum = 0;
    chains.forEach((chain, index) => {
      const fits = chain.last.before < candidate.before && chain.last.after < candidate.after;
      if (fits && chain.sum > sum) [rest, sum] = [index, chain.sum];
    });
    chains.push({ sum: sum + candidate.worth, last: candidate, rest });
  });
  const sum = chains.reduce((most, chain) => Math.max(most, chain.sum), 0);
  const pairs: Pair[] = [];
  let chain = chains.find((one) => one.sum === sum);
  for (; chain !== undefined; chain = chains[chain.rest]) {
    pairs.unshift({ before: chain.last.before, after: chain.last.after });
  }
  return { sum, pairs };
}

/** Pairs what is left between two pairs too: content that was set anew goes on in its old block. */
function withLeftovers(
  pairs: readonly Pair[],
  before: readonly Part[],
  after: readonly Part[],
): readonly Pair[] {
  const [movedAway, movedHere] = [new Set(after.map(firstOf)), new Set(before.map(firstOf))];
  const found: Pair[] = [];
  let [i, j] = [0, 0];
  for (const pair of [...pairs, { before: before.length, after: after.length }]) {
    while (i < pair.before && j < pair.after) {
      const [old, now] = [before[i]?.nodes[0], after[j]?.nodes[0]];
      if (old === undefined || movedAway.has(old)) i += 1;
      else if (now === undefined || movedHere.has(now)) j += 1;
      else {
        if (old.type === now.type) found.push({ before: i, after: j });
        [i, j] = [i + 1, j + 1];
      }
    }
    if (pair.before < before.length) found.push(pair);
    [i, j] = [pair.before + 1, pair.after + 1];
  }
  return found;
}

function firstOf(part: Part): Node {
  return part.nodes[0];
}
