/**
 * A source of items as those see it who take from it: any iterable, asked for one item at a time.
 *
 * It decides nothing. Whoever takes from it ends it when no more is wanted, also when a task on an item has failed.
 *
 * Invariant: `return()` of the source's own iterator is called at most once, and never after the source has ended or
 * failed by itself.
 */
import { unobserved } from './deferred.js'

/** What can be taken from: an array, a generator, an async generator, a stream of lines. Promises in it are awaited. */
export type MapSource<In> = Iterable<In | PromiseLike<In>> | AsyncIterable<In>

/** The end of every iteration. @internal */
export const END: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** @internal */
export class PulledSource<T> implements AsyncIterableIterator<T, undefined> {
  readonly #iterator: Iterator<T | PromiseLike<T>> | AsyncIterator<T>
  readonly #isAsync: boolean
  #isOpen = true
  #isAsked = false

  /** Begins nothing yet. @throws TypeError when it is not iterable */
  constructor(source: MapSource<T>, name = 'source') {
    checkSource(source, name)
    const makeAsync = asyncIteratorOf(source)
    this.#isAsync = makeAsync !== undefined
    this.#iterator =
      makeAsync?.call(source) ?? (source as Iterable<T | PromiseLike<T>>)[Symbol.iterator]()
  }

  /** Whether more may be had from it: it has neither ended nor failed, and was not ended. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /**
   * The next item, one call at a time. What it throws has ended the source, unless it comes from a promise among the
   * items of a sync iterable: then the source is still to be ended.
   */
  next(): Promise<IteratorResult<T, undefined>> {
    if (!this.#isOpen) return Promise.resolve(END)
    this.#isAsked = true
    try {
      const answer = this.#iterator.next()
      if (!this.#isAsync) return this.#awaitItem(answer as IteratorResult<T | PromiseLike<T>>)
      // By hand: async functions would cost each item two promises more.
      return Promise.resolve(answer as Promise<IteratorResult<T>>).then(
        this.#onAnswer,
        this.#onFailure,
      )
    } catch (error) {
      return Promise.reject(error).catch(this.#onFailure)
    }
  }

  /**
   * Ends the source early; only the first call does. A source that is just being asked for an item is told, and not
   * waited for: a generator could not hear of it before it goes on.
   *
   * @throws what the `return()` of the source throws
   */
  async return(): Promise<IteratorResult<T, undefined>> {
    if (!this.#isOpen) return END
    this.#isOpen = false
    const returned = Promise.resolve(this.#iterator.return?.())
    if (this.#isAsked) void unobserved(returned)
    else await returned
    return END
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  readonly #onAnswer = (answer: IteratorResult<T>): IteratorResult<T, undefined> => {
    this.#isAsked = false
    if (answer.done !== true) return answer
    this.#isOpen = false
    return END
  }

  readonly #onFailure = (error: unknown): never => {
    this.#isAsked = false
    this.#isOpen = false
    throw error
  }

  /** A sync iterable may hold promises; what an async one gives is meant as it is. */
  async #awaitItem(
    answer: IteratorResult<T | PromiseLike<T>>,
  ): Promise<IteratorResult<T, undefined>> {
    if (answer.done === true) return this.#onAnswer(answer as IteratorReturnResult<unknown>)
    try {
      return { done: false, value: await answer.value }
    } finally {
      this.#isAsked = false
    }
  }
}

/** @throws TypeError unless it is iterable @internal */
export function checkSource(source: unknown, name = 'source'): void {
  const found =
    source == null
      ? undefined
      : (asyncIteratorOf(source as AsyncIterable<unknown>) ??
        (source as Partial<Iterable<unknown>>)[Symbol.iterator])
  if (typeof found === 'function') return
  const type = source === null ? 'null' : typeof source
  throw new TypeError(`${name} must be iterable, and is of type ${type}`)
}

function asyncIteratorOf<In>(source: MapSource<In>) {
  return (source as Partial<AsyncIterable<In>>)[Symbol.asyncIterator]
}
