/** Something that has happened, or not yet: any number wait for it. It carries no value; a promise does. */
import { refuseWait, type WaitOptions } from './abort.js'
import type { WaitingOptions } from './semaphore.js'
import { watchUnawaited } from './unawaited.js'
import { WaitQueue } from './wait-queue.js'

const DONE = Promise.resolve()

/**
 * A flag that can be waited for (asyncio.Event; the DOM's class of this name is something else).
 *
 * ```ts
 * const ready = new Event()
 * void warmUp().then(() => ready.set())
 * await ready.wait({ timeoutMs: 5_000 })
 * ```
 */
export class Event {
  readonly #waiters: WaitQueue
  #isSet = false

  constructor({ clock }: WaitingOptions = {}) {
    this.#waiters = new WaitQueue('Event.wait()', clock)
  }

  /** Whether it is set (asyncio's `is_set()`). */
  get isSet(): boolean {
    return this.#isSet
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** Sets it: all who wait go on, even if it is cleared right after. */
  set(): void {
    this.#isSet = true
    this.#waiters.wakeAll()
  }

  /** Takes it back: who calls `wait()` from now on waits for the next `set()`. */
  clear(): void {
    this.#isSet = false
  }

  /**
   * Waits until it is set; does not wait when it is.
   *
   * @throws the signal's reason when it aborts, also if it has before
   * @throws TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  wait(options?: WaitOptions): Promise<void> {
    return watchUnawaited(this.#wait(options), 'Event.wait()')
  }

  #wait(options: WaitOptions | undefined): Promise<void> {
    if (!this.#isSet) return this.#waiters.wait(options, undefined)
    return (options === undefined ? undefined : refuseWait(options)) ?? DONE
  }
}
