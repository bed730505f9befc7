/**
 * Tiptap 3 with StarterKit, task lists and Collaboration, as its documentation sets it up.
 */
import '../dom.mjs'
import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { TaskItem, TaskList } from '@tiptap/extension-list'
import { StarterKit } from '@tiptap/starter-kit'
import { yUndoPluginKey } from '@tiptap/y-tiptap'
import { ProseMirrorEditor } from './prosemirror.mjs'

const chain = (command) => (editor, block, last) => {
  editor.select(editor.blocks[block].pos, editor.blocks[last].pos + editor.blocks[last].size)
  command(editor.tiptap.chain()).run()
}

/** Moves the block at the top level, as the menus of many products do it. */
const move = (down) => (editor, block) => {
  const { doc, tr } = editor.view.state
  const place = doc.resolve(editor.blocks[block].pos)
  const index = place.index(0)
  const other = index + (down ? 1 : -1)
  if (other < 0 || other >= doc.childCount) return
  const [start, node] = [place.before(1), doc.child(index)]
  const target = start + (down ? doc.child(other).nodeSize : -doc.child(other).nodeSize)
  editor.view.dispatch(tr.delete(start, start + node.nodeSize).insert(target, node))
}

const FORMS = {
  heading: chain((c) => c.toggleHeading({ level: 2 })),
  'heading 1': chain((c) => c.setHeading({ level: 1 })),
  paragraph: chain((c) => c.setParagraph()),
  'bullet list': chain((c) => c.toggleBulletList()),
  'ordered list': chain((c) => c.toggleOrderedList()),
  'task list': chain((c) => c.toggleTaskList()),
  quote: chain((c) => c.toggleBlockquote()),
  code: chain((c) => c.toggleCodeBlock()),
  bold: chain((c) => c.toggleBold()),
  enter: (editor, block, last, offset) => editor.pressAt(block, offset, 'Enter'),
  'line break': (editor, block, last, offset) => editor.pressAt(block, offset, 'Enter', { shiftKey: true }),
  'join with the line before': (editor, block) => editor.pressAt(block, 0, 'Backspace'),
  'join with the line after': (editor, block) => editor.pressAt(block, editor.blocks[block].size, 'Delete'),
  indent: (editor, block) => editor.pressAt(block, 0, 'Tab'),
  outdent: (editor, block) => editor.pressAt(block, 0, 'Tab', { shiftKey: true }),
  'move up': move(false),
  'move down': move(true),
}

class Tiptap extends ProseMirrorEditor {
  constructor({ doc }) {
    super()
    this.tiptap = new Editor({
      element: document.createElement('div'),
      extensions: [
        StarterKit.configure({ undoRedo: false }),
        TaskList,
        TaskItem.configure({ nested: true }),
        Collaboration.configure({ document: doc }),
      ],
      editorProps: { handleScrollToSelection: () => true },
    })
    this.view = this.tiptap.view
  }

  get undoManager() {
    return yUndoPluginKey.getState(this.view.state).undoManager
  }

  write(lines) {
    const paragraph = (text) => ({ type: 'paragraph', content: text === '' ? [] : [{ type: 'text', text }] })
    this.tiptap.commands.setContent({ type: 'doc', content: lines.map(paragraph) })
  }

  form(name, block, last, offset) {
    FORMS[name](this, block, last, offset)
  }

  deleteBlock(block) {
    const place = this.view.state.doc.resolve(this.blocks[block].pos)
    this.view.dispatch(this.view.state.tr.delete(place.before(), place.after()))
  }

  undo() {
    this.tiptap.commands.undo()
  }

  redo() {
    this.tiptap.commands.redo()
  }

  destroy() {
    this.tiptap.destroy()
  }
}

export const TIPTAP = {
  name: 'tiptap',
  root: (doc) => doc.getXmlFragment('default'),
  forms: Object.keys(FORMS),
  open: (doc, provider) => new Tiptap({ doc, provider }),
}
