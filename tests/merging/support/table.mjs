/**
 * The two lines of the table's cases, and who does what to the second of them.
 */
import { after, before, test } from 'node:test'
import { Server } from '../../interop/support/server.mjs'
import { BLOCKNOTE } from './editors/blocknote.mjs'
import { LEXICAL } from './editors/lexical.mjs'
import { TIPTAP } from './editors/tiptap.mjs'
import { Gathering } from './gathering.mjs'
import { PROVIDERS } from './line.mjs'
import { unlessOpen } from './open.mjs'

export const FIRST = 'First line'
export const START = 'Start of the sentence'
/** A third line, where a test asks for one: an editor may use the last line of a note again for another. */
export const LAST = 'Last line'
export const ADDED = ', three hundred words by Ann'
/** The line of `START`. */
export const SECOND = 1

const KINDS = [TIPTAP, BLOCKNOTE, LEXICAL]

/** What becomes of the two lines when the second gets another form; `text` is what the second says. */
const stays = (text) => [FIRST, text]
const SPLIT_AT = 'Start'.length

/** A change of the form of the second line: by which command, in which lines, and what is seen then. */
export const CHANGES = [
  { form: 'heading', lines: stays },
  { form: 'bullet list', lines: stays },
  { form: 'ordered list', lines: stays },
  { form: 'task list', lines: stays },
  { form: 'quote', lines: stays },
  { form: 'code', lines: stays },
  { form: 'paragraph', begin: 'heading', lines: stays },
  { form: 'indent', begin: 'bullet list', lines: stays },
  { form: 'outdent', begin: 'bullet list', lines: stays },
  { form: 'join with the line before', lines: (text) => [FIRST + text] },
  { form: 'join with the line after', line: 0, lines: (text) => [FIRST + text] },
  { form: 'move up', lines: (text) => [text, FIRST] },
  { form: 'move down', line: 0, lines: (text) => [text, FIRST] },
  { form: 'enter', offset: SPLIT_AT, lines: (text) => [FIRST, text.slice(0, SPLIT_AT), text.slice(SPLIT_AT)] },
]

/** Does the change, as this person. */
export function change(person, { form, line = SECOND, offset }) {
  person.form(form, line, { offset })
}

/**
 * Declares a test for each editor: `body(gathering, ann, bo, cy)`.
 * @param {{ people?: string[], begin?: string, needs?: string[], more?: string[] }} setting `begin` is the form of both
 * lines at the start, `needs` the commands without which the test makes no sense, `more` further lines
 */
export function forEachEditor(name, { people = ['Ann', 'Bo'], begin, needs = [], more = [] }, body) {
  for (const [index, kind] of KINDS.entries()) {
    if (!needs.every((form) => kind.forms.includes(form))) continue
    test(`${kind.name}: ${name}`, unlessOpen(`${kind.name}: ${name}`), async () => {
      const write = (first) => begin && first.form(begin, 0, { last: SECOND })
      const providers = people.map((_, place) => PROVIDERS[(index + place) % PROVIDERS.length])
      const setting = { people, providers, lines: [FIRST, START, ...more], write }
      const gathering = await Gathering.open(kind, server, `${kind.name} ${name}`.slice(0, 100), setting)
      try {
        await body(gathering, ...gathering.people)
      } finally {
        gathering.dispose()
      }
    })
  }
}

let server

/** Starts the server that all tests of a file talk to. */
export function withServer() {
  before(async () => {
    console.warn = () => {}
    server = await Server.start()
  })
  after(() => server.dispose())
}
