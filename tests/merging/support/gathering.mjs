/**
 * People around one document, and a witness: a client without an editor that is always there and shows what the server
 * has told everybody.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import * as Y from 'yjs'
import { Book, hasFaults, lettersIn, textOf } from './letters.mjs'
import { open } from './line.mjs'
import { Person } from './person.mjs'
import { rescued, rescuedTexts } from './rescued.mjs'
import { when } from './wait.mjs'

/** How long letters may take until they stand where they belong, once nobody does anything any more. */
const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 5000)
/** Rescued texts are told by no event: they are looked for this often, and after each piece of news. */
const LOOK_AGAIN_MS = 25

export class Gathering extends EventEmitter {
  book = new Book()
  people = []

  constructor(kind, server, name) {
    super()
    this.setMaxListeners(0)
    this.kind = kind
    this.server = server
    this.name = name
  }

  /** Opens a document: the first person writes the lines, the others come when they are there. */
  static async open(kind, server, name, { people, providers, lines, write }) {
    const gathering = new Gathering(kind, server, name)
    gathering.witness = gathering.#bystander('y-websocket')
    const [first] = people.map((person, index) => gathering.#invite(person, providers[index]))
    await gathering.delivered()
    first.editor.write(lines.map((count) => (typeof count === 'string' ? count : gathering.book.run(count))))
    gathering.book.typed(null, lettersIn(first.editor.text))
    write?.(first)
    first.undoManager.clear()
    await gathering.delivered()
    return gathering
  }

  #invite(name, provider) {
    const person = this.#newcomer(name, provider)
    this.people.push(person)
    return person
  }

  #newcomer(name, provider) {
    const person = new Person(this.kind, this.server, this.name, name, provider, this.book)
    person.line.on('news', () => this.emit('news'))
    return person
  }

  /** A client without an editor. */
  #bystander(provider) {
    const doc = new Y.Doc()
    const root = this.kind.root(doc)
    const connection = open(provider, this.server, this.name, doc)
    connection.line.on('news', () => this.emit('news'))
    return { doc, root, connection, line: connection.line, name: 'witness', state: 'online' }
  }

  #settled(...clients) {
    const all = () => clients.every(({ connection }) => connection.settled())
    return when(`${clients.map(({ name }) => name)} are in sync`, all, this)
  }

  /** Waits until everything that people online have done is with all people online and with the witness. */
  async delivered() {
    const here = [this.witness, ...this.people.filter(({ state }) => state === 'online')]
    const alike = () => here.every(({ connection }) => connection.settled()) && sameState(here.map(({ doc }) => doc))
    await when(`the same document at ${here.map(({ name }) => name).join(', ')}`, alike, this)
  }

  async back(person) {
    if (person.state === 'held') return person.release()
    if (person.state === 'online') return
    await when(`${person.name}'s connection is closed`, () => person.connection.down(), this)
    person.connection.connect()
    person.state = 'online'
    await this.#settled(person)
  }

  /** Closes a person's page, when everything is with the others, and opens it again: a new client, with nothing to undo. */
  async reload(person) {
    await this.delivered()
    const place = this.people.indexOf(person)
    person.destroy()
    this.people[place] = this.#newcomer(person.name, person.provider)
    await this.#settled(this.people[place])
  }

  /** `kill -9`, and the next life; who was there comes back by itself. */
  async crash() {
    const here = [this.witness, ...this.people.filter(({ state }) => state !== 'offline')]
    this.server.kill()
    for (const { line } of here) line.cut()
    for (const { connection } of here) connection.disconnect()
    await this.server.ended
    await this.server.restart()
    for (const client of here) Object.assign(client, { state: 'offline' })
    for (const client of here) await this.back(client)
  }

  /** Everybody comes back; then what is wrong with the letters, once nothing changes for the better any more. */
  async faultsAtTheEnd() {
    for (const person of this.people) await this.back(person)
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      await this.delivered()
      const faults = await this.faults()
      if (!hasFaults(faults) || performance.now() > deadline) return faults
      await Promise.race([once(this, 'news'), pause(LOOK_AGAIN_MS)])
    }
  }

  /** Waits until everybody's editor shows these lines; empty lines at the end do not count. Says what is shown instead. */
  async shows(...lines) {
    await this.#eventually(() => {
      for (const person of this.people) assert.deepEqual(person.lines, lines, `what ${person.name} sees`)
    })
  }

  /** Waits until everybody's editor shows these words, once. */
  async containsOnce(words) {
    await this.#eventually(() => {
      for (const { name, lines } of this.people) {
        assert.equal(lines.join('\n').split(words).length - 1, 1, `“${words}” at ${name}: ${JSON.stringify(lines)}`)
      }
    })
  }

  /** Waits until that many texts are kept beside the document, and gives them back. */
  async rescued(count) {
    let entries
    await this.#eventually(async () => {
      entries = await rescued(this.server, this.name)
      assert.equal(entries.length, count, `rescued: ${JSON.stringify(entries)}`)
    })
    return entries
  }

  /** Tries again after each piece of news and now and then, until the check holds or patience is at its end. */
  async #eventually(check) {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      await this.delivered()
      try {
        return await check()
      } catch (error) {
        if (performance.now() > deadline) throw error
      }
      await Promise.race([once(this, 'news'), pause(LOOK_AGAIN_MS)])
    }
  }

  async faults() {
    const rescued = await rescuedTexts(this.server, this.name)
    return this.book.faults(textOf(this.witness.root), rescued)
  }

  /** Replicas and editors that show something else than what a client gets who has never been here. */
  async strangers() {
    const fresh = this.#bystander('hocuspocus')
    try {
      await this.#settled(fresh)
      const everybody = [fresh, this.witness, ...this.people]
      await when('the same document everywhere', () => sameState(everybody.map(({ doc }) => doc)), this)
      const letters = lettersIn(textOf(fresh.root)).sort().join('')
      const shown = (person) => lettersIn(person.editor.text).sort().join('')
      return this.people.filter((person) => !person.broken && shown(person) !== letters).map(({ name }) => name)
    } finally {
      fresh.connection.destroy()
      fresh.doc.destroy()
    }
  }

  dispose() {
    for (const person of this.people) person.destroy()
    this.witness.connection.destroy()
    this.witness.doc.destroy()
  }
}

/** Whether the documents hold the same, what was deleted included. */
export function sameState([first, ...others]) {
  const snapshot = Y.snapshot(first)
  return others.every((other) => Y.equalSnapshots(snapshot, Y.snapshot(other)))
}
