/**
 * What random scenarios have found, in its shortest form: a seed that failed once stays as a test with a name.
 *
 * Ann, Bo and Cy do what stands in a row at the same moment, or one after the other where `DELIVER` stands between.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Server } from '../interop/support/server.mjs'
import { BLOCKNOTE } from './support/editors/blocknote.mjs'
import { LEXICAL } from './support/editors/lexical.mjs'
import { TIPTAP } from './support/editors/tiptap.mjs'
import { play } from './support/play.mjs'
import { unlessOpen } from './support/open.mjs'

const [ANN, BO, CY] = [0, 1, 2]
/** Whether two updates meet in one batch is a matter of luck: each case is played more than once. */
const PLAYS = 2
const DELIVER = { what: 'deliver' }
/** Places, as shares of the lines there are and of a line's length. */
const [FIRST_OF_TWO, SECOND_OF_TWO] = [0.25, 0.75]
const [START, END] = [0, 1]

const does = (who, what, { line = FIRST_OF_TWO, offset = END, ...more } = {}) => {
  return { who, what, line, offset, pause: true, ...more }
}
const type = (who, count, place) => does(who, 'type', { count, noise: null, ...place })
const form = (who, name, place) => does(who, 'form', { form: name, ...place })

/** Name: lines at the start (how many letters each has), steps. */
const FOUND = {
  'Enter at the start of a line, and a letter in it': [[2], [form(ANN, 'enter', { offset: START }), type(BO, 1)]],
  'a heading with a letter at its start, and a line break with letters before the line': [
    [2],
    [
      form(BO, 'heading'),
      type(BO, 1, { offset: START }),
      form(ANN, 'line break', { offset: START }),
      type(ANN, 5, { offset: START }),
    ],
  ],
  'a letter is deleted while its line becomes a list, and comes back by undo': [
    [5],
    [form(ANN, 'bullet list'), does(CY, 'delete', { offset: 0.6, share: 0.9, each: false }), does(CY, 'undo')],
  ],
  'letters are typed, taken back and typed again by redo while a line moves': [
    [2, 2],
    [type(BO, 4, { line: SECOND_OF_TWO }), form(ANN, 'move down'), does(BO, 'undo'), does(BO, 'redo')],
  ],
  'on a slow line: a letter and then a heading, in a line that another deletes': [
    [1, 0],
    [does(ANN, 'hold'), type(ANN, 1), does(BO, 'delete block'), DELIVER, form(ANN, 'heading')],
  ],
  'one deletes from line to line and takes it back, the other gives the line a form': [
    [2, 3],
    [does(BO, 'delete across lines', { offset: 0.5, share: 0.4, lines: 1 }), form(ANN, 'heading'), does(BO, 'undo')],
  ],
  'a line becomes a list while another joins the next one to it and types': [
    [0, 1],
    [form(BO, 'bullet list', { more: 1 }), form(ANN, 'join with the line after'), type(ANN, 1)],
  ],
  'all letters of a line are deleted while another types in it': [
    [2],
    [does(ANN, 'delete', { offset: END, share: 0, each: false }), type(CY, 1)],
  ],
  'a line is deleted and brought back while it becomes a heading': [
    [2],
    [does(CY, 'delete block'), form(ANN, 'heading'), does(CY, 'undo')],
  ],
  'a line gets two forms one after the other while a letter is typed in it': [
    [2],
    [type(CY, 1), form(ANN, 'quote'), form(ANN, 'heading')],
  ],
  'the only line is deleted, and its place gets two forms, while a letter is typed in it': [
    [5],
    [does(ANN, 'delete block'), type(CY, 1), form(ANN, 'heading'), form(ANN, 'quote')],
  ],
  'one types in another line first, then both give the line the same form': [
    [2, 2],
    [type(CY, 1), form(BO, 'heading', { line: SECOND_OF_TWO }), form(CY, 'heading', { line: SECOND_OF_TWO })],
  ],
  'one types in the line and gives it a form, while another gives it another form': [
    [2],
    [type(ANN, 1), form(CY, 'quote'), form(ANN, 'bullet list')],
  ],
  'one moves a line in which he has typed, another moves it as well': [
    [2, 2],
    [
      type(ANN, 1, { line: SECOND_OF_TWO }),
      form(ANN, 'move up', { line: SECOND_OF_TWO }),
      form(BO, 'move up', { line: SECOND_OF_TWO }),
    ],
  ],
  'a line break at the start of a line, while another makes it a quote': [
    [5],
    [form(CY, 'quote'), form(BO, 'line break', { offset: START })],
  ],
  'in quiet: a list, a heading by another, and the list taken back': [
    [2],
    [form(BO, 'bullet list'), DELIVER, form(CY, 'heading'), DELIVER, does(BO, 'undo'), DELIVER],
  ],
  'in quiet: a quote, a letter by another, and the quote taken back': [
    [2],
    [form(BO, 'quote'), DELIVER, type(ANN, 1), DELIVER, does(BO, 'undo'), DELIVER],
  ],
  'in quiet: a form, taken back, a letter by another, and the form again by redo': [
    [2],
    [form(BO, 'quote'), does(BO, 'undo'), DELIVER, type(CY, 1), DELIVER, does(BO, 'redo'), DELIVER],
  ],
  'one moves a line up, another quotes the line it passes, and a third types there': [
    [2, 2],
    [form(BO, 'move up', { line: SECOND_OF_TWO }), form(ANN, 'quote'), type(CY, 1)],
  ],
}

let server

before(async () => {
  console.warn = () => {}
  console.error = () => {}
  server = await Server.start()
})
after(() => server.dispose())

for (const kind of [TIPTAP, BLOCKNOTE, LEXICAL]) {
  for (const [name, [lines, steps]] of Object.entries(FOUND)) {
    if (!steps.every((step) => step.form === undefined || kind.forms.includes(step.form))) continue
    test(`${kind.name}: ${name}`, unlessOpen(`${kind.name}: ${name}`), async () => {
      const people = ['Ann', 'Bo', 'Cy']
      const providers = ['hocuspocus', 'y-websocket', 'hocuspocus']
      const scenario = { seed: name, people, providers, lines, noise: null, start: [], steps }
      for (let count = 0; count < PLAYS; count += 1) {
        const result = await play(kind, server, scenario)
        assert.ok(!result.failed, result.story.join('\n'))
      }
    })
  }
}
