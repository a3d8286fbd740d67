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
import { WaitQueue } from './wait-queue.js'

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

/** @internal */
export class Stepwise<T> implements Iteration<T> {
  readonly #steps: Steps<T>
  readonly #signal: AbortSignal | undefined
  readonly #turns = new WaitQueue('next()')
  #isBusy = false
  #isEnded = false
  /** Ends the step that is being made. */
  #leaveStep: (() => void) | undefined

  constructor(steps: Steps<T>, { signal }: IterationOptions) {
    this.#steps = steps
    this.#signal = signal
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isBusy) await this.#turns.wait(undefined, undefined)
    this.#isBusy = true
    try {
      return this.#isEnded ? END : await this.#step()
    } finally {
      if (!this.#turns.wake()) this.#isBusy = false
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (this.#isEnded) return END
    this.#isEnded = true
    const left = this.#steps.leave(leftError)
    this.#leaveStep?.()
    await left
    return END
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #step(): Promise<IteratorResult<T, undefined>> {
    try {
      this.#signal?.throwIfAborted()
      const result = await this.#unlessLeft(this.#steps.next())
      if (result.done === true) this.#isEnded = true
      return result
    } catch (error) {
      if (!this.#isEnded) {
        this.#isEnded = true
        // As in `for await`: what ended the loop comes before what happens on the way out.
        await this.#steps.leave(() => error).catch(() => {})
      }
      throw error
    }
  }

  /** Settles as the step does, or when the iteration is left or aborted before. */
  #unlessLeft(step: Promise<IteratorResult<T, undefined>>): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      const stopListening = onAbort(this.#signal, () => {
        reject(this.#signal?.reason)
      })
      const settled = (): void => {
        stopListening()
        this.#leaveStep = undefined
      }
      this.#leaveStep = () => {
        settled()
        resolve(END)
      }
      step.then(
        (result) => {
          settled()
          resolve(result)
        },
        (error: unknown) => {
          settled()
          reject(error)
        },
      )
    })
  }
}

function leftError(): Error {
  return abortError('the iteration was left')
}
