/**
 * Lexical without a page, bound to Yjs by the functions that its collaboration plugin calls, in the same order.
 */
import { createHeadlessEditor } from '@lexical/headless'
import { ListItemNode, ListNode } from '@lexical/list'
import { HeadingNode, QuoteNode } from '@lexical/rich-text'
import { createBinding, createUndoManager, syncLexicalUpdateToYjs, syncYjsChangesToLexical } from '@lexical/yjs'
import { $createParagraphNode, $createTextNode, $getRoot } from 'lexical'
import { UndoManager, XmlText } from 'yjs'
import { $blocks, $select, FORMS } from './lexical-forms.mjs'

class Lexical {
  #stop

  constructor({ doc, provider }) {
    this.editor = createHeadlessEditor({
      nodes: [HeadingNode, QuoteNode, ListNode, ListItemNode],
      onError: (error) => {
        throw error
      },
    })
    this.binding = createBinding(this.editor, provider, 'main', doc, new Map([['main', doc]]))
    this.#stop = bind(this.editor, this.binding, provider)
    this.undoManager = createUndoManager(this.binding, this.binding.root.getSharedType())
  }

  get blocks() {
    return this.editor.read(() =>
      $blocks().map((block) => ({ size: block.getTextContentSize(), text: block.getTextContent() })),
    )
  }

  get text() {
    return this.editor.read(() => $getRoot().getTextContent())
  }

  #update(change) {
    this.editor.update(change, { discrete: true })
  }

  write(lines) {
    this.#update(() => {
      const paragraphs = lines.map((line) => $createParagraphNode().append($createTextNode(line)))
      $getRoot()
        .clear()
        .append(...paragraphs)
    })
  }

  type(block, offset, text) {
    let at = offset
    for (const letter of text) {
      this.#update(() => $select([$blocks()[block], at]).insertText(letter))
      at += letter.length
    }
  }

  deleteBetween([block, offset], [lastBlock, lastOffset]) {
    this.#update(() => {
      const blocks = $blocks()
      $select([blocks[block], offset], [blocks[lastBlock], lastOffset]).removeText()
    })
  }

  deleteBlock(block) {
    this.#update(() => $blocks()[block].remove())
  }

  form(name, block, last, offset) {
    this.#update(() => {
      const blocks = $blocks()
      FORMS[name](blocks[block], blocks[last], offset, blocks)
    })
  }

  undo() {
    this.undoManager.undo()
  }

  redo() {
    this.undoManager.redo()
  }

  destroy() {
    this.#stop()
    this.undoManager.destroy()
  }
}

/** Carries changes both ways, as the plugin does. Gives back how to stop. */
function bind(editor, binding, provider) {
  const shared = binding.root.getSharedType()
  const arrived = (events, { origin }) => {
    if (origin === binding) return
    syncYjsChangesToLexical(binding, provider, events, origin instanceof UndoManager, () => {})
  }
  shared.observeDeep(arrived)
  const stop = editor.registerUpdateListener((update) => {
    const { prevEditorState, editorState, dirtyElements, dirtyLeaves, normalizedNodes, tags } = update
    if (tags.has('skip-collab')) return
    syncLexicalUpdateToYjs(
      binding,
      provider,
      prevEditorState,
      editorState,
      dirtyElements,
      dirtyLeaves,
      normalizedNodes,
      tags,
    )
  })
  return () => {
    shared.unobserveDeep(arrived)
    stop()
  }
}

export const LEXICAL = {
  name: 'lexical',
  root: (doc) => doc.get('root', XmlText),
  forms: Object.keys(FORMS),
  open: (doc, provider) => new Lexical({ doc, provider }),
}
