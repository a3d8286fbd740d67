/**
 * What the iterators of the kit have in common: one step at a time, however many are asked for; an end that reaches
 * what they stand on at once, also in the middle of a step; an abort.
 *
 * Not async generators: one that waits for its source hears of `return()` only when the source goes on, and until then
 * keeps whatever the source holds: a timer, a subscription, a connection.
 *
 * Invariant: `leave()` is called at most once, and never after the last step has been made; when it has been called no
 * step is begun. Between two steps nothing of it listens to the signal.
 */
import { onAbort } from './abort.js'
import { abortError } from './abort-scope.js'
import { END } from './pulled-source.js'
import { RingBuffer } from './ring-buffer.js'

const NOTHING = (): void => {}

/** What the iterators of the kit take. */
export interface IterationOptions {
  /**
   * Ends the iteration: the step that waits, or the next one, rejects with `signal.reason`, and the source is ended.
   */
  signal?: AbortSignal | undefined
}

/** What the iterators of the kit give: to be iterated over once. Leaving a loop over it, or disposing of it, ends it. */
export interface Iteration<T> extends AsyncIterableIterator<T, undefined>, AsyncDisposable {
  return(): Promise<IteratorResult<T, undefined>>
}

/** What makes the steps of an iteration. @internal */
export interface Steps<T> {
  /** Makes the next one: one at a time, and none after the last one, a throw, or `leave()`. */
  next(): Promise<IteratorResult<T, undefined>>
  /**
   * Ends what the steps stand on, early: also while one is being made, whose result is then in vain. `reason` makes
   * what the signals of whatever still runs abort with.
   */
  leave(reason: () => unknown): Promise<unknown>
}

/** Somebody who waits for a step. */
interface Call<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void
  readonly reject: (error: unknown) => void
}

/** @internal */
export class Stepwise<T> implements Iteration<T> {
  readonly #steps: Steps<T>
  readonly #signal: AbortSignal | undefined
  /** Whom the step is for that is being made. */
  #current: Call<T> | undefined
  /** Those who wait for their turn; made for the first of them. */
  #queue: RingBuffer<Call<T>> | undefined
  #isEnded = false
  #stopListening = NOTHING

  constructor(steps: Steps<T>, { signal }: IterationOptions) {
    this.#steps = steps
    this.#signal = signal
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      const call = { resolve, reject }
      if (this.#current === undefined) {
        this.#begin(call)
      } else {
        this.#queue ??= new RingBuffer()
        this.#queue.add(call)
      }
    })
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (this.#isEnded) return END
    this.#isEnded = true
    const left = this.#steps.leave(leftError)
    this.#finish((call) => call.resolve(END))
    await left
    return END
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #begin(call: Call<T>): void {
    if (this.#isEnded) {
      call.resolve(END)
      return
    }
    this.#current = call
    if (this.#signal !== undefined) {
      if (this.#signal.aborted) {
        this.#onAbort()
        return
      }
      this.#stopListening = onAbort(this.#signal, this.#onAbort)
    }
    this.#steps.next().then(this.#onResult, this.#onError)
  }

  readonly #onResult = (result: IteratorResult<T, undefined>): void => {
    // It was left or aborted meanwhile, and whoever asked has been told.
    if (this.#isEnded) return
    if (result.done === true) this.#isEnded = true
    this.#finish((call) => call.resolve(result))
  }

  readonly #onError = (error: unknown): void => {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#stopListening()
    const reject = (): void => this.#finish((call) => call.reject(error))
    // As in `for await`: what ended the loop comes before what happens on the way out.
    this.#steps.leave(() => error).then(reject, reject)
  }

  readonly #onAbort = (): void => {
    this.#onError(this.#signal?.reason)
  }

  /** The step is over, if one was being made; the next one can begin. */
  #finish(settle: (call: Call<T>) => void): void {
    const call = this.#current
    this.#current = undefined
    this.#stopListening()
    if (call !== undefined) settle(call)
    while (this.#current === undefined && this.#queue !== undefined && this.#queue.size > 0) {
      this.#begin(this.#queue.take())
    }
  }
}

function leftError(): Error {
  return abortError('the iteration was left')
}
