import { writingTogether } from './support/together.mjs'

writingTogether('hocuspocus')
