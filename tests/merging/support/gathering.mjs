/**
 * People around one document, and what is to be seen there once everything has calmed down.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Crowd, sameState } from './crowd.mjs'
import { hasFaults, lettersIn, textOf } from './letters.mjs'
import { rescued, rescuedTexts } from './rescued.mjs'
import { when } from './wait.mjs'

/** How long letters may take until they stand where they belong, once nobody does anything any more. */
const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 5000)
/** Rescued texts are told by no event: they are looked for this often, and after each piece of news. */
const LOOK_AGAIN_MS = 25

export class Gathering extends Crowd {
  /** Everybody comes back; then what is wrong with the letters, once nothing changes for the better any more. */
  async faultsAtTheEnd() {
    for (const person of this.people) await this.back(person)
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      await this.delivered()
      const faults = await this.faults()
      if (!hasFaults(faults) || performance.now() > deadline) return faults
      await Promise.race([once(this, 'news'), pause(LOOK_AGAIN_MS)])
    }
  }

  /** Waits until everybody's editor shows these lines; empty lines at the end do not count. */
  async shows(...lines) {
    await this.#eventually(() => {
      for (const person of this.people) assert.deepEqual(person.lines, lines, `what ${person.name} sees`)
    })
  }

  /** Waits until everybody's editor shows these words, once. */
  async containsOnce(words) {
    await this.#eventually(() => {
      for (const { name, lines } of this.people) {
        assert.equal(lines.join('\n').split(words).length - 1, 1, `“${words}” at ${name}: ${JSON.stringify(lines)}`)
      }
    })
  }

  /** Waits until these words are in the text or rescued, once. */
  async keepsOnce(words) {
    await this.#eventually(async () => {
      const beside = await rescuedTexts(this.server, this.name)
      const all = [...this.people[0].lines, ...beside].join('\n')
      assert.equal(all.split(words).length - 1, 1, `“${words}” in ${JSON.stringify(all)}`)
    })
  }

  /** Waits until that many texts are kept beside the document, and gives them back. */
  async rescued(count) {
    let entries
    await this.#eventually(async () => {
      entries = await rescued(this.server, this.name)
      assert.equal(entries.length, count, `rescued: ${JSON.stringify(entries)}`)
    })
    return entries
  }

  /** Tries again after each piece of news and now and then, until the check holds or patience is at its end. */
  async #eventually(check) {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      await this.delivered()
      try {
        return await check()
      } catch (error) {
        if (performance.now() > deadline) throw error
      }
      await Promise.race([once(this, 'news'), pause(LOOK_AGAIN_MS)])
    }
  }

  async faults() {
    const rescued = await rescuedTexts(this.server, this.name)
    return this.book.faults(textOf(this.witness.root), rescued)
  }

  /** Replicas and editors that show something else than what a client gets who has never been here. */
  async strangers() {
    const fresh = this.bystander('hocuspocus')
    try {
      await this.settled(fresh)
      const everybody = [fresh, this.witness, ...this.people]
      await when('the same document everywhere', () => sameState(everybody.map(({ doc }) => doc)), this)
      const letters = lettersIn(textOf(fresh.root)).sort().join('')
      const shown = (person) => lettersIn(person.editor.text).sort().join('')
      return this.people.filter((person) => !person.broken && shown(person) !== letters).map(({ name }) => name)
    } finally {
      fresh.connection.destroy()
      fresh.doc.destroy()
    }
  }
}
