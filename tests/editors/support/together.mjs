/**
 * What two people must be able to do in every editor, whatever provider carries it.
 */
import { after, before, describe, test } from 'node:test'
import { Server } from '../../interop/support/server.mjs'
import { Pages } from './pages.mjs'
import { ANN, BO, EDITORS, Window, startBrowser } from './windows.mjs'

/** Declares the tests of all editors through one provider. */
export function writingTogether(provider) {
  let browser, server, pages, ann, bo

  before(async () => {
    server = await Server.start()
    ;[browser, pages] = await Promise.all([startBrowser(), Pages.start(server.host)])
    ;[ann, bo] = await Promise.all([Window.open(browser, ANN), Window.open(browser, BO)])
  })

  after(async () => {
    await Promise.all([ann.close(), bo.close()])
    await browser.close()
    await pages.dispose()
    await server.dispose()
  })

  for (const editor of Object.keys(EDITORS)) {
    describe(`${editor} through ${provider}`, () => {
      let count = 0
      let document

      function showBoth() {
        const query = { editor, provider, server: server.host, document }
        return Promise.all([ann.show(pages.origin, query), bo.show(pages.origin, query)])
      }

      /** A test with a document of its own, open in Ann's window and in Bo's. */
      function together(name, body) {
        test(name, async () => {
          count += 1
          document = `${editor}-${count}`
          await showBoth()
          await body()
        })
      }

      together('what one types appears at the other, at the same time too', async () => {
        await ann.goToStart()
        await ann.type('first\nlast')
        await bo.expectLines('first', 'last')
        await bo.goToStart()
        await Promise.all([ann.type(' by Ann'), bo.type('Bo at ')])
        for (const window of [ann, bo]) await window.expectLines('Bo at first', 'last by Ann')
      })

      if (EDITORS[editor].bold !== undefined) {
        together('bold words are bold once, and for both', async () => {
          await ann.goToStart()
          await ann.type('plain ')
          await ann.press('Control+b')
          await ann.type('bold')
          await ann.press('Control+b')
          await ann.type(' plain')
          for (const window of [bo, ann]) {
            await window.expectLines('plain bold plain')
            await window.expectBold('bold')
          }
        })
      }

      together('undo takes back what its own author wrote, and nothing else', async () => {
        await ann.goToStart()
        await ann.type('start')
        await bo.expectLines('start')
        // Who made a paragraph can take it back with all that is in it, in some editors. Nobody here has made this one.
        await Promise.all([ann.reload(), bo.reload()])
        await bo.goToStart()
        await bo.type('Bo, ')
        await ann.expectLines('Bo, start')
        await ann.goToStart()
        await ann.type('Ann, ')
        await bo.expectLines('Ann, Bo, start')
        // How much one undo takes back depends on how fast the typing was; at most a letter each.
        for (let letter = 0; letter < 'Bo, '.length; letter += 1) await bo.press('Control+z')
        for (const window of [ann, bo]) await window.expectLines('Ann, start')
        for (let letter = 0; letter < 'Ann, '.length; letter += 1) await ann.press('Control+z')
        for (const window of [ann, bo]) await window.expectLines('start')
      })

      together('each sees the name and the caret of the other, until it leaves', async () => {
        await ann.goToStart()
        await ann.type('some words')
        await bo.expectLines('some words')
        await bo.goToStart()
        await ann.expectCarets('Bo')
        await bo.expectCarets('Ann')
        const atEnd = await bo.caretLeft()
        await ann.goToStart()
        await bo.expectCaret('left', atEnd)
        await ann.leave()
        await bo.expectCarets()
      })

      together('a reload keeps the text', async () => {
        await ann.goToStart()
        await ann.type('one\ntwo')
        await bo.expectLines('one', 'two')
        await ann.reload()
        await ann.expectLines('one', 'two')
      })

      together('what the other has seen is there after kill -9', async () => {
        await ann.goToStart()
        await ann.type('before')
        await bo.expectLines('before')
        server.kill()
        await Promise.all([ann.leave(), bo.leave()])
        await server.ended
        await server.restart()
        await showBoth()
        for (const window of [ann, bo]) await window.expectLines('before')
        await bo.goToStart()
        await bo.type('and after, ')
        await ann.expectLines('and after, before')
      })

      together('windows that stay open over kill -9 go on together', async () => {
        await ann.goToStart()
        await ann.type('seen')
        await bo.expectLines('seen')
        server.kill()
        await server.ended
        await ann.type(' unseen')
        await ann.expectLines('seen unseen')
        await server.restart()
        await bo.expectLines('seen unseen')
      })
    })
  }
}
