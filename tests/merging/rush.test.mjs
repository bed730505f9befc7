/**
 * Letters typed while the line changes its form: the moments in which what carries text over is under way itself.
 */
import { BLOCKNOTE } from './support/editors/blocknote.mjs'
import { LEXICAL } from './support/editors/lexical.mjs'
import { TIPTAP } from './support/editors/tiptap.mjs'
import { noLetterIsLost } from './support/property.mjs'
import { rushOf } from './support/scenario.mjs'

const SEEDS = 8

for (const kind of [TIPTAP, BLOCKNOTE, LEXICAL]) noLetterIsLost(kind, SEEDS, rushOf)
