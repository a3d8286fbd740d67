/** Items in arrays: so many at a time, or what has come within some time. */
import { checkTimeout } from './abort.js'
import { systemClock, type Clock } from './clock.js'
import { Pause } from './pause.js'
import { END, PulledSource, type MapSource } from './pulled-source.js'
import { Stepwise, type Iteration, type IterationOptions, type Steps } from './stepwise.js'
import { WaitQueue } from './wait-queue.js'

/** What {@link batch} takes. */
export interface BatchOptions extends IterationOptions {
  /** The most items of an array. */
  size: number
  /**
   * How long an array that is asked for waits for more items when it has one, in milliseconds. @default Infinity
   */
  ms?: number | undefined
  /** For `ms`. @default the clock of the process */
  clock?: Clock | undefined
}

/**
 * Gives the items in arrays of `size`. With `ms`, an array that is not full is given so long after it is asked for and
 * has its first item. What there is when the source ends or fails is given as well: before the end, and before the
 * error. No array is empty.
 *
 * ```ts
 * for await (const rows of batch(readings, { size: 500, ms: 1_000 })) await insert(rows)
 * ```
 *
 * Lazily: the source is asked while an array is asked for. Only the item that it was asked for when the time was over
 * may come later; it is the first of the next array. An abort drops what has been gathered, and so does leaving the
 * loop.
 *
 * Python: `itertools.batched`, which knows no time; asyncio has no form of it.
 *
 * @throws what the source throws, from the iteration, after the items before
 * @throws the signal's reason when it aborts, from the iteration
 * @throws TypeError when `source` is not iterable, RangeError when `size` is not a whole number above 0 or `ms` is not
 *   above 0: at once
 */
export function batch<T>(source: MapSource<T>, options: BatchOptions): Iteration<T[]> {
  const { size, ms = Infinity, clock = systemClock } = options
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new RangeError(`size must be a whole number above 0, not ${size}`)
  }
  checkTimeout(ms, 'ms')
  return new Stepwise(new Batches(new PulledSource(source), size, ms, clock), options)
}

class Batches<T> implements Steps<T[]> {
  readonly #source: PulledSource<T>
  readonly #size: number
  readonly #ms: number
  readonly #pause: Pause
  readonly #changed = new WaitQueue('next()')
  #items: T[] = []
  #isAsking = false
  #isEnded = false
  #failure: { readonly error: unknown } | undefined

  constructor(source: PulledSource<T>, size: number, ms: number, clock: Clock) {
    this.#source = source
    this.#size = size
    this.#ms = ms
    this.#pause = new Pause(clock)
  }

  async next(): Promise<IteratorResult<T[], undefined>> {
    await this.#gather()
    if (this.#items.length > 0) {
      const value = this.#items
      this.#items = []
      return { done: false, value }
    }
    if (this.#failure !== undefined) throw this.#failure.error
    return END
  }

  async leave(): Promise<void> {
    this.#isEnded = true
    this.#pause.callOff()
    await this.#source.return()
  }

  async #gather(): Promise<void> {
    let time: 'not begun' | 'runs' | 'over' = 'not begun'
    const isDone = (): boolean =>
      this.#items.length >= this.#size || this.#isEnded || time === 'over'
    while (!isDone()) {
      void this.#ask()
      if (this.#items.length > 0 && time === 'not begun') {
        time = 'runs'
        void this.#pause.wait(this.#ms).then(() => {
          time = 'over'
          this.#changed.wakeAll()
        })
      }
      await this.#changed.wait(undefined, undefined)
    }
    this.#pause.callOff()
  }

  /** Asks the source for an item, unless it is being asked. */
  async #ask(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      const { done, value } = await this.#source.next()
      if (done === true) this.#isEnded = true
      else this.#items.push(value)
    } catch (error) {
      this.#isEnded = true
      this.#failure = { error }
    }
    this.#isAsking = false
    this.#changed.wakeAll()
  }
}
