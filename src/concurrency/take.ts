/** The first items of a source. */
import { END, PulledSource, type MapSource } from './pulled-source.js'
import { Stepwise, type Iteration, type IterationOptions, type Steps } from './stepwise.js'

/**
 * Gives the first `count` items, fewer when the source has fewer, and takes no more than these. The source is ended when
 * one more is asked for, which is where a loop ends.
 *
 * ```ts
 * for await (const tick of take(interval(1_000), 5)) console.log(tick)
 * ```
 *
 * Python: `itertools.islice`, which asyncio has no form of.
 *
 * @throws what the source throws, from the iteration
 * @throws the signal's reason when it aborts, from the iteration
 * @throws TypeError when `source` is not iterable, RangeError when `count` is neither a whole number, 0 or more, nor
 *   Infinity: at once
 */
export function take<T>(
  source: MapSource<T>,
  count: number,
  options: IterationOptions = {},
): Iteration<T> {
  if (!(count >= 0) || (count !== Infinity && !Number.isSafeInteger(count))) {
    throw new RangeError(`count must be a whole number, 0 or more, or Infinity, not ${count}`)
  }
  return new Stepwise(new Taken(new PulledSource(source), count), options)
}

class Taken<T> implements Steps<T> {
  readonly #source: PulledSource<T>
  #left: number

  constructor(source: PulledSource<T>, count: number) {
    this.#source = source
    this.#left = count
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#left === 0) {
      await this.#source.return()
      return END
    }
    this.#left--
    return this.#source.next()
  }

  leave(): Promise<unknown> {
    return this.#source.return()
  }
}
