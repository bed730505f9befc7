/**
 * Draws the others' carets and selections on a layer over the text.
 *
 * Not as decorations inside it: those are rebuilt on every key and every move of anybody, which
 * with a hundred people costs more than the typing itself, and their names end up in copied text
 * and screen readers. The layer is redrawn at most every `REDRAW_INTERVAL_MS`, and only what is
 * near the window.
 */
import type { Editor } from '@tiptap/core';
import { Selection } from '@tiptap/pm/state';
import type { Awareness } from 'y-protocols/awareness';
import { findCaret, type Caret } from './cursor';
import { visitors, type Visitor } from './people';

const REDRAW_INTERVAL_MS = 100;
/** Names fold into the caret when it has not moved for this long. */
const NAME_SHOWN_MS = 4000;
const MARGIN_PX = 200;

/** Starts drawing into `layer`, which must be positioned over the text; returns how to stop. */
export function drawCarets(layer: HTMLElement, editor: Editor, awareness: Awareness): () => void {
  const drawing = new Drawing(layer, editor, awareness);
  return () => drawing.dispose();
}

interface Drawn {
  readonly element: HTMLElement;
  readonly name: HTMLElement;
  place: string;
  movedAt: number;
}

class Drawing {
  readonly #layer: HTMLElement;
  readonly #editor: Editor;
  readonly #awareness: Awareness;
  readonly #drawn = new Map<number, Drawn>();
  readonly #resize: ResizeObserver;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(layer: HTMLElement, editor: Editor, awareness: Awareness) {
    this.#layer = layer;
    this.#editor = editor;
    this.#awareness = awareness;
    this.#resize = new ResizeObserver(this.redrawSoon);
    this.#resize.observe(editor.view.dom);
    editor.on('update', this.redrawSoon);
    awareness.on('change', this.redrawSoon);
    addEventListener('scroll', this.redrawSoon, { passive: true, capture: true });
    this.redrawSoon();
  }

  dispose(): void {
    this.#resize.disconnect();
    this.#editor.off('update', this.redrawSoon);
    this.#awareness.off('change', this.redrawSoon);
    removeEventListener('scroll', this.redrawSoon, { capture: true });
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#layer.replaceChildren();
  }

  readonly redrawSoon = (): void => {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#redraw();
    }, REDRAW_INTERVAL_MS);
  };

  #redraw(): void {
    if (this.#editor.isDestroyed) return;
    const others = visitors(this.#awareness).filter((visitor) => !visitor.isSelf);
    const here = new Set<number>();
    const origin = this.#layer.getBoundingClientRect();
    let namesFold = false;
    for (const visitor of others) {
      const caret = findCaret(visitor.cursor, this.#editor.view.state);
      const box = caret === null ? null : this.#boxOf(caret.head);
      if (caret === null || box === null) continue;
      here.add(visitor.clientId);
      namesFold = this.#place(visitor, caret, box, origin) || namesFold;
    }
    this.#removeAllBut(here);
    if (namesFold) setTimeout(this.redrawSoon, NAME_SHOWN_MS);
  }

  /** The caret's place in the window, `null` when it is far outside of it. */
  #boxOf(position: number): { left: number; top: number; bottom: number } | null {
    const place = this.#editor.state.doc.resolve(position);
    // Between blocks, as in a note that has no text yet, a caret would be a line without a height.
    const inText = place.parent.inlineContent ? place : Selection.near(place, -1).$head;
    const box = this.#editor.view.coordsAtPos(inText.pos);
    const isNear = box.bottom > -MARGIN_PX && box.top < innerHeight + MARGIN_PX;
    return isNear ? box : null;
  }

  /** Puts one caret where it belongs; returns whether its name has to be folded later. */
  #place(
    visitor: Visitor,
    caret: Caret,
    box: { left: number; top: number; bottom: number },
    origin: DOMRect,
  ): boolean {
    const drawn = this.#drawnFor(visitor.clientId);
    const left = Math.round(box.left - origin.left);
    const top = Math.round(box.top - origin.top);
    const place = `${left} ${top} ${caret.anchor} ${caret.head}`;
    const now = performance.now();
    const moved = place !== drawn.place;
    if (moved) Object.assign(drawn, { place, movedAt: now });
    const { style } = drawn.element;
    style.setProperty('--person', visitor.color);
    style.setProperty('--left', `${left}px`);
    style.setProperty('--top', `${top}px`);
    style.setProperty('--height', `${Math.round(box.bottom - box.top)}px`);
    drawn.name.textContent = visitor.name;
    drawn.element.classList.toggle('is-still', now - drawn.movedAt >= NAME_SHOWN_MS);
    drawn.element.classList.toggle('is-first-line', top < 20);
    drawn.element.classList.toggle('is-at-end', left > origin.width - 120);
    this.#select(drawn, caret, origin);
    return moved;
  }

  #select(drawn: Drawn, caret: Caret, origin: DOMRect): void {
    for (const old of drawn.element.querySelectorAll('.caret-range')) old.remove();
    if (caret.anchor === caret.head) return;
    const range = document.createRange();
    const from = this.#editor.view.domAtPos(Math.min(caret.anchor, caret.head));
    const to = this.#editor.view.domAtPos(Math.max(caret.anchor, caret.head));
    range.setStart(from.node, from.offset);
    range.setEnd(to.node, to.offset);
    for (const box of textBoxes(range)) {
      if (box.bottom < -MARGIN_PX || box.top > innerHeight + MARGIN_PX) continue;
      drawn.element.append(rangeMark(box, origin));
    }
  }

  #drawnFor(clientId: number): Drawn {
    const known = this.#drawn.get(clientId);
    if (known !== undefined) return known;
    const element = document.createElement('div');
    element.className = 'caret';
    const line = document.createElement('span');
    line.className = 'caret-line';
    const name = document.createElement('span');
    name.className = 'caret-name';
    line.append(name);
    element.append(line);
    this.#layer.append(element);
    const drawn: Drawn = { element, name, place: '', movedAt: 0 };
    this.#drawn.set(clientId, drawn);
    return drawn;
  }

  #removeAllBut(here: ReadonlySet<number>): void {
    for (const [clientId, drawn] of this.#drawn) {
      if (here.has(clientId)) continue;
      drawn.element.remove();
      this.#drawn.delete(clientId);
    }
  }
}

/** The boxes of the range's letters, without those of the blocks around them. */
function textBoxes(range: Range): DOMRect[] {
  const root = range.commonAncestorContainer;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const boxes: DOMRect[] = [];
  const part = document.createRange();
  for (let node: Node | null = walker.currentNode; node !== null; node = walker.nextNode()) {
    if (!isWritten(node) || !range.intersectsNode(node)) continue;
    part.selectNodeContents(node);
    if (node === range.startContainer) part.setStart(node, range.startOffset);
    if (node === range.endContainer) part.setEnd(node, range.endOffset);
    boxes.push(...part.getClientRects());
  }
  return boxes;
}

/** Letters of the note, not those of a control in it, such as the unseen name of a tick box. */
function isWritten(node: Node): boolean {
  const isText = node.nodeType === Node.TEXT_NODE;
  return isText && node.parentElement?.closest('[contenteditable="false"]') === null;
}

function rangeMark(box: DOMRect, origin: DOMRect): HTMLElement {
  const mark = document.createElement('span');
  mark.className = 'caret-range';
  mark.style.setProperty('--left', `${box.left - origin.left}px`);
  mark.style.setProperty('--top', `${box.top - origin.top}px`);
  mark.style.setProperty('--width', `${box.width}px`);
  mark.style.setProperty('--height', `${box.height}px`);
  return mark;
}
