/** Who the person at this device is to the others: a made-up name and a colour, until they say otherwise. */

/** What others are told; the field `user` of the awareness state, as stock Tiptap clients have it. */
export interface Person {
  readonly name: string;
  readonly color: string;
}

/** Colours with white text at 5.2:1 or better. */
export const COLORS = [
  '#2f5fc4',
  '#a8481f',
  '#1f7a55',
  '#8a3fa0',
  '#b0305c',
  '#1f7285',
  '#6b6410',
  '#5a4bc0',
  '#94521a',
  '#3f7320',
  '#9c3a8c',
  '#4a5f73',
] as const;

/** Longer names are cut. */
export const NAME_LENGTH_MAX = 40;

const KEY = 'coscribe.person';
const TEMPERS = [
  'Calm',
  'Bright',
  'Gentle',
  'Quick',
  'Quiet',
  'Merry',
  'Curious',
  'Kind',
  'Brave',
  'Sunny',
  'Patient',
  'Keen',
];
const ANIMALS = [
  'Heron',
  'Otter',
  'Finch',
  'Hare',
  'Badger',
  'Lynx',
  'Wren',
  'Beaver',
  'Swift',
  'Fox',
  'Owl',
  'Seal',
];

/** A friendly name for somebody who has not given one. */
export function madeUpName(): string {
  return `${pick(TEMPERS)} ${pick(ANIMALS)}`;
}

/** The person of this device; made up and remembered at the first call. */
export function loadPerson(): Person {
  const stored = readStored();
  if (stored !== null) return stored;
  const person = { name: madeUpName(), color: pick(COLORS) };
  storePerson(person);
  return person;
}

/** Remembers the person on this device, if it lets us. */
export function storePerson(person: Person): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(person));
  } catch {
    // Storage is blocked: the name lives as long as the page.
  }
}

/** Makes what a client claims into a person that is safe to show; `clientId` decides a missing colour. */
export function readPerson(claimed: unknown, clientId: number): Person {
  const fields = typeof claimed === 'object' && claimed !== null ? claimed : {};
  const name = 'name' in fields && typeof fields.name === 'string' ? fields.name.trim() : '';
  const color = 'color' in fields ? fields.color : undefined;
  return {
    name: name === '' ? 'Someone' : name.slice(0, NAME_LENGTH_MAX),
    // Only colours whose contrast has been measured; others are replaced, always by the same one.
    color: COLORS.find((known) => known === color) ?? COLORS[clientId % COLORS.length] ?? COLORS[0],
  };
}

function readStored(): Person | null {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null');
    return stored === null ? null : readPerson(stored, 0);
  } catch {
    return null;
  }
}

function pick<T>(from: readonly [T, ...T[]] | readonly T[]): T {
  const picked = from[Math.floor(Math.random() * from.length)];
  if (picked === undefined) throw new Error('there is something to pick from');
  return picked;
}
