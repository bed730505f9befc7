import { BlockNoteEditor } from '@blocknote/core'
import { withCollaboration } from '@blocknote/core/yjs'
import '@blocknote/core/style.css'

export function mount(element, { ydoc, provider, user }) {
  const fragment = ydoc.getXmlFragment('blocknote')
  const collaboration = { fragment, provider, user, showCursorLabels: 'always' }
  BlockNoteEditor.create(withCollaboration({ collaboration })).mount(element)
}
