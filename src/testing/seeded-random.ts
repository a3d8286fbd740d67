/**
 * Random numbers that can be had again: the same seed gives the same ones. Not for secrets.
 *
 * A generator is named by several whole numbers (a seed, a connection, a direction), so that each place that
 * draws has its own: what one draws then depends on nothing that others do in between.
 */

/** The golden ratio as 32 bits: steps of it visit every state once. */
const STEP = 0x9e37_79b9

export class SeededRandom {
  #state: number

  /** @param names The seed, and what tells this generator from others of the same seed; whole numbers. */
  constructor(...names: readonly number[]) {
    this.#state = 0
    for (const name of names) this.#state = scramble(this.#state ^ scramble((name + STEP) | 0))
  }

  /** The next number, at least 0 and below 1. */
  next(): number {
    this.#state = (this.#state + STEP) | 0
    return (scramble(this.#state) >>> 0) / 2 ** 32
  }
}

/** Every bit of the word decides about every bit of the result (the finaliser of MurmurHash3). */
function scramble(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2_ae35)
  return word ^ (word >>> 16)
}
