/**
 * Whether a promise has settled, for any number who ask, and go.
 *
 * A promise keeps each reaction until it settles: a loop that calls `Promise.race` on one long-lived promise leaks with
 * every turn. Here each promise has one reaction of ours, however often it is waited for; listeners come and go.
 */

const NOTHING = (): void => {}

const settlements = new WeakMap<PromiseLike<unknown>, Settlement>()

export class Settlement {
  #state: 'pending' | 'fulfilled' | 'rejected' = 'pending'
  readonly #listeners = new Set<() => void>()

  /** That of a promise, the same for all. A rejection counts as handled from now on. @throws TypeError for no promise */
  static of(promise: PromiseLike<unknown>): Settlement {
    const value: unknown = promise
    if (
      typeof value !== 'object' ||
      value === null ||
      !('then' in value) ||
      typeof value.then !== 'function'
    ) {
      throw new TypeError(`promises must hold promises only, not ${String(value)}`)
    }
    let settlement = settlements.get(promise)
    if (settlement === undefined) {
      settlement = new Settlement(promise)
      settlements.set(promise, settlement)
    }
    return settlement
  }

  private constructor(promise: PromiseLike<unknown>) {
    promise.then(
      () => {
        this.#settle('fulfilled')
      },
      () => {
        this.#settle('rejected')
      },
    )
  }

  /** Known one turn of the promise jobs after the promise was first asked about. */
  get state(): 'pending' | 'fulfilled' | 'rejected' {
    return this.#state
  }

  /**
   * Calls once when the promise settles, always later, also if it has before. The function it gives back stops
   * listening.
   */
  listen(listener: () => void): () => void {
    if (this.#state === 'pending') {
      const own = (): void => {
        listener()
      }
      this.#listeners.add(own)
      return () => {
        this.#listeners.delete(own)
      }
    }
    let call = listener
    queueMicrotask(() => {
      call()
    })
    return () => {
      call = NOTHING
    }
  }

  #settle(state: 'fulfilled' | 'rejected'): void {
    this.#state = state
    for (const listener of this.#listeners) {
      this.#listeners.delete(listener)
      listener()
    }
  }
}
