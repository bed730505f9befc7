/**
 * Takes what others wrote into a changed block along when the change is undone.
 *
 * Undoing a heading brings the old line back and deletes the heading. Words that came into the
 * heading meanwhile stand behind some letter of it; the same letter of the old line is known, and
 * the words go behind that one.
 */
import * as Y from 'yjs';
import { idsFrom, keyOf, latestOf, livingAt, type Id, type Keys } from './undoIds';

/** Where others' words go: beside a letter that comes back, or into a line without letters. */
export interface Anchor {
  readonly kind: 'behind' | 'before' | 'in';
  readonly id: Id;
}

/** Letters with the same marks, or an object in the line. */
type Piece =
  | { readonly kind: 'letters'; letters: string; readonly marks: object; readonly ids: Id[] }
  | { readonly kind: 'object'; readonly copy: Y.XmlElement; readonly ids: readonly Id[] };

/** What others wrote between two of our letters. */
export interface Carry {
  readonly anchor: Anchor;
  readonly pieces: Piece[];
}

/** What is known before the undoing. */
export interface Known {
  readonly document: Y.Doc;
  /** What the undoing is about to delete. */
  readonly doomed: Keys;
  /** For letters and blocks of it: what they were before the change. */
  readonly origins: ReadonlyMap<string, Id>;
  /** What the change took from its place, and may come back. */
  readonly returning: Keys;
  /** Whether something is younger than the change. */
  readonly isYounger: (id: Id) => boolean;
}

/** Finds all that others wrote where the undoing is about to delete. */
export function carriesIn(known: Known, root: Y.XmlFragment): Carry[] {
  if (known.origins.size === 0) return [];
  const carries: Carry[] = [];
  const walk = (parent: Y.XmlFragment): void => {
    const children = parent.toArray();
    if (children.some((child) => child instanceof Y.XmlText)) {
      carries.push(...new LineScan(known, parent).carries);
    }
    for (const child of children) if (child instanceof Y.XmlElement) walk(child);
  };
  walk(root);
  return carries;
}

/** One line, read from its start to its end. */
class LineScan {
  readonly carries: Carry[] = [];
  readonly #known: Known;
  #anchor: Anchor | null;
  /** The first of the deleted letters here that come back to where we are. */
  #gap: Anchor | null = null;

  constructor(known: Known, block: Y.XmlFragment) {
    this.#known = known;
    const isDoomed = block._item !== null && known.doomed.has(keyOf(block._item.id));
    this.#anchor = isDoomed ? this.#startOf(block) : null;
    for (const child of block.toArray()) {
      if (child instanceof Y.XmlText) this.#text(child);
      else if (child instanceof Y.XmlElement && isDoomed) this.#object(child);
    }
  }

  /** The place in front of all letters of a block. */
  #startOf(block: Y.XmlFragment): Anchor | null {
    const origin = block._item === null ? undefined : this.#originOf(block._item.id);
    if (origin !== undefined) return { kind: 'in', id: origin };
    for (const child of block.toArray()) {
      if (!(child instanceof Y.XmlText)) continue;
      for (const { id, isDeleted } of lettersOf(child)) {
        const first = this.#originOf(id);
        if (!isDeleted && first !== undefined) return { kind: 'before', id: first };
      }
    }
    return null;
  }

  #text(text: Y.XmlText): void {
    const isOurs = text._item !== null && this.#known.doomed.has(keyOf(text._item.id));
    for (const { id, letter, marks, isDeleted } of lettersOf(text)) {
      if (isDeleted) {
        if (this.#known.returning.has(keyOf(id))) this.#gap ??= { kind: 'before', id };
      } else if (this.#known.doomed.has(keyOf(id))) {
        const origin = this.#originOf(id);
        if (origin !== undefined) this.#anchor = { kind: 'behind', id: origin };
      } else if (isOurs || this.#known.isYounger(id)) this.#letter(id, letter, marks);
      else [this.#anchor, this.#gap] = [null, null];
    }
  }

  #letter(id: Id, letter: string, marks: object): void {
    const pieces = this.#pieces();
    const last = pieces?.at(-1);
    if (last?.kind === 'letters' && last.marks === marks) {
      last.letters += letter;
      last.ids.push(id);
    } else pieces?.push({ kind: 'letters', letters: letter, marks, ids: [id] });
  }

  #object(object: Y.XmlElement): void {
    if (object._item === null || this.#known.doomed.has(keyOf(object._item.id))) return;
    const copy = object.clone() as Y.XmlElement;
    this.#pieces()?.push({ kind: 'object', copy, ids: [object._item.id] });
  }

  /** Where to add; `null` when the words can stay where they are. */
  #pieces(): Piece[] | null {
    // Behind a gap is where Yjs puts what was written at the end of what is in front of it.
    const anchor = this.#anchor ?? this.#gap;
    if (anchor === null) return null;
    const last = this.carries.at(-1);
    if (last?.anchor === anchor) return last.pieces;
    const carry = { anchor, pieces: [] };
    this.carries.push(carry);
    return carry.pieces;
  }

  #originOf(id: Id): Id | undefined {
    return this.#known.origins.get(keyOf(id));
  }
}

