/** Ticks at a steady pace. */
import { systemClock, type Clock } from './clock.js'
import { Pause } from './pause.js'
import { Stepwise, type Iteration, type IterationOptions, type Steps } from './stepwise.js'

/** What {@link interval} takes. */
export interface IntervalOptions extends IterationOptions {
  /** @default the clock of the process */
  clock?: Clock | undefined
}

/**
 * Ticks every `ms` milliseconds from the first step on, without end: 1, 2, 3 and so on, the first after `ms`.
 *
 * The ticks do not drift: the nth is due `n * ms` after the first step, however long the work on each takes. They do
 * not pile up either: when the work took longer than a tick or several, one comes at once, with the number of the last
 * that was due, and the next one in its time. A gap in the numbers tells how many were missed. A timer is set only
 * while a tick is waited for.
 *
 * ```ts
 * for await (const tick of interval(1_000, { signal })) await report(tick)
 * ```
 *
 * asyncio has none; a loop with `sleep(1)` drifts by the work in it.
 *
 * @throws the signal's reason when it aborts, from the iteration
 * @throws RangeError when `ms` is not a finite number above 0: at once
 */
export function interval(ms: number, options: IntervalOptions = {}): Iteration<number> {
  if (!(ms > 0) || ms === Infinity) {
    throw new RangeError(`ms must be a finite number of milliseconds above 0, not ${ms}`)
  }
  return new Stepwise(new Ticks(ms, options.clock ?? systemClock), options)
}

class Ticks implements Steps<number> {
  readonly #ms: number
  readonly #clock: Clock
  readonly #pause: Pause
  /** When the first step was made. */
  #startedAt: number | undefined
  #tick = 0

  constructor(ms: number, clock: Clock) {
    this.#ms = ms
    this.#clock = clock
    this.#pause = new Pause(clock)
  }

  async next(): Promise<IteratorResult<number, undefined>> {
    const now = this.#clock.now()
    this.#startedAt ??= now
    // A timer may fire a little early by the clock that is asked here: no tick comes twice for that.
    const due = Math.floor((now - this.#startedAt) / this.#ms)
    this.#tick = Math.max(this.#tick + 1, due)
    const leftMs = this.#startedAt + this.#tick * this.#ms - now
    if (leftMs > 0) await this.#pause.wait(leftMs)
    return { done: false, value: this.#tick }
  }

  async leave(): Promise<void> {
    this.#pause.callOff()
  }
}
