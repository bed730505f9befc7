/**
 * The texts that the server keeps beside a document, as its API gives them.
 */
function address(server, name, rest = '') {
  return `${server.http}/api/v1/documents/${encodeURIComponent(name)}/rescued${rest}`
}

async function call(method, url) {
  const response = await fetch(url, { method })
  if (!response.ok && response.status !== 404)
    throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
  return response
}

/** Entries `{id, at_ms, author|connection, text, reason}`; none from a server that knows no rescued texts. */
export async function rescued(server, name) {
  const response = await call('GET', address(server, name))
  const body = await response.text()
  return response.ok ? JSON.parse(body).rescued : []
}

export async function rescuedTexts(server, name) {
  return (await rescued(server, name)).map(({ text }) => text)
}

export async function restore(server, name, id) {
  return (await call('POST', address(server, name, `/${id}/restore`))).status
}

export async function discard(server, name, id) {
  return (await call('DELETE', address(server, name, `/${id}`))).status
}
