/** Loads what undoes a change. Nobody needs it to begin to write, so it comes when the editor is up. */
import type { Reversal } from './undoReversal';

let loaded: typeof Reversal | null = null;

/** What undoes a change; `null` as long as it is not loaded. */
export function loadedReversal(): typeof Reversal | null {
  return loaded;
}

/** Loads it; rejects when it cannot be had now. */
export async function loadReversal(): Promise<void> {
  loaded ??= (await import('./undoReversal')).Reversal;
}
