/** Whether the list of notes stands beside the text; remembered on this device. */

const KEY = 'coscribe.list';

/** The choice made on this device; shown at first. */
export function loadListShown(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'hidden';
  } catch {
    return true;
  }
}

/** Remembers the choice. */
export function storeListShown(shown: boolean): void {
  try {
    localStorage.setItem(KEY, shown ? 'shown' : 'hidden');
  } catch {
    // Storage is blocked: the choice lives as long as the page.
  }
}
