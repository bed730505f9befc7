/**
 * Keeps what somebody reads where it is on the screen while others change the text above it.
 *
 * The browser's own scroll anchoring cannot: after a change of others the editor writes the new text
 * of each line into the elements that are there, so the element that the browser holds on to shows
 * another line than before. This holds on to the shared text's own blocks instead: to the caret's,
 * where the caret is in view, or else to the first that begins in view.
 *
 * It measures once before the first change of a frame and once before the frame is drawn, when the
 * layout is needed anyway.
 */
import type { Node } from '@tiptap/pm/model';
import { Plugin } from '@tiptap/pm/state';
import type { EditorView } from '@tiptap/pm/view';
import { ySyncPluginKey } from '@tiptap/y-tiptap';
import type * as Y from 'yjs';
import { SharedMoment } from './sharedMoment';

/** As many blocks are held on to, because some may be gone afterwards. */
const HOLDS_MAX = 8;

interface Hold {
  readonly element: Y.XmlElement;
  readonly top: number;
}

/** The plugin. */
export function steadyView(): Plugin {
  let isOfOthers = false;
  return new Plugin({
    props: {
      // The binding scrolls to the caret at each change of others; the view stands still instead.
      handleScrollToSelection: () => isOfOthers,
    },
    view: (view) => {
      const steady = new SteadyView(view, (next) => (isOfOthers = next));
      return { destroy: () => steady.dispose() };
    },
  });
}

class SteadyView {
  readonly #view: EditorView;
  readonly #tell: (isOfOthers: boolean) => void;
  readonly #text: Y.XmlFragment | undefined;
  #moment: SharedMoment | null = null;
  #holds: Hold[] = [];
  #scrolled = 0;
  /** Windows scroll by whole pixels; what was left over would add up, line by line. */
  #owed = 0;
  #frame = 0;

  constructor(view: EditorView, tell: (isOfOthers: boolean) => void) {
    this.#view = view;
    this.#tell = tell;
    this.#text = ySyncPluginKey.getState(view.state)?.type;
    this.#text?.doc?.on('beforeObserverCalls', this.#begin);
    this.#text?.doc?.on('afterTransaction', this.#end);
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#text?.doc?.off('beforeObserverCalls', this.#begin);
    this.#text?.doc?.off('afterTransaction', this.#end);
  }

  readonly #begin = (transaction: Y.Transaction): void => {
    if (transaction.local || this.#text === undefined) return;
    this.#tell(true);
    // Who is at the very top wants to see what comes there.
    if (this.#frame !== 0 || scrollY === 0) return;
    this.#moment = new SharedMoment(this.#text, transaction);
    this.#holds = this.#measure(this.#moment);
    this.#scrolled = scrollY;
    this.#frame = requestAnimationFrame(this.#correct);
  };

  readonly #end = (): void => this.#tell(false);

  readonly #correct = (): void => {
    this.#frame = 0;
    const held = this.#heldTops()[0];
    if (held === undefined) return;
    // What the reader has scrolled meanwhile is meant.
    const meant = scrollY - this.#scrolled;
    const wanted = held.now - held.before + meant + (meant === 0 ? this.#owed : 0);
    const from = scrollY;
    scrollBy({ top: wanted, behavior: 'instant' });
    this.#owed = wanted - (scrollY - from);
    // At the end of the page there is nothing left to scroll, and nothing to make good later.
    if (Math.abs(this.#owed) >= 1) this.#owed = 0;
  };

  #heldTops(): { before: number; now: number }[] {
    const { doc } = this.#view.state;
    return this.#holds.flatMap(({ element, top }) => {
      const place = this.#moment?.placeOf(element, doc) ?? null;
      const now = place === null ? null : this.#topAt(place.start - 1);
      return now === null ? [] : [{ before: top, now }];
    });
  }

  #measure(moment: SharedMoment): Hold[] {
    const { doc, selection } = this.#view.state;
    const own = selection.$head.depth > 0 ? selection.$head.index(0) : 0;
    const first = this.#firstInView(doc);
    const ownTop = this.#view.hasFocus() ? this.#topAt(positionOf(doc, own)) : null;
    const isInView = ownTop !== null && ownTop >= 0 && ownTop < innerHeight;
    const wanted = Array.from({ length: HOLDS_MAX }, (_, at) => first + at);
    if (isInView) wanted.unshift(own);
    return wanted.flatMap((index) => {
      const element = moment.childAt(moment.root, index);
      const top = index < doc.childCount ? this.#topAt(positionOf(doc, index)) : null;
      return element === null || top === null ? [] : [{ element, top }];
    });
  }

  /** The first block that begins in view, or the last one that begins above it. */
  #firstInView(doc: Node): number {
    let [low, high] = [0, doc.childCount];
    while (low < high) {
      const middle = (low + high) >> 1;
      const top = this.#topAt(positionOf(doc, middle)) ?? 0;
      if (top < 0) low = middle + 1;
      else high = middle;
    }
    const isBeyond = (this.#topAt(positionOf(doc, low)) ?? Infinity) >= innerHeight;
    return isBeyond ? Math.max(0, low - 1) : low;
  }

  #topAt(position: number): number | null {
    const element = this.#view.nodeDOM(position);
    return element instanceof Element ? element.getBoundingClientRect().top : null;
  }
}

function positionOf(doc: Node, index: number): number {
  let position = 0;
  for (let at = 0; at < index; at += 1) position += doc.maybeChild(at)?.nodeSize ?? 0;
  return position;
}
