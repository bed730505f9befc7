/**
 * One document in one stock editor through one stock provider; everything comes from the page's query:
 * `editor`, `provider`, `server` (host and port), `document`, `name`, `color`, and `token` or `level` where there are
 * any.
 *
 * The page says on its root element when the first sync is done, and does nothing else for the tests: what they look
 * at is what a person would see.
 */
import * as Y from 'yjs'
import { PROVIDERS } from './providers.js'

const EDITORS = {
  blocknote: () => import('./editors/blocknote.js'),
  codemirror: () => import('./editors/codemirror.js'),
  quill: () => import('./editors/quill.js'),
  tiptap: () => import('./editors/tiptap.js'),
}

const query = Object.fromEntries(new URLSearchParams(location.search))
const { mount } = await EDITORS[query.editor]()

const ydoc = new Y.Doc()
const provider = PROVIDERS[query.provider](query, ydoc)
provider.on('synced', () => {
  document.documentElement.dataset.synced = ''
})
mount(document.querySelector('#editor'), { ydoc, provider, user: { name: query.name, color: query.color } })
