/** A source of items that waits for the test, and tells what was asked of it. */
import { deferred, type Deferred } from '../../src/concurrency/deferred.js'

type Answer<T> = IteratorResult<T, undefined> | { readonly error: unknown }

export class TracedSource<T> implements AsyncIterableIterator<T, undefined> {
  /** How often it was asked for an item, and how often it was told to end. */
  asked = 0
  returned = 0
  /** What its end comes to, when it is told. */
  onReturn: () => Promise<void> = () => Promise.resolve()
  readonly #ready: Answer<T>[] = []
  readonly #waiting: Deferred<IteratorResult<T, undefined>>[] = []

  /** Gives these, at once when it is asked. */
  give(...items: T[]): this {
    for (const value of items) this.#settle({ done: false, value })
    return this
  }

  end(): this {
    this.#settle({ done: true, value: undefined })
    return this
  }

  fail(error: unknown): this {
    this.#settle({ error })
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    this.asked++
    const next = deferred<IteratorResult<T, undefined>>()
    this.#waiting.push(next)
    this.#pass()
    return next.promise
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.returned++
    await this.onReturn()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #settle(what: Answer<T>): void {
    this.#ready.push(what)
    this.#pass()
  }

  #pass(): void {
    while (this.#ready.length > 0 && this.#waiting.length > 0) {
      const what = this.#ready.shift() as Answer<T>
      const next = this.#waiting.shift() as Deferred<IteratorResult<T, undefined>>
      if ('error' in what) next.reject(what.error)
      else next.resolve(what)
    }
  }
}
