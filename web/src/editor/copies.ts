/**
 * Finds the copy of a line's deleted letters among what others have put in.
 *
 * What is a copy is decided by all the letters that went, never by a few of them: the caret of
 * somebody whose word was deleted must not land in a line that happens to begin like it.
 */
import type { Node, ResolvedPos } from '@tiptap/pm/model';
import type * as Y from 'yjs';
import { alignCopy, matches, NOWHERE, type Alignment } from './likeness';
import { textOf, type Line, type Place, type SharedMoment } from './sharedMoment';

/** Copies of so few letters are believed only near by. */
const FEW_LETTERS = 4;
const NEAR_LINES = 2;
/** Who splits a line goes on writing in it: a part as long as this is known whatever is around it. */
const UNMISTAKABLE_LENGTH = 8;
/** A line that is gone is looked for by less: there is no better place for the caret. */
const UNMISTAKABLE_GONE_LENGTH = 2;

/** The line that a caret was in. */
export interface OldLine {
  readonly then: ResolvedPos;
  readonly element: Y.XmlElement;
  readonly line: Line;
  /** `null` when the element is gone. */
  readonly place: Place | null;
}

interface NewLine {
  readonly place: Place;
  readonly line: Line;
}

interface Copy {
  readonly alignment: Alignment;
  readonly at: number;
  readonly agreement: number;
}

/** Where the letters around the caret have been copied to; `null` when they are just deleted. */
export function positionInCopy(old: OldLine, moment: SharedMoment, now: Node): number | null {
  const [from, to] = deletedRun(old);
  const run = old.line.was.slice(from, to);
  const offset = old.then.parentOffset - from;
  const elements = moment.linesNow(now);
  const own = elements.findIndex(({ element }) => element === old.element);
  const lines = elements.map(({ element, place }) => ({ place, line: moment.lineIn(element) }));
  // A split takes the end of a line away, or its beginning; what goes from the middle is a deletion.
  const mayHaveLeft = old.place === null || from === 0 || to === old.line.was.length;
  const isNear = (at: number) =>
    at === own || (mayHaveLeft && (run.length >= FEW_LETTERS || near(at, own)));
  const best = bestCopy(old, run, lines, isNear);
  return best === null ? null : positionIn(best, run, offset, lines);
}

function near(at: number, own: number): boolean {
  return own < 0 || Math.abs(at - own) <= NEAR_LINES;
}

/** The deleted letters around the caret: of a line that is gone, all of it. */
function deletedRun({ then, line, place }: OldLine): [number, number] {
  if (place === null) return [0, line.was.length];
  let from = then.parentOffset - 1;
  while (from > 0 && line.nowAt[from - 1] === -1) from -= 1;
  let to = then.parentOffset;
  while (to < line.was.length && line.nowAt[to] === -1) to += 1;
  return [from, to];
}

function bestCopy(
  old: OldLine,
  run: string,
  lines: readonly NewLine[],
  isPossible: (at: number) => boolean,
): Copy | null {
  const wholeLength = old.place === null ? UNMISTAKABLE_GONE_LENGTH : UNMISTAKABLE_LENGTH;
  const agreement = agreementWith(old, lines);
  let best: Copy | null = null;
  for (const [at, { line }] of lines.entries()) {
    const alignment = isPossible(at) ? alignCopy(run, line.came, wholeLength) : null;
    if (alignment === null) continue;
    const copy = { alignment, at, agreement: agreement(at) };
    if (best === null || isBetter(copy, best)) best = copy;
  }
  return best;
}

function isBetter(a: Copy, b: Copy): boolean {
  const [ours, theirs] = [matches(a.alignment), matches(b.alignment)];
  return ours === theirs ? a.agreement > b.agreement : ours > theirs;
}

/** Behind the nearest copied letter before the caret, or else before the nearest one behind it. */
function positionIn(
  copy: Copy,
  run: string,
  offset: number,
  lines: readonly NewLine[],
): number | null {
  const continued = continuation(copy, run, offset, lines);
  if (continued !== null) return continued;
  const found = lines[copy.at];
  if (found === undefined) return null;
  const { place, line } = found;
  for (let at = offset - 1; at >= 0; at -= 1) {
    const copied = copy.alignment[at] ?? NOWHERE;
    if (copied !== NOWHERE) return place.start + (line.cameAt[copied] ?? 0) + 1;
  }
  const next = copy.alignment.find((copied, at) => at >= offset && copied !== NOWHERE) ?? 0;
  return place.start + (line.cameAt[next] ?? 0);
}

/** The copy of a line that was split as well goes on in the line above or below. */
function continuation(
  { alignment, at }: Copy,
  run: string,
  offset: number,
  lines: readonly NewLine[],
): number | null {
  const first = alignment.findIndex((copied) => copied !== NOWHERE);
  const end = alignment.length - [...alignment].reverse().findIndex((copied) => copied !== NOWHERE);
  if (offset > first && offset <= end) return null;
  const isAbove = offset <= first;
  const [from, to] = isAbove ? [0, first] : [end, run.length];
  const beside = isAbove ? at - 1 : at + 1;
  const rest = run.slice(from, to);
  const next = alignCopy(rest, lines[beside]?.line.came ?? '', UNMISTAKABLE_GONE_LENGTH);
  if (next === null) return null;
  return positionIn({ alignment: next, at: beside, agreement: 0 }, rest, offset - from, lines);
}

/** How many lines around a new one are the same as around the old one: tells equal lines apart. */
function agreementWith(old: OldLine, lines: readonly NewLine[]): (at: number) => number {
  const now = lines.map(({ place }) => textOf(place.node));
  const then: string[] = [];
  let was = -1;
  old.then.doc.descendants((node, position) => {
    if (!node.isTextblock) return true;
    if (position + 1 === old.then.start()) was = then.length;
    then.push(textOf(node));
    return false;
  });
  return (at) => {
    let above = 0;
    while (was - above > 0 && at - above > 0 && then[was - above - 1] === now[at - above - 1]) {
      above += 1;
    }
    let below = 1;
    while (was + below < then.length && then[was + below] === now[at + below]) below += 1;
    return above + below;
  };
}
