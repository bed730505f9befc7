/**
 * People around one document, and a witness: a client without an editor that is always there and shows what the server
 * has told everybody.
 */
import { EventEmitter } from 'node:events'
import * as Y from 'yjs'
import { Book, lettersIn } from './letters.mjs'
import { open } from './line.mjs'
import { Person } from './person.mjs'
import { when } from './wait.mjs'

export class Crowd extends EventEmitter {
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
    const gathering = new this(kind, server, name)
    gathering.witness = gathering.bystander('y-websocket')
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
  bystander(provider) {
    const doc = new Y.Doc()
    const root = this.kind.root(doc)
    const connection = open(provider, this.server, this.name, doc)
    connection.line.on('news', () => this.emit('news'))
    return { doc, root, connection, line: connection.line, name: 'witness', state: 'online' }
  }

  /** Waits until these clients have had their first sync, and nothing of theirs is under way. */
  settled(...clients) {
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
    await this.settled(person)
  }

  /** Closes a person's page, when all has been delivered, and opens it again: a new client, with nothing to undo. */
  async reload(person) {
    await this.delivered()
    const place = this.people.indexOf(person)
    person.destroy()
    this.people[place] = this.#newcomer(person.name, person.provider)
    await this.settled(this.people[place])
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
