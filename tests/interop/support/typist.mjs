/**
 * A stock client that types, and the book of what the server owes it: every edit that another client has received
 * or that was acknowledged must survive.
 *
 * An edit puts one word into the text at a word boundary, and takes one out when the text has become long. Words are
 * unique, so that the text alone shows what became of each edit.
 */
import * as Y from 'yjs'
import { STEP_2, SYNC, SYNC_STATUS, UPDATE, read } from './wire.mjs'

const TEXT_LENGTH_MAX = 4000
const PAUSE_MS_MAX = 8

export class Typist {
  /** Every edit made: `{word, removed, end}`; `end` is the clock of this client's id after it. */
  edits = []
  /** Clock up to which the server has acknowledged this client's edits. */
  acknowledged = 0
  /** How often the server has acknowledged something. */
  answers = 0

  #random
  #timer = null
  /** For each change sent on this connection and not acknowledged: the clock that it reaches. */
  #unanswered = []

  /**
   * @param {(tap: Function) => object} open opens the client with this tap on its socket
   * @param {string} name starts each word, no two typists of a run may have the same
   * @param {import('./random.mjs').Random} random
   */
  constructor(open, name, random) {
    this.name = name
    this.#random = random
    this.client = open((direction, bytes) => this.#watch(direction, bytes))
    this.client.on('open', () => {
      this.#unanswered = []
    })
  }

  /** This client's clock for `typist`: how far it has received the edits of that one. */
  has(typist) {
    return Y.getState(this.client.doc.store, typist.client.doc.clientID)
  }

  start() {
    this.#timer = setTimeout(() => {
      this.edit()
      this.start()
    }, this.#random.fraction() * PAUSE_MS_MAX)
  }

  stop() {
    clearTimeout(this.#timer)
  }

  /** One edit, at a word boundary. */
  edit() {
    const { text, doc } = this.client
    const edit = { word: `${this.name}-${this.edits.length} `, removed: null, end: 0 }
    // In the book before it is made: the frame leaves while the transaction ends.
    this.edits.push(edit)
    doc.transact(() => {
      const now = text.toString()
      if (now.length > TEXT_LENGTH_MAX) {
        const start = wordStart(now, this.#random.between(0, now.length))
        edit.removed = now.slice(start, now.indexOf(' ', start) + 1)
        text.delete(start, edit.removed.length)
      }
      text.insert(wordStart(text.toString(), this.#random.between(0, text.length + 1)), edit.word)
    })
    edit.end = Y.getState(doc.store, doc.clientID)
  }

  #watch(direction, bytes) {
    const frame = read(this.client.kind.dialect, direction, bytes)
    const isChange = frame.type === SYNC && (frame.subType === STEP_2 || frame.subType === UPDATE)
    if (this.client.kind.dialect === 'hocuspocus') {
      if (direction === 'out' && isChange) this.#unanswered.push(this.#reaches(frame.payload))
      if (direction === 'in' && frame.type === SYNC_STATUS && frame.status === 1) this.#acknowledge(this.#unanswered.shift())
    } else if (direction === 'in' && isChange && frame.subType === UPDATE) {
      this.#acknowledge(this.#reaches(frame.payload))
    }
  }

  #acknowledge(clock) {
    this.acknowledged = Math.max(this.acknowledged, clock)
    this.answers += 1
  }

  /** The clock of our own id that an update reaches; 0 if it has nothing of ours. */
  #reaches(update) {
    const own = Y.decodeUpdate(update).structs.filter((struct) => struct.id.client === this.client.doc.clientID)
    return Math.max(0, ...own.map((struct) => struct.id.clock + struct.length))
  }
}

/** Where the word at or before `index` starts; the end of the text is a start, too. */
function wordStart(text, index) {
  return index >= text.length ? text.length : text.lastIndexOf(' ', index - 1) + 1
}

/** What the server owes after these typists have worked, as far as each of them knows when this is called. */
export class Debts {
  constructor(typists) {
    this.typists = typists
    this.acknowledged = typists.flatMap((typist) => typist.edits.filter((edit) => edit.end <= typist.acknowledged))
    this.received = typists.flatMap((typist) => {
      const reached = Math.max(...typists.filter((other) => other !== typist).map((other) => other.has(typist)))
      return typist.edits.filter((edit) => edit.end <= reached)
    })
    this.all = new Set([...this.acknowledged, ...this.received])
  }

  /** The edits that are owed and that `text` does not show. */
  missing(text) {
    const words = new Set(text.split(/(?<= )/))
    // A removal that nobody is owed may have arrived all the same, one made offline later on included.
    const mayBeGone = new Set(this.typists.flatMap((typist) => typist.edits.map((edit) => edit.removed)))
    return [...this.all].filter(({ word, removed }) =>
      (!words.has(word) && !mayBeGone.has(word)) || (removed !== null && words.has(removed)))
  }
}
