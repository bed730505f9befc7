/**
 * Undo takes back what its own author did, and nothing that another has written since.
 */
import { ADDED, FIRST, SECOND, START, forEachEditor, withServer } from './support/table.mjs'

withServer()

for (const form of ['heading', 'bullet list', 'quote']) {
  forEachEditor(`Bo takes back his ${form} after Ann has written into it`, {}, async (gathering, ann, bo) => {
    bo.form(form, SECOND)
    await gathering.delivered()
    ann.type(SECOND, ADDED)
    await gathering.delivered()
    bo.editor.undo()
    await gathering.shows(FIRST, START + ADDED)
    bo.editor.redo()
    await gathering.shows(FIRST, START + ADDED)
    await gathering.rescued(0)
  })

  forEachEditor(`Bo takes back his ${form} while Ann, away, writes into it`, {}, async (gathering, ann, bo) => {
    bo.form(form, SECOND)
    await gathering.delivered()
    ann.leave()
    ann.type(SECOND, ADDED)
    bo.editor.undo()
    await gathering.delivered()
    await gathering.back(ann)
    await gathering.shows(FIRST, START + ADDED)
    await gathering.rescued(0)
  })

  forEachEditor(`Bo takes back his ${form} over Ann's carried words`, {}, async (gathering, ann, bo) => {
    ann.leave()
    ann.type(SECOND, ADDED)
    bo.form(form, SECOND)
    await gathering.delivered()
    await gathering.back(ann)
    await gathering.shows(FIRST, START + ADDED)
    bo.editor.undo()
    await gathering.shows(FIRST, START + ADDED)
    await gathering.rescued(0)
  })
}

forEachEditor('Bo takes back a line that Ann has written into', {}, async (gathering, ann, bo) => {
  bo.form('enter', SECOND, { offset: START.length })
  await gathering.delivered()
  ann.type(SECOND + 1, 'words by Ann')
  await gathering.delivered()
  bo.editor.undo()
  await gathering.containsOnce('words by Ann')
})

forEachEditor('Ann takes back carried words: nothing is there twice', {}, async (gathering, ann, bo) => {
  ann.leave()
  ann.type(SECOND, ADDED)
  bo.form('heading', SECOND)
  await gathering.delivered()
  await gathering.back(ann)
  await gathering.shows(FIRST, START + ADDED)
  ann.editor.undo()
  await gathering.containsOnce(START)
  ann.editor.redo()
  await gathering.containsOnce(START)
  await gathering.containsOnce(ADDED)
})
