import { EditorState } from '@codemirror/state'
import { EditorView, keymap } from '@codemirror/view'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'

export function mount(parent, { ydoc, provider, user }) {
  const ytext = ydoc.getText('codemirror')
  provider.awareness.setLocalStateField('user', user)
  const extensions = [keymap.of(yUndoManagerKeymap), yCollab(ytext, provider.awareness)]
  return new EditorView({ parent, state: EditorState.create({ doc: ytext.toString(), extensions }) })
}
