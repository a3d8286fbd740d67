/** Some of the items of a source. */
import { EachItem, type ItemFunction } from './each-item.js'
import { END, type MapSource } from './pulled-source.js'
import { Stepwise, type Iteration, type IterationOptions, type Steps } from './stepwise.js'

/**
 * Gives the items for which the predicate gives true, or a promise of it. Lazily: an item is taken when one is asked
 * for, and the predicate is called for one at a time.
 *
 * ```ts
 * const commands = filter(reader.lines(), (line) => !line.startsWith('#'))
 * ```
 *
 * An error, an abort and leaving the loop abort the signal that the predicate is called with, wait for it, and end the
 * source. Python: `(item async for item in source if predicate(item))`.
 *
 * @throws what the source and the predicate throw, from the iteration
 * @throws the signal's reason when it aborts, from the iteration
 * @throws TypeError when `source` is not iterable or `predicate` no function: at once
 */
export function filter<In, Out extends In>(
  source: MapSource<In>,
  predicate: (item: In, signal: AbortSignal) => item is Out,
  options?: IterationOptions,
): Iteration<Out>
export function filter<In>(
  source: MapSource<In>,
  predicate: (item: In, signal: AbortSignal) => boolean | PromiseLike<boolean>,
  options?: IterationOptions,
): Iteration<In>
export function filter<In>(
  source: MapSource<In>,
  predicate: ItemFunction<In, boolean>,
  options: IterationOptions = {},
): Iteration<In> {
  return new Stepwise(new Filtered(new EachItem(source, predicate, 'predicate')), options)
}

class Filtered<T> implements Steps<T> {
  readonly #items: EachItem<T, boolean>

  constructor(items: EachItem<T, boolean>) {
    this.#items = items
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (let one; (one = await this.#items.next()) !== undefined;) {
      if (one.result) return { done: false, value: one.item }
    }
    return END
  }

  leave(reason: () => unknown): Promise<void> {
    return this.#items.leave(reason)
  }
}
