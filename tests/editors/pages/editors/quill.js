import Quill from 'quill'
import QuillCursors from 'quill-cursors'
import { QuillBinding } from 'y-quill'
import 'quill/dist/quill.snow.css'

Quill.register('modules/cursors', QuillCursors)

export function mount(element, { ydoc, provider, user }) {
  const quill = new Quill(element, {
    theme: 'snow',
    modules: { cursors: true, toolbar: false, history: { userOnly: true } },
  })
  provider.awareness.setLocalStateField('user', user)
  return new QuillBinding(ydoc.getText('quill'), quill, provider.awareness)
}
