/** Numbers one after the other, as fast as they are asked for or with a pause before each. */
import { systemClock, type Clock } from './clock.js'
import { Pause } from './pause.js'
import { END } from './pulled-source.js'
import { Stepwise, type Iteration, type IterationOptions, type Steps } from './stepwise.js'

/** What {@link range} takes. */
export interface RangeOptions extends IterationOptions {
  /** From each number to the next one; below 0 it counts down. @default 1 */
  step?: number | undefined
  /** The pause before each number, in milliseconds. @default 0, which waits for nothing */
  delayMs?: number | undefined
  /** For `delayMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/**
 * The numbers from `start`, by default 0, up to and without `stop`. `stop` may be infinite.
 *
 * ```ts
 * for await (const page of range(1, 6, { delayMs: 200, signal })) await visit(page)
 * ```
 *
 * Leaving the loop during a pause ends the pause. asyncio's tutorials write an `AsyncRange` with `__anext__`.
 *
 * @throws the signal's reason when it aborts, from the iteration
 * @throws RangeError when `start` or `step` is not finite, `step` is 0, `stop` is NaN, or `delayMs` is not 0 or more:
 *   at once
 */
export function range(stop: number, options?: RangeOptions): Iteration<number>
export function range(start: number, stop: number, options?: RangeOptions): Iteration<number>
export function range(
  first: number,
  second?: number | RangeOptions,
  third?: RangeOptions,
): Iteration<number> {
  const [start, stop, options = {}] =
    typeof second === 'number' ? [first, second, third] : [0, first, second]
  const { step = 1, delayMs = 0, clock = systemClock } = options
  if (!Number.isFinite(start)) throw new RangeError(`start must be a finite number, not ${start}`)
  if (!Number.isFinite(step) || step === 0) {
    throw new RangeError(`step must be a finite number, and not 0, not ${step}`)
  }
  if (typeof stop !== 'number' || Number.isNaN(stop)) {
    throw new RangeError(`stop must be a number, not ${stop}`)
  }
  if (!(delayMs >= 0)) {
    throw new RangeError(`delayMs must be a number of milliseconds, 0 or more, not ${delayMs}`)
  }
  return new Stepwise(new Numbers(start, stop, step, delayMs, clock), options)
}

class Numbers implements Steps<number> {
  readonly #start: number
  readonly #stop: number
  readonly #step: number
  readonly #delayMs: number
  readonly #pause: Pause
  #count = 0

  constructor(start: number, stop: number, step: number, delayMs: number, clock: Clock) {
    this.#start = start
    this.#stop = stop
    this.#step = step
    this.#delayMs = delayMs
    this.#pause = new Pause(clock)
  }

  async next(): Promise<IteratorResult<number, undefined>> {
    // Not a running sum, in which the errors of fractions would add up.
    const value = this.#start + this.#count * this.#step
    if (this.#step > 0 ? value >= this.#stop : value <= this.#stop) return END
    this.#count++
    if (this.#delayMs > 0) await this.#pause.wait(this.#delayMs)
    return { done: false, value }
  }

  async leave(): Promise<void> {
    this.#pause.callOff()
  }
}
