/**
 * Letters that exist once: whoever types takes the next one, so that the text alone shows what became of each.
 *
 * The book keeps for each letter who typed it and whether somebody deleted it on purpose. What a person's command of
 * form takes away is not on purpose; what an undo takes away is so only where the person typed it.
 */
import * as Y from 'yjs'

const FIRST = 0x4e00
const LAST = 0x9fff

/** What stands between the letters of a run where the scenario wants text with repetitions in it. */
const NOISE = ['', '', ' ', 'e', ' the ', ' of ']

export function isLetter(character) {
  const code = character.charCodeAt(0)
  return code >= FIRST && code <= LAST
}

/** The letters of a text, in their order. */
export function lettersIn(text) {
  return [...text].filter(isLetter)
}

/** All text of a shared type, in the order of the document. Works for each editor's shape. */
export function textOf(type) {
  if (type instanceof Y.Text)
    return type
      .toDelta()
      .map(({ insert }) => textOfInsert(insert))
      .join('')
  if (type instanceof Y.XmlFragment) return type.toArray().map(textOf).join('')
  return ''
}

function textOfInsert(insert) {
  return typeof insert === 'string' ? insert : textOf(insert)
}

export class Book {
  #next = FIRST
  #authors = new Map()
  #deleted = new Map()

  /** A run of new letters, with words between them where `noise` (below 1, or null) says so. */
  run(count, noise = null) {
    const letters = Array.from({ length: count }, () => String.fromCharCode(this.#next++))
    if (noise === null) return letters.join('')
    return letters.map((letter, index) => letter + NOISE[Math.floor(noise * 7919 + index * 31) % NOISE.length]).join('')
  }

  /** Keeps that these letters stand in their author's editor now. */
  typed(author, letters) {
    for (const letter of letters) this.#authors.set(letter, author)
  }

  /** Keeps that these letters were deleted on purpose. */
  deleted(by, letters) {
    for (const letter of letters) this.#deleted.set(letter, by)
  }

  author(letter) {
    return this.#authors.get(letter)
  }

  /** Letters that must be found again. */
  get live() {
    return [...this.#authors.keys()].filter((letter) => !this.#deleted.has(letter))
  }

  /** Letters of a text that somebody deleted on purpose. */
  returned(text) {
    return lettersIn(text).filter((letter) => this.#deleted.has(letter))
  }

  /**
   * What is wrong with what there is.
   * @param {string} text of the document
   * @param {string[]} rescued texts beside the document
   */
  faults(text, rescued) {
    const inText = count(lettersIn(text))
    const beside = count(rescued.flatMap(lettersIn))
    const here = (letter) => inText.get(letter) ?? 0
    const there = (letter) => beside.get(letter) ?? 0
    const all = [...new Set([...inText.keys(), ...beside.keys()])]
    return {
      missing: this.live.filter((letter) => here(letter) + there(letter) === 0),
      doubled: all.filter((letter) => here(letter) > 1 || there(letter) > 1),
      both: all.filter((letter) => here(letter) === 1 && there(letter) === 1),
    }
  }
}

function count(letters) {
  const counts = new Map()
  for (const letter of letters) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  return counts
}

export function hasFaults({ missing, doubled, both }) {
  return missing.length + doubled.length + both.length > 0
}
