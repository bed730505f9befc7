/**
 * Has the editor read the caret before anything happens that depends on it.
 *
 * A click or an arrow key moves the caret in the page at once. The browser tells of it
 * (`selectionchange`) before it draws the next frame, and on a busy machine that is several keys
 * later. Until then the editor takes the caret to be where it was: Enter splits the wrong line, a
 * style goes to the wrong words, and a change of others puts the caret back. So it is told earlier.
 */

/** Where changes of others come from. */
export interface Comings {
  /** Calls the listener each time before the text changes; returns how to stop. */
  readonly onComing: (listener: () => void) => () => void;
}

/** What people do that the editor, or a button for it, answers by what is selected. */
const DEEDS = ['keydown', 'beforeinput', 'mousedown', 'copy', 'cut', 'paste', 'drop'] as const;

/** Keeps the caret read on a page with an editor; returns how to stop. */
export function keepCaretRead(page: Document, others: Comings): () => void {
  const read = () => page.dispatchEvent(new Event('selectionchange'));
  const beforeDeed = (event: Event) => {
    // A composition is the browser's; the editor reads where it begins.
    if ('isComposing' in event && event.isComposing === true) return;
    read();
  };
  const ending = new AbortController();
  const { signal } = ending;
  // On the way down, so that whoever answers the deed knows already.
  for (const deed of DEEDS) page.addEventListener(deed, beforeDeed, { capture: true, signal });
  const stopComing = others.onComing(read);
  return () => {
    ending.abort();
    stopComing();
  };
}
