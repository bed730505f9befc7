import { LEXICAL } from './support/editors/lexical.mjs'
import { noLetterIsLost } from './support/property.mjs'

noLetterIsLost(LEXICAL, 60)
