/**
 * What Tiptap and BlockNote have in common: a ProseMirror view, written into as by hand, one transaction a letter.
 */
import '../dom.mjs'
import { TextSelection } from '@tiptap/pm/state'

export class ProseMirrorEditor {
  /** The ProseMirror view; the heirs set it. */
  view = null

  /** Text blocks in their order: where their content starts, how long it is, what it says. */
  get blocks() {
    const blocks = []
    this.view.state.doc.descendants((node, pos) => {
      if (node.isTextblock) blocks.push({ pos: pos + 1, size: node.content.size, text: node.textContent, node })
    })
    return blocks
  }

  /** All that a person sees. */
  get text() {
    return this.view.state.doc.textContent
  }

  select(from, to = from) {
    const { state } = this.view
    this.view.dispatch(state.tr.setSelection(TextSelection.create(state.doc, from, to)))
  }

  type(block, offset, text) {
    this.select(this.blocks[block].pos + offset)
    for (const letter of text) this.view.dispatch(this.view.state.tr.insertText(letter))
  }

  /** Deletes what stands between two places, by one press of a key. */
  deleteBetween([block, offset], [lastBlock, lastOffset]) {
    const { blocks } = this
    this.select(blocks[block].pos + offset, blocks[lastBlock].pos + lastOffset)
    this.press('Backspace')
  }

  /** Presses a key; as a page would, an editor without a command for it does nothing. */
  press(key, modifiers = {}) {
    const event = new KeyboardEvent('keydown', { key, ...modifiers })
    this.view.someProp('handleKeyDown', (handle) => handle(this.view, event))
  }

  pressAt(block, offset, key, modifiers) {
    this.select(this.blocks[block].pos + offset)
    this.press(key, modifiers)
  }
}
