/**
 * Who may only read is shown what others write, and is seen by them, but never writes into their windows.
 */
import { after, before, test } from 'node:test'
import { Server } from '../interop/support/server.mjs'
import { Pages } from './support/pages.mjs'
import { Secret } from './support/tokens.mjs'
import { ANN, BO, EDITORS, Window, startBrowser } from './support/windows.mjs'

/** What Ann's page says about her; her token knows better. */
const PRETENDED = { name: 'Bo himself', color: BO.color }

let secret, server, pages, browser, ann, bo, tokens

before(async () => {
  secret = await Secret.create()
  const [reader, writer, product] = await Promise.all([
    secret.token('read', ANN),
    secret.token('write', BO),
    secret.token('admin'),
  ])
  tokens = { reader, writer }
  server = await Server.start({ COSCRIBE_AUTH_SECRET_FILES: secret.file })
  ;[browser, pages] = await Promise.all([startBrowser(), Pages.start(server.host, product)])
  ;[ann, bo] = await Promise.all([Window.open(browser, PRETENDED), Window.open(browser, BO)])
})

after(async () => {
  await Promise.all([ann.close(), bo.close()])
  await browser.close()
  await pages.dispose()
  await server.dispose()
  await secret.dispose()
})

/** What each page gives to its provider, and how the others see Ann: y-sweet's tokens say nothing about names. */
const CASES = [
  { provider: 'y-websocket', asReader: byToken('reader'), asWriter: byToken('writer'), shown: ANN.name },
  { provider: 'hocuspocus', asReader: byToken('reader'), asWriter: byToken('writer'), shown: ANN.name },
  { provider: 'y-sweet', asReader: () => ({ level: 'read-only' }), asWriter: () => ({}), shown: PRETENDED.name },
]

/** The tokens are made after the tests have been declared. */
function byToken(role) {
  return () => ({ token: tokens[role] })
}

for (const { provider, asReader, asWriter, shown } of CASES) {
  for (const editor of Object.keys(EDITORS)) {
    test(`what a reader types in ${editor} through ${provider} reaches nobody`, async () => {
      const query = { editor, provider, server: server.host, document: `${provider}-${editor}` }
      await Promise.all([
        ann.show(pages.origin, { ...query, ...asReader() }),
        bo.show(pages.origin, { ...query, ...asWriter() }),
      ])
      await bo.goToStart()
      await bo.type('Bo wrote')
      await ann.expectLines('Bo wrote')
      await ann.goToStart()
      await bo.expectCarets(shown)
      const atStart = await bo.caretLeft()
      await ann.type('Ann and ')
      await ann.expectLines('Ann and Bo wrote')
      // The caret follows what was typed on the same way; when it is there, the typing has been dealt with.
      await ann.press('End')
      await bo.expectCaret('right', atStart)
      await bo.type(' on')
      await ann.expectLines('Ann and Bo wrote on')
      await bo.expectLines('Bo wrote on')
      // And nothing has been kept of it.
      await Promise.all([ann.reload(), bo.reload()])
      for (const window of [ann, bo]) await window.expectLines('Bo wrote on')
    })
  }
}
