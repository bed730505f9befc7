import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret'
import { StarterKit } from '@tiptap/starter-kit'
import './tiptap.css'

export function mount(element, { ydoc, provider, user }) {
  return new Editor({
    element,
    extensions: [
      // Its history would take back what others wrote; Collaboration brings its own.
      StarterKit.configure({ undoRedo: false }),
      Collaboration.configure({ document: ydoc }),
      CollaborationCaret.configure({ provider, user }),
    ],
  })
}
