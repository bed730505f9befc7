/**
 * Finds a text again in a copy of it.
 *
 * A split, a heading made of a paragraph, a join or a restore takes letters away and puts a copy of
 * them somewhere else, and by then somebody may have typed into the copy. This module says whether a
 * text that came is a copy of one that went, and which of its letters is which. Pure.
 */

/** For each unit of the original, its place in the copy; `NOWHERE` for those that are not in it. */
export type Alignment = readonly number[];

export const NOWHERE = -1;

/** A copy has this much in common with its original: twice the common letters to both lengths. */
const LIKENESS_MIN = 0.6;
/** More than this is not compared letter by letter. */
const COMPARISONS_MAX = 1_000_000;

/**
 * How `copy` matches `original`; `null` when it is no copy of it. An original of `wholeLength` or
 * more is known when all of it is there, however much stands around it.
 */
export function alignCopy(original: string, copy: string, wholeLength: number): Alignment | null {
  if (original === '' || copy === '') return null;
  const { length } = original;
  const whole = length >= wholeLength ? copy.indexOf(original) : -1;
  if (whole >= 0) return Array.from({ length }, (_, at) => whole + at);
  const both = original.length + copy.length;
  const most = 2 * Math.min(original.length, copy.length);
  if (most < LIKENESS_MIN * both) return null;
  const alignment = align(original, copy);
  return 2 * matches(alignment) >= LIKENESS_MIN * both ? alignment : null;
}

/** How many letters of the original are in the copy. */
export function matches(alignment: Alignment): number {
  return alignment.filter((at) => at !== NOWHERE).length;
}

/** The longest common subsequence, which for long texts is looked for at their ends only. */
function align(original: string, copy: string): Alignment {
  const alignment = new Array<number>(original.length).fill(NOWHERE);
  let start = 0;
  const shorter = Math.min(original.length, copy.length);
  while (start < shorter && original[start] === copy[start]) {
    alignment[start] = start;
    start += 1;
  }
  let end = 0;
  while (end < shorter - start && original.at(-1 - end) === copy.at(-1 - end)) {
    end += 1;
    alignment[original.length - end] = copy.length - end;
  }
  const [left, right] = [
    original.slice(start, original.length - end),
    copy.slice(start, copy.length - end),
  ];
  if (left.length * right.length > COMPARISONS_MAX) return alignment;
  for (const [from, to] of commonLetters(left, right)) alignment[start + from] = start + to;
  return alignment;
}

function commonLetters(left: string, right: string): [number, number][] {
  const width = right.length + 1;
  const lengths = new Uint32Array((left.length + 1) * width);
  const length = (from: number, to: number) => lengths[from * width + to] ?? 0;
  for (let from = left.length - 1; from >= 0; from -= 1) {
    for (let to = right.length - 1; to >= 0; to -= 1) {
      const isSame = left[from] === right[to];
      lengths[from * width + to] = isSame
        ? length(from + 1, to + 1) + 1
        : Math.max(length(from + 1, to), length(from, to + 1));
    }
  }
  const pairs: [number, number][] = [];
  for (let from = 0, to = 0; from < left.length && to < right.length;) {
    if (left[from] === right[to]) {
      pairs.push([from, to]);
      from += 1;
      to += 1;
    } else if (length(from + 1, to) >= length(from, to + 1)) from += 1;
    else to += 1;
  }
  return pairs;
}
