/**
 * Keeps what others write away from a composition.
 *
 * A composition (Chinese, Japanese, Korean, accents, most telephone keyboards) belongs to the browser.
 * A change of others that redraws its line ends it, and what had been composed so far is there twice.
 * So others' changes wait until it is over, which is the length of a word.
 */

/** What can wait. */
export interface Holder {
  readonly hold: () => void;
  readonly release: () => void;
}

/**
 * A composition that nothing happens in does not keep the others away for longer. Telephones leave
 * one open for as long as the caret rests in a word.
 */
const QUIET_MS = 30_000;
const QUIET_ON_TELEPHONE_MS = 5000;

/** Holds `others` during each composition in the element; returns how to stop. */
export function holdWhileComposing(element: HTMLElement, others: Holder): () => void {
  const quietMs = matchMedia('(pointer: coarse)').matches ? QUIET_ON_TELEPHONE_MS : QUIET_MS;
  const ending = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const releaseIn = (delayMs: number) => {
    clearTimeout(timer);
    timer = setTimeout(others.release, delayMs);
  };
  const goesOn = () => {
    others.hold();
    releaseIn(quietMs);
  };
  // In a task of its own: the editor has read by then what the composition left in the page.
  const ends = () => releaseIn(0);
  const { signal } = ending;
  element.addEventListener('compositionstart', goesOn, { signal });
  element.addEventListener('compositionupdate', goesOn, { signal });
  element.addEventListener('compositionend', ends, { signal });
  element.addEventListener('focusout', ends, { signal });
  return () => {
    ending.abort();
    clearTimeout(timer);
    others.release();
  };
}
