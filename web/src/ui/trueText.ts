/**
 * Writes a sentence so that it is true whatever has happened to the page's text nodes.
 *
 * Browser translation and some extensions take the page's text nodes away and put their own in their
 * place. A framework that goes on writing into a node of its own changes nothing on the screen then,
 * and "Saved" stays there when nothing is. So the sentence is written into its element. Where the
 * element says `translate="no"`, what somebody else writes into it is taken back as well: a
 * translation may arrive when the sentence is another one already.
 */
import type { Attachment } from 'svelte/attachments';

/** Somebody who writes again each time is not to be fought for ever. */
const REPAIRS_MAX = 20;

/** Keeps the element's text what it says here. */
export function trueText(text: string): Attachment<HTMLElement> {
  return (element) => {
    element.textContent = text;
    if (element.translate) return;
    let left = REPAIRS_MAX;
    const observer = new MutationObserver(() => {
      if (element.textContent === text || left === 0) return;
      left -= 1;
      element.textContent = text;
    });
    observer.observe(element, { childList: true, characterData: true, subtree: true });
    return () => observer.disconnect();
  };
}
