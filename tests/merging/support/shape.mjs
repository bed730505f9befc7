/**
 * A shared document as one line, for the message of a test that fails.
 */
import * as Y from 'yjs'

export function shape(type) {
  if (type instanceof Y.XmlElement) return `<${type.nodeName}>${type.toArray().map(shape).join('')}</>`
  if (type instanceof Y.XmlText)
    return lexicalName(
      type,
      type
        .toDelta()
        .map(({ insert }) => shapeOfInsert(insert))
        .join(''),
    )
  if (type instanceof Y.XmlFragment) return type.toArray().map(shape).join('')
  return ''
}

function shapeOfInsert(insert) {
  return typeof insert === 'string' ? insert : shape(insert)
}

/** Lexical's elements are texts with attributes; what it embeds in them are texts or maps. */
function lexicalName(type, content) {
  const name = type.getAttribute('__type')
  return name === undefined ? content : `<${name}>${content}</>`
}
