/**
 * From what socket, server and device say to the one thing the reader is told about their text.
 * Pure; "saved" appears in it only when the server has said that everything is stored.
 */
import type { DeviceState } from './deviceCopy';
import type { LedgerState } from './ledger';

/** What is known about the connection to the server. */
export interface LinkState {
  /** `trying` is the first attempt only; after a failure it is `down` until a socket is open. */
  readonly socket: 'trying' | 'open' | 'down';
  readonly ledger: LedgerState;
  /** The server's reason for refusing or closing this document, in its own words. */
  readonly refusal: string | null;
  /** The server allows reading only. */
  readonly readOnly: boolean;
}

/** Where the reader's text is. */
export type SaveState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'saving' }
  | { readonly kind: 'saved' }
  | { readonly kind: 'readOnly' }
  | { readonly kind: 'offline'; readonly kept: boolean }
  /** `reason` is the server's; `null` when it only said that it could not store. */
  | { readonly kind: 'notSaved'; readonly reason: string | null; readonly kept: boolean };

/** The state to show. */
export function saveState(link: LinkState, device: DeviceState): SaveState {
  const kept = device === 'kept';
  if (link.refusal !== null) return { kind: 'notSaved', reason: link.refusal, kept };
  switch (link.socket) {
    case 'trying':
      return { kind: 'opening' };
    case 'down':
      return device === 'keeping' ? { kind: 'saving' } : { kind: 'offline', kept };
    case 'open':
      return stateOnline(link, kept);
    default:
      return link.socket satisfies never;
  }
}

function stateOnline(link: LinkState, kept: boolean): SaveState {
  if (link.readOnly) return { kind: 'readOnly' };
  switch (link.ledger) {
    case 'refused':
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
  return (state.kind === 'offline' || state.kind === 'notSaved') && !state.kept;
}
