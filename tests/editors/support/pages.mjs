/**
 * Serves the bundled pages from an origin of their own, as a team's own product would, and gives out y-sweet's client
 * tokens: the one thing that y-sweet's client asks its product for.
 */
import { DocumentManager } from '@y-sweet/sdk'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../dist/', import.meta.url))
const TYPES = { '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript' }

export class Pages {
  /** Base address, for example `http://127.0.0.1:40123`. */
  origin = ''

  #http = createServer((request, response) => {
    this.#answer(request).then(
      ([headers, body]) => response.writeHead(200, headers).end(body),
      (error) => response.writeHead(500).end(String(error)),
    )
  })
  #documents

  /**
   * @param {string} server host and port of the coscribe server
   * @param {string} [serverToken] what the product shows to it, where it wants a token
   */
  static async start(server, serverToken) {
    const pages = new Pages()
    const login = serverToken === undefined ? '' : `${serverToken}@`
    pages.#documents = new DocumentManager(`ys://${login}${server}`)
    pages.#http.listen(0, '127.0.0.1')
    await once(pages.#http, 'listening')
    pages.origin = `http://127.0.0.1:${pages.#http.address().port}`
    return pages
  }

  async dispose() {
    this.#http.closeAllConnections()
    this.#http.close()
    await once(this.#http, 'close')
  }

  async #answer(request) {
    const { pathname } = new URL(request.url, this.origin)
    const authorization = /^\/y-sweet-auth\/(.+)$/.exec(pathname)?.[1]
    if (authorization !== undefined) {
      const { docId } = JSON.parse(Buffer.concat(await request.toArray()).toString())
      const token = await this.#documents.getOrCreateDocAndToken(docId, { authorization })
      return [{ 'content-type': 'application/json' }, JSON.stringify(token)]
    }
    const file = pathname === '/' ? 'index.html' : pathname
    const headers = { 'content-type': TYPES[extname(file)], 'cache-control': 'max-age=3600' }
    return [headers, await readFile(join(FOLDER, file))]
  }
}
