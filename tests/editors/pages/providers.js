/**
 * The stock providers, set up as their own documentation does it.
 */
import { HocuspocusProvider } from '@hocuspocus/provider'
import { createYjsProvider } from '@y-sweet/client'
import { WebsocketProvider } from 'y-websocket'

export const PROVIDERS = {
  hocuspocus: ({ server, document, token }, ydoc) =>
    new HocuspocusProvider({ url: `ws://${server}/collab`, name: document, document: ydoc, token }),

  'y-sweet': ({ document, level = 'full' }, ydoc) => createYjsProvider(ydoc, document, `/y-sweet-auth/${level}`),

  'y-websocket': ({ server, document, token }, ydoc) =>
    new WebsocketProvider(`ws://${server}/sync`, document, ydoc, { params: token === undefined ? {} : { token } }),
}
