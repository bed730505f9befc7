/**
 * BlockNote with `withCollaboration`, as its documentation sets it up.
 */
import '../dom.mjs'
import { BlockNoteEditor } from '@blocknote/core'
import { withCollaboration } from '@blocknote/core/yjs'
import { yUndoPluginKey } from 'y-prosemirror'
import { ProseMirrorEditor } from './prosemirror.mjs'

const become = (update) => (editor, block, last) => {
  for (const id of editor.idsBetween(block, last)) editor.blocknote.updateBlock(id, update)
}

const atCursor = (command) => (editor, block) => {
  editor.select(editor.blocks[block].pos)
  command(editor.blocknote)
}

const FORMS = {
  heading: become({ type: 'heading', props: { level: 2 } }),
  paragraph: become({ type: 'paragraph' }),
  'bullet list': become({ type: 'bulletListItem' }),
  'ordered list': become({ type: 'numberedListItem' }),
  'task list': become({ type: 'checkListItem' }),
  quote: become({ type: 'quote' }),
  code: become({ type: 'codeBlock' }),
  bold: (editor, block, last) => {
    editor.select(editor.blocks[block].pos, editor.blocks[last].pos + editor.blocks[last].size)
    editor.blocknote.toggleStyles({ bold: true })
  },
  enter: (editor, block, last, offset) => editor.pressAt(block, offset, 'Enter'),
  'join with the line before': (editor, block) => editor.pressAt(block, 0, 'Backspace'),
  'join with the line after': (editor, block) => editor.pressAt(block, editor.blocks[block].size, 'Delete'),
  indent: atCursor((blocknote) => blocknote.canNestBlock() && blocknote.nestBlock()),
  outdent: atCursor((blocknote) => blocknote.canUnnestBlock() && blocknote.unnestBlock()),
  'move up': atCursor((blocknote) => blocknote.moveBlocksUp()),
  'move down': atCursor((blocknote) => blocknote.moveBlocksDown()),
}

class BlockNote extends ProseMirrorEditor {
  constructor({ doc, provider }) {
    super()
    const fragment = doc.getXmlFragment('blocknote')
    const user = { name: 'somebody', color: '#2f5fc4' }
    const options = withCollaboration({ collaboration: { fragment, provider, user } })
    const editorProps = { handleScrollToSelection: () => true }
    this.blocknote = BlockNoteEditor.create({ ...options, _tiptapOptions: { editorProps } })
    this.blocknote.mount(document.createElement('div'))
    this.view = this.blocknote.prosemirrorView
  }

  get undoManager() {
    return yUndoPluginKey.getState(this.view.state).undoManager
  }

  idOf(block) {
    const place = this.view.state.doc.resolve(this.blocks[block].pos)
    return place.node(place.depth - 1).attrs.id
  }

  idsBetween(block, last) {
    return Array.from({ length: last - block + 1 }, (_, index) => this.idOf(block + index))
  }

  write(lines) {
    this.blocknote.replaceBlocks(
      this.blocknote.document,
      lines.map((content) => ({ type: 'paragraph', content })),
    )
  }

  form(name, block, last, offset) {
    FORMS[name](this, block, last, offset)
  }

  deleteBlock(block) {
    this.blocknote.removeBlocks([this.idOf(block)])
  }

  undo() {
    this.blocknote.undo()
  }

  redo() {
    this.blocknote.redo()
  }

  destroy() {
    this.blocknote.unmount()
    this.blocknote._tiptapEditor.destroy()
  }
}

export const BLOCKNOTE = {
  name: 'blocknote',
  root: (doc) => doc.getXmlFragment('blocknote'),
  forms: Object.keys(FORMS),
  open: (doc, provider) => new BlockNote({ doc, provider }),
}
