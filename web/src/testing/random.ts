/** Chance that a seed repeats. */

/** What a test may ask of chance. */
export interface Chance {
  /** A whole number from 0 up to, but not, `end`. */
  below(end: number): number;
  /** One of the things. */
  of<T>(things: readonly T[]): T;
}

/** Chance that gives the same answers for the same seed. */
export function chanceOf(seed: number): Chance {
  let state = (seed * 2654435761) >>> 0;
  const below = (end: number): number => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end;
  };
  return {
    below,
    of: <T>(things: readonly T[]): T => {
      const thing = things[below(things.length)];
      if (thing === undefined) throw new Error('nothing to choose from');
      return thing;
    },
  };
}
