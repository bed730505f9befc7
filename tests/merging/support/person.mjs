/**
 * One person: a document, an editor on it, a line to the server; and what the book of letters has to know of each step.
 */
import * as Y from 'yjs'
import { lettersIn, textOf } from './letters.mjs'
import { open } from './line.mjs'
import { DELETIONS, UNDOING, blockOf, doStep } from './steps.mjs'

export class Person {
  /** `online`, `held` (the line is slow) or `offline`. */
  state = 'online'
  /** What is going on here, for the story of a letter's end. */
  #doing = null
  /** Whether the editor has thrown. */
  broken = false
  #seen = new Set()
  /** For each letter that went away here: by what. */
  losses = new Map()

  constructor(kind, server, document, name, provider, book) {
    this.name = name
    this.provider = provider
    this.book = book
    this.doc = new Y.Doc()
    this.root = kind.root(this.doc)
    this.connection = open(provider, server, document, this.doc)
    this.line = this.connection.line
    this.doc.on('afterTransaction', (transaction) => this.#watch(transaction))
    // As in most products, the editor is there before the document is.
    this.editor = kind.open(this.doc, this.connection.provider)
    this.undoManager = this.editor.undoManager
  }

  /** Where the binding has failed to show what the document holds, or null. */
  stale = null

  get letters() {
    return lettersIn(textOf(this.root))
  }

  /** What is shown, line by line; empty lines at the end do not count. */
  get lines() {
    const lines = this.editor.blocks.map(({ text }) => text)
    while (lines.at(-1) === '') lines.pop()
    return lines
  }

  /** Types at a place of a line; after its last letter where no place is named. */
  type(line, text, offset = this.editor.blocks[line].size) {
    this.undoManager.stopCapturing()
    this.editor.type(line, offset, text)
  }

  /** Gives a line another form, or those from it to another; `offset` is where Enter is pressed. */
  form(name, line, { last = line, offset = 0 } = {}) {
    this.undoManager.stopCapturing()
    this.editor.form(name, line, last, offset)
  }

  /** Does one step in the editor and keeps in the book what it meant. Says what happened, for the story. */
  act(step) {
    const before = lettersIn(this.editor.text)
    if (sorted(before) !== sorted(this.letters)) this.stale ??= `${this.name} before ${step.form ?? step.what}`
    const told = this.#told(step)
    if (step.pause) this.undoManager.stopCapturing()
    this.#doing = `${this.name}'s ${step.form ?? step.what}`
    const threw = this.#attempt(step)
    const after = lettersIn(this.editor.text)
    const gone = without(before, after)
    const fresh = without(after, before)
    if (step.what === 'type') this.book.typed(this.name, fresh)
    this.book.deleted(
      this.name,
      gone.filter((letter) => this.#onPurpose(step, letter)),
    )
    return told + listed(' +', fresh) + listed(' −', gone) + threw
  }

  /** An editor that throws goes on, as in a page; what it shows from then on is its own affair. */
  #attempt(step) {
    this.#doing = `${this.name}'s ${step.form ?? step.what}`
    try {
      doStep(this.editor, this.book, step)
      return ''
    } catch (error) {
      this.broken = true
      return ` (the editor threw: ${error.message})`
    } finally {
      this.#doing = null
    }
  }

  /** A form command that loses letters in its own editor is that editor's matter: the server sees deletions only. */
  #onPurpose({ what }, letter) {
    if (UNDOING.has(what)) return this.book.author(letter) === this.name
    return DELETIONS.has(what) || what === 'form'
  }

  #told(step) {
    const block = blockOf(this.editor, step)
    const text = this.editor.blocks[block]?.text ?? ''
    const where = UNDOING.has(step.what) ? '' : ` in line ${block + 1} “${text}”`
    return `${this.name} (${this.state}): ${step.form ?? step.what}${where}`
  }

  /** Keeps which transaction took a letter away here. */
  #watch({ origin, deleteSet }) {
    if (deleteSet.clients.size === 0) {
      for (const letter of this.letters) this.#seen.add(letter)
      return
    }
    const now = new Set(this.letters)
    const by = this.#doing ?? (origin === this.connection.provider ? 'what arrived' : "the binding's own repair")
    for (const letter of this.#seen) if (!now.has(letter)) this.losses.set(letter, by)
    this.#seen = now
  }

  leave() {
    this.line.cut()
    this.connection.disconnect()
    this.state = 'offline'
  }

  hold() {
    this.line.hold()
    this.state = 'held'
  }

  async release() {
    await this.line.release()
    this.state = 'online'
  }

  destroy() {
    this.editor?.destroy()
    this.connection.destroy()
    this.doc.destroy()
  }
}

function sorted(letters) {
  return [...letters].sort().join('')
}

function without(letters, others) {
  const known = new Set(others)
  return letters.filter((letter) => !known.has(letter))
}

function listed(sign, letters) {
  return letters.length > 0 ? sign + letters.join('') : ''
}
