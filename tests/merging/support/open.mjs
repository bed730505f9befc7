/** What does not hold yet: cases by name, in `open.txt`. They are skipped and counted, unless `OPEN=1` plays them. */
import { readFileSync } from 'node:fs'

const REASON = 'open: docs/merging.md, "What it does not do"'
const text = readFileSync(new URL('open.txt', import.meta.url), 'utf8')
const open = new Set(text.split('\n').filter((line) => line !== ''))

/** Options for a test of this name. */
export function unlessOpen(name) {
  return !process.env.OPEN && open.has(name) ? { skip: REASON } : {}
}
