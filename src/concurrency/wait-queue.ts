/**
 * First come, first served: those who wait for something, each until its turn, its abort or its `timeoutMs`.
 * What they wait for, and when it is there, is their owner's business.
 *
 * Invariant: whoever is woken is no longer here and no longer listens to its signal, so that an abort at the very
 * moment of its turn either takes it out before, and the turn goes to the next, or comes too late to take anything
 * back. Nothing given out is ever lost between the two.
 */
import { TimeoutError } from '../errors.js'
import { onAbort, refuseWait, type WaitOptions } from './abort.js'
import { systemClock, type Clock } from './clock.js'
import { LinkedList, type Linked } from './linked-list.js'

interface Waiter<T, P> extends Linked<Waiter<T, P>> {
  readonly payload: P
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
  stopListening: (() => void) | undefined
  timer: unknown
}

/** Waiters in their order. `T` is what a turn gives; `P` is what each brings along, such as the item it wants to put. */
export class WaitQueue<T = void, P = undefined> {
  readonly #what: string
  readonly #clock: Clock
  readonly #waiters = new LinkedList<Waiter<T, P>>()

  /** @param what What is waited for, for messages: `Semaphore.acquire()`. */
  constructor(what: string, clock: Clock = systemClock) {
    this.#what = what
    this.#clock = clock
  }

  /** How many wait. */
  get size(): number {
    return this.#waiters.size
  }

  /** What the next in turn has brought along. Only while somebody waits. */
  get nextPayload(): P | undefined {
    return this.#waiters.first?.payload
  }

  /**
   * Waits for its turn.
   *
   * @throws the signal's reason when it aborts, also if it has before
   * @throws TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  wait(options: WaitOptions | undefined, payload: P): Promise<T> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter<T, P> = {
        payload,
        resolve,
        reject,
        previous: undefined,
        next: undefined,
        stopListening: undefined,
        timer: undefined,
      }
      this.#waiters.push(waiter)
      if (options !== undefined) this.#limit(waiter, options)
    })
  }

  /** Gives the next in turn its turn; false when nobody waits. */
  wake(value: T): boolean {
    const waiter = this.#waiters.first
    if (waiter === undefined) return false
    this.#leave(waiter)
    waiter.resolve(value)
    return true
  }

  /** Gives all who wait now their turn. */
  wakeAll(value: T): void {
    while (this.wake(value));
  }

  /** Gives a turn, out of order, to all who have brought this very payload along. Looks at each who waits. */
  wakeThose(payload: P, value: T): void {
    for (const waiter of this.#waiters.toArray()) {
      if (waiter.payload !== payload || !this.#leave(waiter)) continue
      waiter.resolve(value)
    }
  }

  /** Turns the next in turn away; false when nobody waits. */
  reject(reason: unknown): boolean {
    const waiter = this.#waiters.first
    if (waiter === undefined) return false
    this.#leave(waiter)
    waiter.reject(reason)
    return true
  }

  /** Rejects all who wait now, each with an error of its own. */
  rejectAll(makeReason: () => unknown): void {
    while (this.#waiters.size > 0) this.reject(makeReason())
  }

  #limit(waiter: Waiter<T, P>, { signal, timeoutMs }: WaitOptions): void {
    if (signal !== undefined) {
      waiter.stopListening = onAbort(signal, () => {
        this.#leave(waiter)
        waiter.reject(signal.reason)
      })
    }
    if (timeoutMs !== undefined && timeoutMs !== Infinity) {
      waiter.timer = this.#clock.setTimeout(() => {
        this.#leave(waiter)
        const message = `${this.#what}: still waiting after ${timeoutMs} ms`
        waiter.reject(new TimeoutError(message, 'call', timeoutMs))
      }, timeoutMs)
    }
  }

  #leave(waiter: Waiter<T, P>): boolean {
    if (!this.#waiters.remove(waiter)) return false
    waiter.stopListening?.()
    if (waiter.timer !== undefined) this.#clock.clearTimeout(waiter.timer)
    return true
  }
}
