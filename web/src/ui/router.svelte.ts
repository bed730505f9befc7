/** Which page is shown, from the address; the History API and nothing else. */
import { documentIdOfPath, newDocumentId, pathOfDocument } from '../net/documentId';

/** The pages there are. */
export type Route =
  | { readonly kind: 'home' }
  | { readonly kind: 'note'; readonly id: string; readonly isNew: boolean }
  | { readonly kind: 'lost' };

let route = $state.raw<Route>(readRoute());

addEventListener('popstate', () => {
  route = readRoute();
});

/** The page to show now. */
export function currentRoute(): Route {
  return route;
}

let wouldLose: () => boolean = () => false;

/** Has `asks` looked at before each change of page; returns how to stop. */
export function guardLeaving(asks: () => boolean): () => void {
  wouldLose = asks;
  return () => {
    wouldLose = () => false;
  };
}

/** Shows another page and puts it into the history. */
export function go(path: string, isNew = false): void {
  // The browser's own question before it leaves a page comes only when it really does.
  if (wouldLose()) {
    location.assign(path);
    return;
  }
  history.pushState({ isNew }, '', path);
  route = readRoute();
  scrollTo(0, 0);
}

/** Shows a new, empty note. */
export function goToNewNote(): void {
  go(pathOfDocument(newDocumentId()), true);
}

/** A click handler for links to our own pages; leaves new tabs and windows to the browser. */
export function followLink(event: MouseEvent): void {
  const plain =
    event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!plain || !(event.currentTarget instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  go(event.currentTarget.pathname);
}

function readRoute(): Route {
  if (location.pathname === '/') return { kind: 'home' };
  const id = documentIdOfPath(location.pathname);
  if (id === null) return { kind: 'lost' };
  const state: unknown = history.state;
  const isNew =
    typeof state === 'object' && state !== null && 'isNew' in state && state.isNew === true;
  return { kind: 'note', id, isNew };
}
