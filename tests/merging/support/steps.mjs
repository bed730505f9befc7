/**
 * What a person does in an editor, by a step of a scenario.
 */

/** Steps that take away what they take away on purpose. */
export const DELETIONS = new Set(['delete', 'delete across lines', 'delete block'])
export const UNDOING = new Set(['undo', 'redo'])

/** Which of the lines there are a step means. */
export function blockOf(editor, { line }) {
  return Math.floor(line * editor.blocks.length)
}

export function doStep(editor, book, step) {
  const { blocks } = editor
  const block = blockOf(editor, step)
  const at = Math.round(step.offset * blocks[block].size)
  const last = Math.min(blocks.length - 1, block + (step.more ?? 0))
  switch (step.what) {
    case 'type':
      return editor.type(block, at, book.run(step.count, step.noise))
    case 'form':
      return editor.form(step.form, block, last, at)
    case 'delete':
      return deleteRun(editor, step, block, at)
    case 'delete across lines':
      return deleteAcross(editor, step, block, at)
    case 'delete block':
      return editor.deleteBlock(block)
    case 'undo':
      return editor.undo()
    case 'redo':
      return editor.redo()
    default:
      throw new Error(`no step ${step.what}`)
  }
}

/** Deletes a selection, or letter by letter from its end. */
function deleteRun(editor, { share, each }, block, at) {
  const { size } = editor.blocks[block]
  const start = Math.floor(share * at)
  const end = Math.min(size, Math.max(at, start + 1))
  if (start >= end) return
  if (!each) return editor.deleteBetween([block, start], [block, end])
  for (let place = end; place > start; place -= 1) editor.deleteBetween([block, place - 1], [block, place])
}

function deleteAcross(editor, { share, lines }, block, at) {
  const { blocks } = editor
  const last = Math.min(blocks.length - 1, block + lines)
  if (last > block) editor.deleteBetween([block, at], [last, Math.floor(share * blocks[last].size)])
}
