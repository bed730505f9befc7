/**
 * A Chromium without a screen, and what a person does and sees in an editor's window: real key presses, and the text
 * and carets that are drawn.
 *
 * Nothing here waits for a time; everything waits for something to be so.
 */
import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** How long anything may take before a test is called failed. */
const PATIENCE_MS = 15_000

/** What each editor calls the things that people see. `bold` is missing where there is only plain text. */
export const EDITORS = {
  blocknote: {
    content: '.bn-editor',
    line: '.bn-inline-content',
    bold: 'strong',
    caret: '.bn-collaboration-cursor__base',
    caretName: '.bn-collaboration-cursor__label',
    caretBar: '.bn-collaboration-cursor__caret',
  },
  codemirror: {
    content: '.cm-content',
    line: '.cm-line',
    caret: '.cm-ySelectionCaret',
    caretName: '.cm-ySelectionInfo',
    caretBar: '.cm-ySelectionCaret',
  },
  quill: {
    content: '.ql-editor',
    line: '.ql-editor > p',
    bold: 'strong',
    caret: '.ql-cursor',
    caretName: '.ql-cursor-name',
    caretBar: '.ql-cursor-caret',
  },
  tiptap: {
    content: '.tiptap',
    line: '.tiptap > p',
    bold: 'strong',
    caret: '.collaboration-carets__caret',
    caretName: '.collaboration-carets__label',
    caretBar: '.collaboration-carets__caret',
  },
}

export const ANN = { name: 'Ann', color: '#2f5fc4' }
export const BO = { name: 'Bo', color: '#a8481f' }

/** A headless browser. */
export function startBrowser() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A person's window, in a browser profile of their own. It shows one document after the other. */
export class Window {
  #person
  #context
  #page
  #editor
  #faults = []

  /** @param {{ name: string, color: string }} person */
  static async open(browser, person) {
    const window = new Window()
    window.#person = person
    window.#context = await browser.newContext({ viewport: { width: 800, height: 600 } })
    window.#context.setDefaultTimeout(PATIENCE_MS)
    window.#context.on('weberror', (error) => window.#faults.push(String(error.error())))
    window.#page = await window.#context.newPage()
    return window
  }

  /** Closes it; fails where a script of a page has failed. */
  async close() {
    await this.#context.close()
    assert.deepEqual(this.#faults, [])
  }

  /**
   * Opens a document and waits for the first sync.
   * @param {string} origin where the pages are
   * @param {{ editor: string } & Record<string, string>} query what the page is to show
   */
  async show(origin, query) {
    this.#editor = EDITORS[query.editor]
    await this.#page.goto(`${origin}/?${new URLSearchParams({ ...this.#person, ...query })}`)
    await this.#ready()
  }

  /** Goes away from the document. */
  async leave() {
    await this.#page.goto('about:blank')
  }

  async reload() {
    await this.#page.reload()
    await this.#ready()
  }

  /** Presses the keys of a text one after the other, a line break for each `\n`. */
  async type(text) {
    for (const key of text) await this.#page.keyboard.press(key === '\n' ? 'Enter' : key)
  }

  async press(key) {
    await this.#page.keyboard.press(key)
    await this.#drawn()
  }

  /** Goes to the start of the document. */
  async goToStart() {
    await this.#page.locator(this.#editor.content).focus()
    // ProseMirror puts its own caret back 20 ms after it got the focus, unless the keys have moved it by then. Timers
    // of equal length fire in the order in which they were set, so this one fires after that.
    await this.#page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 20)))
    await this.press('Control+Home')
  }

  /** Waits until the text is exactly these lines; empty lines at its end do not count. */
  async expectLines(...lines) {
    await this.#expect(linesOf, lines)
  }

  /** Waits until exactly these words are bold. */
  async expectBold(...words) {
    await this.#expect(boldOf, words)
  }

  /** Waits until the carets of exactly these people are shown. */
  async expectCarets(...names) {
    await this.#expect(caretsOf, names)
  }

  /** How far the only caret of somebody else is from the left of the window. */
  async caretLeft() {
    const { x } = await this.#page.locator(this.#editor.caretBar).boundingBox()
    return x
  }

  /** Waits until the only caret of somebody else is further left, or further right, than that. */
  async expectCaret(side, left) {
    const isThere = ([selector, wanted, limit]) => {
      const caret = document.querySelector(selector)?.getBoundingClientRect()
      return caret !== undefined && (wanted === 'left' ? caret.left < limit : caret.left > limit)
    }
    await this.#page.waitForFunction(isThere, [this.#editor.caretBar, side, left])
  }

  async #ready() {
    await this.#page.locator('[data-synced]').waitFor()
    await this.#page.locator(this.#editor.content).waitFor()
  }

  /** The browser tells an editor with the next frame where the keys have taken the caret; a test's keys are faster. */
  #drawn() {
    return this.#page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    )
  }

  async #expect(seen, wanted) {
    const look = await this.#page.evaluateHandle(`(${seen})`)
    const isSo = ([look, editor, text]) => JSON.stringify(look(editor)) === text
    try {
      await this.#page.waitForFunction(isSo, [look, this.#editor, JSON.stringify(wanted)])
    } catch (error) {
      // What was seen instead says more than that it took too long.
      assert.deepEqual(await look.evaluate((look, editor) => look(editor), this.#editor), wanted)
      throw error
    }
  }
}

// These run in the page.

function linesOf({ line, caret }) {
  const lines = [...document.querySelectorAll(line)].map((element) => {
    const copy = element.cloneNode(true)
    for (const other of copy.querySelectorAll(caret)) other.remove()
    return copy.textContent
  })
  while (lines.at(-1) === '') lines.pop()
  return lines
}

function boldOf({ content, bold }) {
  return [...document.querySelectorAll(`${content} ${bold}`)].map((element) => element.textContent)
}

function caretsOf({ caretName }) {
  return [...document.querySelectorAll(caretName)].map((element) => element.textContent)
}
