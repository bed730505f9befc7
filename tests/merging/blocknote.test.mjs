import { BLOCKNOTE } from './support/editors/blocknote.mjs'
import { noLetterIsLost } from './support/property.mjs'

noLetterIsLost(BLOCKNOTE, 20)
