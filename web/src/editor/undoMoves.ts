/**
 * Sees which letters of an edit only changed their place.
 *
 * For Yjs, a line that became a heading is a deleted line and a new one with the same letters. This
 * compares what a transaction deleted with what it inserted, and says which new letter is which old
 * one. Read right after the transaction, while the deleted letters are still there.
 */
import * as Y from 'yjs';
import { textSchema } from './extensions';
import { idsFrom, type Id } from './undoIds';

/** The same letter, or the same block, before and after. */
export interface Move {
  readonly from: Id;
  readonly to: Id;
}

/** What a transaction moved. */
export interface Moves {
  readonly letters: readonly Move[];
  readonly blocks: readonly Move[];
}

/** Letters of one shared line that came or went together, and the block if it did too. */
interface Run {
  readonly line: unknown;
  readonly block: Id | null;
  letters: string;
  readonly ids: Id[];
}

interface Side {
  readonly runs: Run[];
  /** Blocks without a letter. */
  readonly empty: Id[];
}

/** Shorter likenesses are chance. */
const LIKENESS_MIN = 3;

/** What the transaction moved inside `root`. */
export function movesOf(transaction: Y.Transaction, root: Y.XmlFragment): Moves {
  // A letter that is typed, or one that is deleted, moves nothing.
  if (transaction.deleteSet.clients.size === 0 || !hasInserted(transaction)) {
    return { letters: [], blocks: [] };
  }
  const [gone, come]: [Side, Side] = [
    { runs: [], empty: [] },
    { runs: [], empty: [] },
  ];
  walk(transaction, root, gone, come);
  const paired = pairRuns(gone.runs, come.runs);
  return {
    letters: paired.flatMap(({ moves }) => moves),
    blocks: [...paired.flatMap(({ block }) => block ?? []), ...pairEmpty(gone, come)],
  };
}

function hasInserted({ beforeState, afterState }: Y.Transaction): boolean {
  return [...afterState].some(([client, clock]) => clock > (beforeState.get(client) ?? 0));
}

function walk(transaction: Y.Transaction, parent: Y.XmlFragment, gone: Side, come: Side): void {
  for (let item = parent._start; item !== null; item = item.right) {
    const side = sideOf(transaction, item, gone, come);
    if (side === 'neither') continue;
    const { content } = item;
    if (content instanceof Y.ContentString) {
      if (side !== null) addLetters(transaction, side, parent, item, content.str);
    } else if (content instanceof Y.ContentType) {
      const type = content.type as Y.XmlFragment;
      if (side !== null && isEmptyLine(transaction, type)) side.empty.push(item.id);
      walk(transaction, type, gone, come);
    }
  }
}

/** Where an item belongs: to what went, what came, what was there all along, or neither. */
function sideOf(
  { deleteSet, beforeState }: Y.Transaction,
  { id, deleted }: Y.Item,
  gone: Side,
  come: Side,
): Side | null | 'neither' {
  const isNew = id.clock >= (beforeState.get(id.client) ?? 0);
  if (!deleted) return isNew ? come : null;
  return !isNew && Y.isDeleted(deleteSet, id) ? gone : 'neither';
}

/** Whether it is a block for letters, and no list, line break or the like. */
export function isLine({ nodeName }: Y.XmlElement): boolean {
  return textSchema.nodes[nodeName]?.inlineContent === true;
}

/** Whether a block has neither blocks nor letters in it, nor had any before the transaction. */
function isEmptyLine(transaction: Y.Transaction, type: Y.XmlFragment): boolean {
  if (!(type instanceof Y.XmlElement) || !isLine(type)) return false;
  return itemsOf(transaction, type).every(({ content }) => {
    if (!(content instanceof Y.ContentType) || !(content.type instanceof Y.XmlText)) return false;
    return itemsOf(transaction, content.type).every((item) => !item.countable);
  });
}

function itemsOf({ deleteSet }: Y.Transaction, type: Pick<Y.XmlFragment, '_start'>): Y.Item[] {
  const items: Y.Item[] = [];
  for (let item = type._start; item !== null; item = item.right) {
    if (!item.deleted || Y.isDeleted(deleteSet, item.id)) items.push(item);
  }
  return items;
}

