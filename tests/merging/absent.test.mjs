/**
 * More than one change, more than one person, a server that dies, and lines that are gone on purpose.
 */
import assert from 'node:assert/strict'
import { discard, restore } from './support/rescued.mjs'
import { ADDED, FIRST, SECOND, START, forEachEditor, withServer } from './support/table.mjs'

const CHAIN = ['heading', 'bullet list', 'quote']

withServer()

forEachEditor('a chain of forms while Ann is away', {}, async (gathering, ann, bo) => {
  ann.leave()
  ann.type(SECOND, ADDED)
  for (const form of CHAIN) {
    bo.form(form, SECOND)
    await gathering.delivered()
  }
  await gathering.back(ann)
  await gathering.shows(FIRST, START + ADDED)
  await gathering.rescued(0)
})

forEachEditor(
  'a chain of forms by two people while Ann is away',
  { people: ['Ann', 'Bo', 'Cy'] },
  async (gathering, ann, bo, cy) => {
    ann.leave()
    ann.type(SECOND, ADDED)
    for (const [index, form] of CHAIN.entries()) {
      ;[bo, cy][index % 2].form(form, SECOND)
      await gathering.delivered()
    }
    await gathering.back(ann)
    await gathering.shows(FIRST, START + ADDED)
  },
)

forEachEditor('a chain of forms by somebody who is away himself', {}, async (gathering, ann, bo) => {
  bo.leave()
  for (const form of CHAIN) bo.form(form, SECOND)
  ann.type(SECOND, ADDED)
  await gathering.delivered()
  await gathering.back(bo)
  await gathering.shows(FIRST, START + ADDED)
  await gathering.rescued(0)
})

forEachEditor(
  'Ann, away, writes in a line and then gives it a form, while Bo deletes it',
  {},
  async (gathering, ann, bo) => {
    ann.leave()
    ann.type(SECOND, ADDED)
    ann.form('heading', SECOND)
    bo.editor.deleteBlock(SECOND)
    await gathering.delivered()
    await gathering.back(ann)
    await gathering.keepsOnce(ADDED)
  },
)

forEachEditor('a line break by Bo, and words by Ann', { needs: ['line break'] }, async (gathering, ann, bo) => {
  ann.leave()
  ann.type(SECOND, ADDED)
  bo.form('line break', SECOND, { offset: START.length })
  bo.form('heading', SECOND)
  await gathering.delivered()
  await gathering.back(ann)
  await gathering.containsOnce(ADDED)
})

forEachEditor('two absent people in one line', { people: ['Ann', 'Bo', 'Cy'] }, async (gathering, ann, bo, cy) => {
  ann.leave()
  cy.leave()
  ann.type(SECOND, ADDED)
  cy.type(SECOND, 'Cy: ', 0)
  bo.form('heading', SECOND)
  await gathering.delivered()
  await gathering.back(ann)
  await gathering.back(cy)
  await gathering.shows(FIRST, `Cy: ${START}${ADDED}`)
  await gathering.rescued(0)
})

forEachEditor('an absent person has given the line a form and words', {}, async (gathering, ann, bo) => {
  ann.leave()
  ann.form('quote', SECOND)
  ann.type(SECOND, ADDED)
  bo.type(SECOND, 'Bo: ', 0)
  await gathering.delivered()
  await gathering.back(ann)
  await gathering.shows(FIRST, `Bo: ${START}${ADDED}`)
})

forEachEditor('kill -9 between the form and the words', {}, async (gathering, ann, bo) => {
  ann.leave()
  ann.type(SECOND, ADDED)
  bo.form('heading', SECOND)
  await gathering.delivered()
  await gathering.crash()
  await gathering.back(ann)
  await gathering.shows(FIRST, START + ADDED)
  await gathering.crash()
  await gathering.shows(FIRST, START + ADDED)
  await gathering.rescued(0)
})

for (const list of ['ordered list', 'task list']) {
  const setting = { begin: 'bullet list', more: ['After the list'] }
  forEachEditor(`Ann, away, adds an item to a list that Bo makes a ${list}`, setting, async (gathering, ann, bo) => {
    ann.leave()
    ann.form('enter', SECOND, { offset: START.length })
    ann.type(SECOND + 1, 'an item by Ann')
    bo.form(list, 0, { last: SECOND })
    await gathering.delivered()
    await gathering.back(ann)
    await gathering.shows(FIRST, START, 'an item by Ann', 'After the list')
    await gathering.rescued(0)
  })
}

forEachEditor('Bo deletes all there is while Ann, away, writes in two lines', {}, async (gathering, ann, bo) => {
  ann.leave()
  ann.type(0, ' and more')
  ann.type(SECOND, ADDED)
  bo.editor.deleteBetween([0, 0], [SECOND, START.length])
  await gathering.delivered()
  await gathering.back(ann)
  await gathering.keepsOnce(' and more')
  await gathering.keepsOnce(ADDED)
})

forEachEditor('Bo cuts the line and pastes it later, above', {}, async (gathering, ann, bo) => {
  ann.leave()
  ann.type(SECOND, ADDED)
  bo.editor.deleteBlock(SECOND)
  await gathering.delivered()
  bo.form('enter', 0)
  bo.editor.type(0, 0, START)
  await gathering.delivered()
  await gathering.back(ann)
  await gathering.keepsOnce(ADDED)
})

async function deletedMeanwhile(gathering, ann, bo) {
  ann.leave()
  ann.type(SECOND, ADDED)
  bo.editor.deleteBlock(SECOND)
  await gathering.delivered()
  await gathering.back(ann)
  const [entry] = await gathering.rescued(1)
  assert.equal(entry.text.trim(), ADDED.trim())
  assert.ok(entry.author ?? entry.connection, 'it says whose words they are')
  assert.ok(Math.abs(Date.now() - entry.at_ms) < 60_000, 'it says when')
  assert.ok(entry.reason, 'it says why')
  await gathering.shows(FIRST)
  return entry
}

forEachEditor('a line deleted meanwhile: the words are rescued, and put back once', {}, async (gathering, ann, bo) => {
  const { id } = await deletedMeanwhile(gathering, ann, bo)
  const status = await restore(gathering.server, gathering.name, id)
  assert.ok(status >= 200 && status < 300, `restore answered ${status}`)
  await gathering.rescued(0)
  await gathering.containsOnce(ADDED)
  const again = await restore(gathering.server, gathering.name, id)
  assert.ok(again >= 400 && again < 500, `a second restore answered ${again}`)
  await gathering.containsOnce(ADDED)
})

forEachEditor('a line deleted meanwhile: the rescued words can be thrown away', {}, async (gathering, ann, bo) => {
  const { id } = await deletedMeanwhile(gathering, ann, bo)
  const status = await discard(gathering.server, gathering.name, id)
  assert.ok(status >= 200 && status < 300, `DELETE answered ${status}`)
  await gathering.rescued(0)
  await gathering.shows(FIRST)
})

forEachEditor('a line deleted meanwhile: rescued words outlive kill -9, once', {}, async (gathering, ann, bo) => {
  const { id } = await deletedMeanwhile(gathering, ann, bo)
  await gathering.crash()
  const [entry] = await gathering.rescued(1)
  assert.equal(entry.id, id)
})