interface Letter {
  readonly id: Id;
  readonly letter: string;
  /** One object for neighbours with the same marks. */
  readonly marks: object;
  readonly isDeleted: boolean;
}

function lettersOf(text: Y.XmlText): Letter[] {
  const runs = text.toDelta() as { insert: unknown; attributes?: object }[];
  const marks = runs.flatMap(({ insert, attributes = {} }) =>
    Array.from({ length: typeof insert === 'string' ? insert.length : 1 }, () => attributes),
  );
  const letters: Letter[] = [];
  let at = 0;
  for (let item = text._start; item !== null; item = item.right) {
    const { content, countable, deleted: isDeleted } = item;
    if (!countable) continue;
    idsFrom(item.id, item.length).forEach((id, index) => {
      const letter = content instanceof Y.ContentString ? content.str.charAt(index) : '';
      letters.push({ id, letter, marks: (isDeleted ? null : marks[at]) ?? {}, isDeleted });
      if (!isDeleted) at += 1;
    });
  }
  return letters;
}

/** Writes it at its new place. Returns the ids that it left, none when there is no such place. */
export function put(document: Y.Doc, carry: Carry): readonly Id[] {
  const place = placeOf(document, carry.anchor);
  if (place === null) return [];
  let { text, at } = place;
  let behind: Y.XmlElement | null = null;
  for (const piece of carry.pieces) {
    if (piece.kind === 'object') {
      insertBehind(behind ?? text, piece.copy);
      behind = piece.copy;
      continue;
    }
    if (behind !== null) [text, at, behind] = [textBehind(behind), 0, null];
    text.insert(at, piece.letters, piece.marks);
    at += piece.letters.length;
  }
  return carry.pieces.flatMap(({ ids }) => ids);
}

function placeOf(document: Y.Doc, { kind, id }: Anchor): { text: Y.XmlText; at: number } | null {
  const item = livingAt(document, id);
  if (item === null) return null;
  if (kind === 'in') return startOfLine(item);
  const text = item.parent;
  if (!(text instanceof Y.XmlText)) return null;
  const inItem = latestOf(document, id).clock - item.id.clock;
  return { text, at: offsetOf(text, item) + inItem + (kind === 'behind' ? 1 : 0) };
}

function startOfLine({ content }: Y.Item): { text: Y.XmlText; at: number } | null {
  if (!(content instanceof Y.ContentType) || !(content.type instanceof Y.XmlElement)) return null;
  const [first] = content.type.toArray();
  if (first instanceof Y.XmlText) return { text: first, at: 0 };
  const text = new Y.XmlText();
  content.type.insert(0, [text]);
  return { text, at: 0 };
}

function offsetOf(text: Y.XmlText, until: Y.Item): number {
  let offset = 0;
  for (let item = text._start; item !== null && item !== until; item = item.right) {
    if (!item.deleted && item.countable) offset += item.length;
  }
  return offset;
}

function insertBehind(neighbour: Y.XmlElement | Y.XmlText, child: Y.XmlElement | Y.XmlText): void {
  const { parent } = neighbour;
  if (!(parent instanceof Y.XmlElement)) return;
  const index = parent.toArray().findIndex((one) => one === neighbour);
  parent.insert(index + 1, [child]);
}

/** Two texts side by side are one for the editor, so the one that is there is used. */
function textBehind(object: Y.XmlElement): Y.XmlText {
  const next = object.nextSibling;
  if (next instanceof Y.XmlText) return next;
  const text = new Y.XmlText();
  insertBehind(object, text);
  return text;
}