function addLetters(
  transaction: Y.Transaction,
  { runs }: Side,
  line: Y.XmlFragment,
  item: Y.Item,
  letters: string,
): void {
  const ids = idsFrom(item.id, letters.length);
  const last = runs.at(-1);
  if (last?.line === line) {
    last.letters += letters;
    last.ids.push(...ids);
  } else runs.push({ line, block: changedBlock(transaction, line, item), letters, ids });
}

/** The block around a line, when it came or went together with the line's letters. */
function changedBlock(
  { deleteSet, beforeState }: Y.Transaction,
  line: Y.XmlFragment,
  letters: Y.Item,
): Id | null {
  const block = (line.parent as Y.XmlFragment | null)?._item ?? null;
  if (block === null) return null;
  if (letters.deleted) return Y.isDeleted(deleteSet, block.id) ? block.id : null;
  return block.id.clock >= (beforeState.get(block.id.client) ?? 0) ? block.id : null;
}

interface PairedRun {
  readonly moves: readonly Move[];
  readonly block: Move | null;
}

/** Longest likeness first; what is left of a run, on either side, may have come from elsewhere. */
function pairRuns(gone: readonly Run[], come: readonly Run[]): PairedRun[] {
  const left = [...gone];
  const open = [...come];
  const pairs: PairedRun[] = [];
  for (let to = open.shift(); to !== undefined; to = open.shift()) {
    const found = mostAlike(left, to);
    if (found === null) continue;
    const { from, inFrom, inTo, length } = found;
    pairs.push(pairedRun(from, to, found));
    left.splice(left.indexOf(from), 1, ...rest(from, inFrom, length));
    open.unshift(...rest(to, inTo, length));
  }
  return pairs;
}

function mostAlike(runs: readonly Run[], to: Run): (Likeness & { from: Run }) | null {
  let best: (Likeness & { from: Run }) | null = null;
  for (const from of runs) {
    const found = likeness(from.letters, to.letters);
    const isWhole = found.length === Math.min(from.ids.length, to.ids.length);
    if (found.length < LIKENESS_MIN && !isWhole) continue;
    if (found.length > (best?.length ?? 0)) best = { ...found, from };
    if (found.length === to.ids.length) break;
  }
  return best;
}

function pairedRun(from: Run, to: Run, { inFrom, inTo, length }: Likeness): PairedRun {
  const moves = to.ids.slice(inTo, inTo + length).flatMap((id, index) => {
    const old = from.ids[inFrom + index];
    return old === undefined ? [] : [{ from: old, to: id }];
  });
  const { block } = from;
  return {
    moves,
    block: block === null || to.block === null ? null : { from: block, to: to.block },
  };
}

/** What of a run has not found its place yet. */
function rest(run: Run, at: number, length: number): Run[] {
  const part = (from: number, to: number): Run => ({
    ...run,
    letters: run.letters.slice(from, to),
    ids: run.ids.slice(from, to),
  });
  return [part(0, at), part(at + length, run.ids.length)].filter(({ ids }) => ids.length > 0);
}

interface Likeness {
  readonly inFrom: number;
  readonly inTo: number;
  readonly length: number;
}

/** The longest of: one inside the other, the same beginning, the same end. */
function likeness(from: string, to: string): Likeness {
  const inFrom = from.indexOf(to);
  if (inFrom >= 0) return { inFrom, inTo: 0, length: to.length };
  const inTo = to.indexOf(from);
  if (inTo >= 0) return { inFrom: 0, inTo, length: from.length };
  let start = 0;
  while (start < Math.min(from.length, to.length) && from[start] === to[start]) start += 1;
  let end = 0;
  while (end < Math.min(from.length, to.length) && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  if (start >= end) return { inFrom: 0, inTo: 0, length: start };
  return { inFrom: from.length - end, inTo: to.length - end, length: end };
}

function pairEmpty(gone: Side, come: Side): Move[] {
  if (gone.empty.length !== come.empty.length) return [];
  return gone.empty.flatMap((from, index) => {
    const to = come.empty[index];
    return to === undefined ? [] : [{ from, to }];
  });
}
