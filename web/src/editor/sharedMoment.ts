/**
 * The shared text before and after one transaction, read from its items.
 *
 * Yjs tells its observers of a transaction while what was deleted in it can still be read. So for an
 * element this module says what it held before, what it holds now, and which letters are the same
 * ones; and it finds the element of a place in the editor's old document, and the place in its new
 * document of an element. Where shared text and editor are not built alike it finds nothing.
 */
import type { Node, ResolvedPos } from '@tiptap/pm/model';
import * as Y from 'yjs';

/** Stands for anything in a line that is not text, so that offsets are positions. */
const OBJECT = '\uFFFC';

/** A node in a document; `start` is where its content begins. */
export interface Place {
  readonly node: Node;
  readonly start: number;
}

/** A line as it was and as it is. */
export interface Line {
  /** What it held before. */
  readonly was: string;
  /** For each unit of `was`, its offset now; -1 when it is deleted. */
  readonly nowAt: readonly number[];
  /** What has come. */
  readonly came: string;
  /** For each unit of `came`, its offset now. */
  readonly cameAt: readonly number[];
}

/** One transaction, seen from the shared text. */
export class SharedMoment {
  /** The shared text. */
  readonly root: Y.XmlFragment;
  readonly #transaction: Y.Transaction;

  constructor(root: Y.XmlFragment, transaction: Y.Transaction) {
    this.root = root;
    this.#transaction = transaction;
  }

  /** Whether the item was there before. */
  was({ id, deleted }: Y.Item): boolean {
    const isOld = id.clock < (this.#transaction.beforeState.get(id.client) ?? 0);
    return isOld && (!deleted || Y.isDeleted(this.#transaction.deleteSet, id));
  }

  /** The element of the position's node at `depth`, in the document as it was. */
  elementAt(position: ResolvedPos, depth = position.depth): Y.XmlElement | null {
    let found: Y.XmlFragment = this.root;
    for (let level = 0; level < depth; level += 1) {
      const child = this.childAt(found, position.index(level));
      if (child?.nodeName !== position.node(level + 1).type.name) return null;
      found = child;
    }
    return found instanceof Y.XmlElement ? found : null;
  }

  /** The child element that was the `index`th, counted without text. */
  childAt(parent: Y.XmlFragment, index: number): Y.XmlElement | null {
    let left = index;
    for (const [item, child] of elementsIn(parent)) {
      if (this.was(item) && left-- === 0) return child;
    }
    return null;
  }

  /** Where the element's node is in the document as it is. */
  placeOf(element: Y.XmlFragment, document: Node): Place | null {
    if (element === this.root) return { node: document, start: 0 };
    const { _item: item, parent } = element;
    if (item === null || item.deleted || !(parent instanceof Y.XmlFragment)) return null;
    const outer = this.placeOf(parent, document);
    if (outer === null) return null;
    let [start, index] = [outer.start, 0];
    for (const [sibling, child] of elementsIn(parent)) {
      if (child === element) break;
      if (!sibling.deleted) start += outer.node.maybeChild(index++)?.nodeSize ?? 0;
    }
    const node = outer.node.maybeChild(index);
    const isIts = node?.isAtom === true || node?.type.name === (element as Y.XmlElement).nodeName;
    return node !== null && isIts ? { node, start: start + 1 } : null;
  }

  /** All lines of the document as it is, with their elements. */
  linesNow(document: Node): { readonly place: Place; readonly element: Y.XmlElement }[] {
    const lines: { place: Place; element: Y.XmlElement }[] = [];
    const visit = (parent: Y.XmlFragment, outer: Place): void => {
      let [start, index] = [outer.start, 0];
      for (const [item, element] of elementsIn(parent)) {
        if (item.deleted) continue;
        const node = outer.node.maybeChild(index++);
        if (node === null) return;
        const place = { node, start: start + 1 };
        if (node.isTextblock) lines.push({ place, element });
        else if (!node.isAtom) visit(element, place);
        start += node.nodeSize;
      }
    };
    visit(this.root, { node: document, start: 0 });
    return lines;
  }

  /** The line that a textblock's element holds. */
  lineIn(element: Y.XmlFragment): Line {
    let [was, came, offset] = ['', '', 0];
    const nowAt: number[] = [];
    const cameAt: number[] = [];
    for (const [item, text] of lettersIn(element)) {
      const wasThere = this.was(item);
      for (let unit = 0; unit < text.length; unit += 1) {
        if (wasThere) nowAt.push(item.deleted ? -1 : offset + unit);
        else if (!item.deleted) cameAt.push(offset + unit);
      }
      if (wasThere) was += text;
      else if (!item.deleted) came += text;
      if (!item.deleted) offset += text.length;
    }
    return { was, nowAt, came, cameAt };
  }

  /** What has come where the deleted element was, if anything has. */
  successorOf(element: Y.XmlElement): Y.XmlElement | null {
    for (const side of ['right', 'left'] as const) {
      let beside = element._item?.[side] ?? null;
      while (beside?.deleted === true) beside = beside[side];
      const type = beside?.content instanceof Y.ContentType ? beside.content.type : null;
      if (beside !== null && !this.was(beside) && type instanceof Y.XmlElement) return type;
    }
    return null;
  }
}

/** The letters of a block, as offsets count them. */
export function textOf(block: Node): string {
  return block.textBetween(0, block.content.size, undefined, OBJECT);
}

/** The parent that an element has or had. */
export function parentOf(element: Y.XmlElement): Y.XmlFragment | null {
  return element.parent instanceof Y.XmlFragment ? element.parent : null;
}

function* itemsIn(type: Y.XmlFragment | Y.XmlText): Generator<Y.Item> {
  for (let item = type._start; item !== null; item = item.right) yield item;
}

/** The elements of all times, in their order. */
export function* elementsIn(parent: Y.XmlFragment): Generator<[Y.Item, Y.XmlElement]> {
  for (const item of itemsIn(parent)) {
    if (!(item.content instanceof Y.ContentType)) continue;
    if (item.content.type instanceof Y.XmlElement) yield [item, item.content.type];
  }
}

/** The letters of all times, in their order, with what stands between them. */
function* lettersIn(element: Y.XmlFragment): Generator<[Y.Item, string]> {
  for (const item of itemsIn(element)) {
    if (!(item.content instanceof Y.ContentType)) continue;
    const { type } = item.content;
    if (!(type instanceof Y.XmlText)) yield [item, OBJECT];
    else {
      for (const run of itemsIn(type)) {
        if (run.content instanceof Y.ContentString) yield [run, run.content.str];
        else if (run.content instanceof Y.ContentEmbed) yield [run, OBJECT];
      }
    }
  }
}
