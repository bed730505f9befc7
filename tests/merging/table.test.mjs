/**
 * Ann adds words to a line while Bo gives that line another form: the words are in the line, once, whoever was away.
 */
import { ADDED, CHANGES, LAST, SECOND, START, change, forEachEditor, withServer } from './support/table.mjs'

withServer()

for (const it of CHANGES) {
  const setting = { begin: it.begin, needs: [it.form] }

  forEachEditor(`Ann is away and writes on, Bo: ${it.form}`, setting, async (gathering, ann, bo) => {
    ann.leave()
    ann.type(SECOND, ADDED)
    change(bo, it)
    await gathering.delivered()
    await gathering.back(ann)
    await gathering.shows(...it.lines(START + ADDED))
    await gathering.rescued(0)
  })

  forEachEditor(
    `Ann is away and writes on, a line is below, Bo: ${it.form}`,
    { ...setting, more: [LAST] },
    async (gathering, ann, bo) => {
      ann.leave()
      ann.type(SECOND, ADDED)
      change(bo, it)
      await gathering.delivered()
      await gathering.back(ann)
      await gathering.shows(...it.lines(START + ADDED), LAST)
      await gathering.rescued(0)
    },
  )

  forEachEditor(`Ann is away and writes inside the line, Bo: ${it.form}`, setting, async (gathering, ann, bo) => {
    ann.leave()
    ann.type(SECOND, ' long', 'Start of the'.length)
    change(bo, it)
    await gathering.delivered()
    await gathering.back(ann)
    await gathering.shows(...it.lines('Start of the long sentence'))
    await gathering.rescued(0)
  })

  forEachEditor(`Ann writes on, Bo is away: ${it.form}`, setting, async (gathering, ann, bo) => {
    bo.leave()
    change(bo, it)
    ann.type(SECOND, ADDED)
    await gathering.delivered()
    await gathering.back(bo)
    await gathering.shows(...it.lines(START + ADDED))
    await gathering.rescued(0)
  })

  forEachEditor(`both are away, Ann writes on, Bo: ${it.form}`, setting, async (gathering, ann, bo) => {
    ann.leave()
    bo.leave()
    ann.type(SECOND, ADDED)
    change(bo, it)
    await gathering.back(ann)
    await gathering.back(bo)
    await gathering.shows(...it.lines(START + ADDED))
    await gathering.rescued(0)
  })

  forEachEditor(`both are there, Ann writes on and Bo at once: ${it.form}`, setting, async (gathering, ann, bo) => {
    change(bo, it)
    ann.type(SECOND, ADDED)
    await gathering.shows(...it.lines(START + ADDED))
    await gathering.rescued(0)
  })
}
