import { writingTogether } from './support/together.mjs'

writingTogether('y-sweet')
