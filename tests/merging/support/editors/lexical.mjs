/**
 * Lexical without a page, bound to Yjs by the functions that its collaboration plugin calls, in the same order.
 *
 * There is no DOM selection, so Backspace at a line's start and Delete at its end are done as Lexical itself does them
 * there: the selection is made longer by one place and removed.
 */
import { createHeadlessEditor } from '@lexical/headless'
import {
  $createListItemNode,
  $insertList,
  $isListItemNode,
  $isListNode,
  $removeList,
  ListItemNode,
  ListNode,
} from '@lexical/list'
import { $createHeadingNode, $createQuoteNode, HeadingNode, QuoteNode } from '@lexical/rich-text'
import { $setBlocksType } from '@lexical/selection'
import { createBinding, createUndoManager, syncLexicalUpdateToYjs, syncYjsChangesToLexical } from '@lexical/yjs'
import {
  $createParagraphNode,
  $createRangeSelection,
  $createTextNode,
  $getRoot,
  $isElementNode,
  $isTextNode,
  $setSelection,
} from 'lexical'
import { UndoManager, XmlText } from 'yjs'

/** Elements that hold text, in their order. */
function $blocks() {
  const blocks = []
  const walk = (node) => {
    if (!$isElementNode(node)) return
    const children = node.getChildren()
    const holdsBlocks = children.some((child) => $isElementNode(child) && !child.isInline())
    if (holdsBlocks || $isListNode(node)) for (const child of children) walk(child)
    else blocks.push(node)
  }
  for (const node of $getRoot().getChildren()) walk(node)
  return blocks
}

/** Sets a point of a selection to an offset in a block's text. */
function $setPoint(point, block, offset) {
  let left = offset
  for (const [index, child] of block.getChildren().entries()) {
    if ($isTextNode(child) && left <= child.getTextContentSize()) return point.set(child.getKey(), left, 'text')
    if (left <= 0) return point.set(block.getKey(), index, 'element')
    left -= child.getTextContentSize()
  }
  point.set(block.getKey(), block.getChildrenSize(), 'element')
}

function $select([block, offset], [lastBlock, lastOffset] = [block, offset]) {
  const selection = $createRangeSelection()
  $setPoint(selection.anchor, block, offset)
  $setPoint(selection.focus, lastBlock, lastOffset)
  // A caret types in the form of the text that it stands in.
  const node = selection.anchor.getNode()
  if ($isTextNode(node)) selection.format = node.getFormat()
  $setSelection(selection)
  return selection
}

const $selectAll = (block, last) => $select([block, 0], [last, last.getTextContentSize()])
const $become = (create) => (block, last) => $setBlocksType($selectAll(block, last), create)

const $list = (type) => (block, last) => {
  $selectAll(block, last)
  if ($isListItemNode(block) && block.getParent().getListType() === type) $removeList()
  else $insertList(type)
}

const $join = (first, second) => {
  if (first && second) $select([first, first.getTextContentSize()], [second, 0]).removeText()
}

const $move = (down) => (block) => {
  const node = block.getTopLevelElementOrThrow()
  const other = down ? node.getNextSibling() : node.getPreviousSibling()
  if (other === null) return
  if (down) other.insertAfter(node)
  else other.insertBefore(node)
}

const FORMS = {
  heading: $become(() => $createHeadingNode('h2')),
  paragraph: $become(() => $createParagraphNode()),
  quote: $become(() => $createQuoteNode()),
  'bullet list': $list('bullet'),
  'ordered list': $list('number'),
  'task list': $list('check'),
  bold: (block, last) => $selectAll(block, last).formatText('bold'),
  enter: (block, last, offset) => $select([block, offset]).insertParagraph(),
  'line break': (block, last, offset) => $select([block, offset]).insertLineBreak(),
  'join with the line before': (block, last, offset, blocks) => $join(blocks[blocks.indexOf(block) - 1], block),
  'join with the line after': (block, last, offset, blocks) => $join(block, blocks[blocks.indexOf(block) + 1]),
  indent: (block) => block.setIndent(block.getIndent() + 1),
  outdent: (block) => block.setIndent(Math.max(0, block.getIndent() - 1)),
  'move up': $move(false),
  'move down': $move(true),
}

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
    return this.editor.read(() => $blocks().map((block) => ({ size: block.getTextContentSize(), text: block.getTextContent() })))
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
      $getRoot().clear().append(...paragraphs)
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
      binding, provider, prevEditorState, editorState, dirtyElements, dirtyLeaves, normalizedNodes, tags,
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
