/**
 * Starts the page. Kept tiny, so that on a note's page the editor loads beside the rest of the
 * page and not after it: on a slow network that is a whole round trip.
 */
import './ui/base.css';
import { documentIdOfPath } from './net/documentId';
import { takeToken } from './net/tokens';
import { applyTheme, loadTheme } from './ui/theme';

// Before anything else can look at the address.
takeToken();
applyTheme(loadTheme());
if (documentIdOfPath(location.pathname) !== null) {
  // Only a head start: `NoteLoader` asks for it again and says what went wrong, if anything did.
  import('./ui/NotePage.svelte').catch(() => undefined);
}
void import('./ui/start');
