/**
 * One timer for many waits that each have an end of their own.
 *
 * It is set for the earliest, and moved only when an earlier one comes; a wait that ends in time touches no
 * timer. A timer that fires for a wait that has long ended finds that out and is set for the next. As in
 * deadlines.ts one loop turn goes by before a verdict, so that a stalled loop first reads what has come.
 */
import type { Clock } from '../concurrency/clock.js'

export class EarliestDeadline {
  readonly #clock: Clock
  readonly #expire: (now: number) => number
  #timer: unknown
  /** When the timer fires; Infinity when there is none. */
  #armedFor = Infinity
  #isStopped = false

  /** @param expire Ends what is due at or before `now`, and says when the next is: Infinity for never. */
  constructor(clock: Clock, expire: (now: number) => number) {
    this.#clock = clock
    this.#expire = expire
  }

  /** A wait ends at `due` at the latest. */
  expect(due: number): void {
    if (due >= this.#armedFor || this.#isStopped) return
    if (this.#armedFor !== Infinity) this.#clock.clearTimeout(this.#timer)
    this.#armedFor = due
    const delayMs = Math.max(1, Math.ceil(due - this.#clock.now()))
    this.#timer = this.#clock.setTimeout(() => {
      this.#armedFor = Infinity
      this.#timer = undefined
      setImmediate(() => {
        if (!this.#isStopped) this.expect(this.#expire(this.#clock.now()))
      })
    }, delayMs)
  }

  /** Nothing is waited for any more. */
  stop(): void {
    this.#isStopped = true
    if (this.#armedFor !== Infinity) this.#clock.clearTimeout(this.#timer)
    this.#armedFor = Infinity
    this.#timer = undefined
  }
}
