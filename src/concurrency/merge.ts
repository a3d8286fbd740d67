/** The items of several sources as they come. */
import { END, PulledSource, type MapSource } from './pulled-source.js'
import { RingBuffer } from './ring-buffer.js'
import { Stepwise, type Iteration, type IterationOptions, type Steps } from './stepwise.js'
import { WaitQueue } from './wait-queue.js'

/**
 * Gives the items of all sources in the order in which they come, until all sources have ended.
 *
 * Lazily and fairly: when an item is asked for, each source that has none here is asked for one, so that no more than
 * one item of each waits, and a source that is always ready comes no more often than the others.
 *
 * ```ts
 * for await (const line of merge([first.lines(), second.lines()], { signal })) console.log(line)
 * ```
 *
 * When a source fails, what had come before is given first, and then the error. Error, abort and leaving the loop end
 * all sources that are open; those that are just being asked for an item are told, and not waited for.
 *
 * @throws what a source throws, from the iteration
 * @throws the signal's reason when it aborts, from the iteration
 * @throws TypeError when `sources` or one of them is not iterable: at once
 */
export function merge<Source extends MapSource<unknown>>(
  sources: Iterable<Source>,
  options: IterationOptions = {},
): Iteration<ItemOf<Source>> {
  const all = [...(sources as Iterable<MapSource<ItemOf<Source>>>)]
  return new Stepwise(new Merged(all.map((source) => new PulledSource(source))), options)
}

/** What a source gives, so that sources of different items can be merged. */
type ItemOf<Source> =
  Source extends AsyncIterable<infer Item>
    ? Item
    : Source extends Iterable<infer Item>
      ? Awaited<Item>
      : never

/** An item that waits here and the source that it is from, or why there will be no more. */
type Arrival<T> =
  | { readonly value: T; readonly source: PulledSource<T> }
  | { readonly error: unknown; readonly source: undefined }

class Merged<T> implements Steps<T> {
  readonly #sources: readonly PulledSource<T>[]
  /** Those that are open, and neither being asked nor with an item here. */
  readonly #idle: PulledSource<T>[]
  readonly #arrivals = new RingBuffer<Arrival<T>>()
  readonly #changed = new WaitQueue('next()')
  /** How many have not ended. */
  #open: number
  #isStopped = false

  constructor(sources: readonly PulledSource<T>[]) {
    this.#sources = sources
    this.#idle = [...sources]
    this.#open = sources.length
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (!this.#isStopped) for (const source of this.#idle.splice(0)) void this.#ask(source)
    while (this.#arrivals.size === 0) {
      if (this.#open === 0) return END
      await this.#changed.wait(undefined, undefined)
    }
    const arrival = this.#arrivals.take()
    if (arrival.source === undefined) throw arrival.error
    this.#idle.push(arrival.source)
    return { done: false, value: arrival.value }
  }

  async leave(): Promise<void> {
    const ends = await Promise.allSettled(this.#sources.map((source) => source.return()))
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #ask(source: PulledSource<T>): Promise<void> {
    try {
      const { done, value } = await source.next()
      if (done === true) this.#open--
      else this.#arrivals.add({ value, source })
    } catch (error) {
      this.#isStopped = true
      this.#arrivals.add({ error, source: undefined })
    }
    this.#changed.wakeAll()
  }
}
