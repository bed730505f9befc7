/** The notes that were opened on this device, newest first; kept in localStorage. */

/** One line of the list. */
export interface Recent {
  readonly id: string;
  readonly title: string;
  /** When it was last open, as milliseconds since 1970. */
  readonly at: number;
  /** Whether the server may lack something that was written here. */
  readonly unsaved: boolean;
}

const KEY = 'coscribe.recent';
const COUNT_MAX = 200;

let list = $state.raw<readonly Recent[]>(load());

// Another tab opened, renamed or removed a note.
addEventListener('storage', (event) => {
  if (event.key === KEY || event.key === null) list = load();
});

/** The list now. */
export function recentNotes(): readonly Recent[] {
  return list;
}

/** Puts a note on top of the list, or changes what is known about it. */
export function remember(note: Recent): void {
  store([note, ...load().filter((other) => other.id !== note.id)].slice(0, COUNT_MAX));
}

/** Takes a note from the list. */
export function forget(id: string): void {
  store(load().filter((note) => note.id !== id));
}

function store(next: readonly Recent[]): void {
  list = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // Storage is blocked or full: the list lives as long as the page.
  }
}

function load(): readonly Recent[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isRecent) : [];
  } catch {
    return [];
  }
}

function isRecent(value: unknown): value is Recent {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  return (
    typeof fields['id'] === 'string' &&
    typeof fields['title'] === 'string' &&
    typeof fields['at'] === 'number' &&
    typeof fields['unsaved'] === 'boolean'
  );
}
