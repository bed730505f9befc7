/**
 * A document as the server has it, without a client that would change anything.
 */
import * as Y from 'yjs'

export async function stored(server, name) {
  const response = await fetch(`${server.http}/api/v1/documents/${encodeURIComponent(name)}/content?format=update`)
  if (!response.ok) throw new Error(`content of ${name}: ${response.status}`)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, new Uint8Array(await response.arrayBuffer()))
  return doc
}
