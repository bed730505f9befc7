/**
 * Lexical's lines, selections and commands.
 *
 * There is no DOM selection, so Backspace at a line's start and Delete at its end are done as Lexical itself does them
 * there: the selection is made longer by one place and removed.
 */
import { $insertList, $isListItemNode, $isListNode, $removeList } from '@lexical/list'
import { $createHeadingNode, $createQuoteNode } from '@lexical/rich-text'
import { $setBlocksType } from '@lexical/selection'
import {
  $createParagraphNode,
  $createRangeSelection,
  $getRoot,
  $isElementNode,
  $isTextNode,
  $setSelection,
} from 'lexical'

/** Elements that hold text, in their order. */
export function $blocks() {
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

export function $select([block, offset], [lastBlock, lastOffset] = [block, offset]) {
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

/** `(block, last, offset, blocks)`: nodes, the place of the caret, and all lines. */
export const FORMS = {
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
