/**
 * From what socket, server and device say to the one thing the reader is told about their text.
 * Pure; "saved" appears in it only when the server has said that everything is stored.
 */
import type { Denial } from './denial';
import type { DeviceState } from './deviceCopy';
import type { LedgerState } from './ledger';

/** What is known about the connection to the server. */
export interface LinkState {
  /** `trying` is the first attempt only; after a failure it is `down` until a socket is open. */
  readonly socket: 'trying' | 'open' | 'down';
  readonly ledger: LedgerState;
  /** The server's reason for refusing or closing this document, in its own words. */
  readonly refusal: string | null;
  /** Why the server lets us into this document no more, or not at all; nothing is known then but this. */
  readonly denial: Denial | null;
  /** The server allows reading only. */
  readonly readOnly: boolean;
  /** Whether the server may lack something that was written on this device. */
  readonly unsent: boolean;
  /** How many bytes the note may have, when it has as many and the server takes no more. */
  readonly bytesMax: number | null;
  /** There is a network and no word from the server on it. */
  readonly silent: boolean;
}

/** Before anything is known; `unsent` is what was true when the document was last open here. */
export function unknownLink(unsent: boolean): LinkState {
  return {
    socket: 'trying',
    ledger: 'unknown',
    refusal: null,
    denial: null,
    readOnly: false,
    unsent,
    bytesMax: null,
    silent: false,
  };
}

/** Where the reader's text is. */
export type SaveState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'saving' }
  | { readonly kind: 'saved' }
  /** `unsent`: the server turned something down that was written here. */
  | { readonly kind: 'readOnly'; readonly unsent: boolean; readonly kept: boolean }
  /** `silent`: the server can be reached and says nothing. */
  | { readonly kind: 'offline'; readonly kept: boolean; readonly silent?: true }
  /** By a fault of this page, what was typed is on the screen only. */
  | { readonly kind: 'stuck' }
  /** The note has as many bytes as it may have. */
  | { readonly kind: 'full'; readonly bytesMax: number; readonly kept: boolean }
  /** `reason` is the server's; `null` when it only said that it could not store. */
  | { readonly kind: 'notSaved'; readonly reason: string | null; readonly kept: boolean }
  | {
      readonly kind: 'denied';
      readonly denial: Denial;
      readonly unsent: boolean;
      readonly kept: boolean;
    };

/** The state to show. */
export function saveState(link: LinkState, device: DeviceState): SaveState {
  const kept = device === 'kept';
  if (link.denial !== null) {
    return { kind: 'denied', denial: link.denial, unsent: link.unsent, kept };
  }
  if (link.refusal !== null) return { kind: 'notSaved', reason: link.refusal, kept };
  switch (link.socket) {
    case 'trying':
      return { kind: 'opening' };
    case 'down':
      if (device === 'keeping') return { kind: 'saving' };
      return link.silent ? { kind: 'offline', kept, silent: true } : { kind: 'offline', kept };
    case 'open':
      return stateOnline(link, kept);
    default:
      return link.socket satisfies never;
  }
}

function stateOnline(link: LinkState, kept: boolean): SaveState {
  if (link.readOnly) return { kind: 'readOnly', unsent: link.ledger === 'refused', kept };
  switch (link.ledger) {
    case 'refused':
      if (link.bytesMax !== null) return { kind: 'full', bytesMax: link.bytesMax, kept };
      return { kind: 'notSaved', reason: null, kept };
    case 'unknown':
      return { kind: 'opening' };
    case 'waiting':
      return { kind: 'saving' };
    case 'stored':
      return { kind: 'saved' };
    default:
      return link.ledger satisfies never;
  }
}

/** Whether closing the page now would lose text. */
export function wouldLoseText(state: SaveState): boolean {
  switch (state.kind) {
    case 'offline':
    case 'full':
    case 'notSaved':
      return !state.kept;
    case 'readOnly':
    case 'denied':
      return state.unsent && !state.kept;
    case 'stuck':
      return true;
    case 'opening':
    case 'saving':
    case 'saved':
      return false;
    default:
      return state satisfies never;
  }
}
