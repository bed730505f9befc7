/**
 * Random choices from a seed, so that a failure can be looked at again with `SEED=...`.
 */
const seedFromEnvironment = Number(process.env.SEED)

/** The seed of this run. Say it in every message of a test that drew from it. */
export const SEED = Number.isInteger(seedFromEnvironment) && process.env.SEED ? seedFromEnvironment : Date.now() >>> 0

/** Draws from a seed: mulberry32, 32 bits of state, good enough to choose test data. */
export class Random {
  #state

  constructor(seed) {
    this.#state = seed >>> 0
  }

  /** At least 0, below 1. */
  fraction() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number, at least `low`, below `high`. */
  between(low, high) {
    return low + Math.floor(this.fraction() * (high - low))
  }

  /** One of the list. */
  pick(list) {
    return list[this.between(0, list.length)]
  }

  bytes(length) {
    return Uint8Array.from({ length }, () => this.between(0, 256))
  }
}
