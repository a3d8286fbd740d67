/** What a function makes of each item of a source. */
import { controllerForMany } from './abort-scope.js'
import { EachItem, type ItemFunction } from './each-item.js'
import { END, PulledSource, type MapSource } from './pulled-source.js'
import { Stepwise, type Iteration, type IterationOptions, type Steps } from './stepwise.js'
import { TaskPool } from './task-pool.js'

/** What {@link map} takes. */
export interface MapOptions extends IterationOptions {
  /** How many items are worked on at a time. @default 1 */
  concurrency?: number | undefined
}

/**
 * Gives what `fn(item, signal)` gives, or resolves with, for each item, in the order of the items.
 *
 * Lazily: an item is taken when a result is asked for, one at a time. With a `concurrency` of more, so many items at
 * most are begun whose results are not taken, as `TaskPool.map` does; for results as they come, and several sources
 * under one limit, there is `TaskPool` itself.
 *
 * ```ts
 * const sizes = map(paths, (path) => sizeOf(path), { concurrency: 4 })
 * for await (const size of sizes) total += size
 * ```
 *
 * The first error ends the iteration where its result would have come. An error, an abort and leaving the loop abort
 * the signals that `fn` was called with, wait for what still runs, and end the source. Python:
 * `(fn(item) async for item in source)`.
 *
 * @throws what the source and the function throw, from the iteration
 * @throws the signal's reason when it aborts, from the iteration
 * @throws TypeError when `source` is not iterable or `fn` no function, RangeError when `concurrency` is not a whole
 *   number above 0: at once
 */
export function map<In, Out>(
  source: MapSource<In>,
  fn: (item: In, signal: AbortSignal) => Out | PromiseLike<Out>,
  options: MapOptions = {},
): Iteration<Out> {
  const { concurrency = 1 } = options
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency must be a whole number above 0, not ${concurrency}`)
  }
  const steps =
    concurrency === 1
      ? new Mapped(new EachItem(source, fn))
      : new MappedAtOnce(source, fn, concurrency)
  return new Stepwise(steps, options)
}

class Mapped<In, Out> implements Steps<Out> {
  readonly #items: EachItem<In, Out>

  constructor(items: EachItem<In, Out>) {
    this.#items = items
  }

  async next(): Promise<IteratorResult<Out, undefined>> {
    const one = await this.#items.next()
    return one === undefined ? END : { done: false, value: one.result }
  }

  leave(reason: () => unknown): Promise<void> {
    return this.#items.leave(reason)
  }
}

class MappedAtOnce<In, Out> implements Steps<Out> {
  readonly #source: PulledSource<In>
  readonly #controller = controllerForMany()
  readonly #results: AsyncGenerator<Out, void, undefined>

  constructor(source: MapSource<In>, fn: ItemFunction<In, Out>, concurrency: number) {
    this.#source = new PulledSource(source)
    const { signal } = this.#controller
    this.#results = new TaskPool({ limit: concurrency }).map(this.#source, fn, { signal })
  }

  async next(): Promise<IteratorResult<Out, undefined>> {
    const result = await this.#results.next()
    return result.done === true ? END : result
  }

  async leave(reason: () => unknown): Promise<void> {
    // A generator that waits hears of nothing but the signal.
    this.#controller.abort(reason())
    await this.#results.return()
    // For one that has not begun.
    await this.#source.return()
  }
}
