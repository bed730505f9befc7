/**
 * Two people who do the same to one line at once get one line.
 */
import assert from 'node:assert/strict'
import { shape } from './support/shape.mjs'
import { CHANGES, FIRST, SECOND, START, change, forEachEditor, withServer } from './support/table.mjs'

const LISTS = /<(bulletList|orderedList|taskList|list)>/g

withServer()

for (const it of CHANGES) {
  const setting = { begin: it.begin, needs: [it.form] }

  forEachEditor(`both at once: ${it.form}`, setting, async (gathering, ann, bo) => {
    change(ann, it)
    change(bo, it)
    await gathering.shows(...it.lines(START))
    await gathering.rescued(0)
  })

  forEachEditor(`both, away from each other: ${it.form}`, setting, async (gathering, ann, bo) => {
    ann.leave()
    bo.leave()
    change(ann, it)
    change(bo, it)
    await gathering.back(ann)
    await gathering.back(bo)
    await gathering.shows(...it.lines(START))
    await gathering.rescued(0)
  })
}

for (const [one, other] of [
  ['heading', 'quote'],
  ['heading', 'bullet list'],
  ['bullet list', 'ordered list'],
]) {
  forEachEditor(`at once, one makes the line a ${one}, the other a ${other}`, {}, async (gathering, ann, bo) => {
    ann.form(one, SECOND)
    bo.form(other, SECOND)
    await gathering.shows(FIRST, START)
  })
}

for (const list of ['bullet list', 'ordered list', 'task list']) {
  forEachEditor(`both make the same two lines a ${list}: one list`, {}, async (gathering, ann, bo) => {
    ann.form(list, 0, { last: SECOND })
    bo.form(list, 0, { last: SECOND })
    await gathering.shows(FIRST, START)
    assert.ok((shape(gathering.witness.root).match(LISTS) ?? []).length <= 1, shape(gathering.witness.root))
  })
}

forEachEditor('three people at once', { people: ['Ann', 'Bo', 'Cy'] }, async (gathering, ...people) => {
  for (const person of people) person.form('heading', SECOND)
  await gathering.shows(FIRST, START)
})

forEachEditor('both make the line a heading, and one writes on in it', {}, async (gathering, ann, bo) => {
  ann.form('heading', SECOND)
  ann.type(SECOND, ' by Ann')
  bo.form('heading', SECOND)
  await gathering.shows(FIRST, `${START} by Ann`)
})

forEachEditor('both make the line a heading, and both write on in it', {}, async (gathering, ann, bo) => {
  ann.form('heading', SECOND)
  ann.type(SECOND, ' by Ann')
  bo.form('heading', SECOND)
  bo.type(SECOND, 'Bo: ', 0)
  await gathering.shows(FIRST, `Bo: ${START} by Ann`)
})
