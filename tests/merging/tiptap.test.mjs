import { TIPTAP } from './support/editors/tiptap.mjs'
import { noLetterIsLost } from './support/property.mjs'

noLetterIsLost(TIPTAP, 40)
