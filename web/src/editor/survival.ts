/**
 * Which stretches of a text an edit left in place, and where they stand now.
 *
 * Read from the edit's own steps and not from a comparison of the texts, because two lines may look
 * alike. What was cut out and put in elsewhere did not survive, although it looks the same.
 */
import type { StepMap } from '@tiptap/pm/transform';

/** Positions `from` to `to` of the text before; `shift` more is where they are in the text after. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly shift: number;
}

/** The stretches of a text of `size` positions that live through `maps`, in order. */
export function survivors(size: number, maps: readonly StepMap[]): readonly Stretch[] {
  let stretches: readonly Stretch[] = [{ from: 0, to: size, shift: 0 }];
  for (const map of maps) stretches = stretches.flatMap((stretch) => through(map, stretch));
  return stretches;
}

/** The parts of the stretch that lie in `from` to `to`. */
export function within(stretches: readonly Stretch[], from: number, to: number): Stretch[] {
  return stretches
    .map((stretch) => ({
      from: Math.max(stretch.from, from),
      to: Math.min(stretch.to, to),
      shift: stretch.shift,
    }))
    .filter((stretch) => stretch.from < stretch.to);
}

function through(map: StepMap, stretch: Stretch): Stretch[] {
  const parts: Stretch[] = [];
  let at = stretch.from + stretch.shift;
  const end = stretch.to + stretch.shift;
  let moved = 0;
  const keep = (to: number): void => {
    const from = at - stretch.shift;
    if (to > at) parts.push({ from, to: to - stretch.shift, shift: stretch.shift + moved });
  };
  map.forEach((from, to, newFrom, newTo) => {
    keep(Math.min(from, end));
    at = Math.max(at, Math.min(to, end));
    // What is inserted at `end` stands behind the stretch.
    if (from < end) moved = newTo - newFrom - (to - from) + moved;
  });
  keep(end);
  return parts;
}
