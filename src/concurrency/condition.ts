/**
 * Waiting, with a lock in hand, until somebody else who has had the lock has changed what the lock guards.
 *
 * It says when to look again, never what there is to see: after `wait()` the state may be any, which is why
 * `waitFor()` looks itself.
 *
 * Invariant: whoever called `wait()` with the lock has it again when the call settles, whichever way it settles;
 * and a notification that reaches somebody who was aborted goes on to the next.
 */
import { TimeoutError } from '../errors.js'
import { refuseWait, type WaitOptions } from './abort.js'
import { systemClock, type Clock } from './clock.js'
import { unobserved } from './deferred.js'
import { Mutex } from './mutex.js'
import type { Permit } from './permit.js'
import { watchUnawaited } from './unawaited.js'
import { WaitQueue } from './wait-queue.js'

/** How a {@link Condition} is made. */
export interface ConditionOptions {
  /** The lock; several conditions may share one. @default a new one */
  mutex?: Mutex | undefined
  /** For `timeoutMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/** What `Condition.waitFor()` gives: what its predicate gave, which was not falsy. */
export type Truthy<T> = Exclude<T, false | 0 | 0n | '' | null | undefined>

/**
 * A condition variable (asyncio.Condition).
 *
 * ```ts
 * using permit = await condition.acquire()
 * const job = await condition.waitFor(() => jobs.pop())
 * ```
 *
 * And elsewhere:
 *
 * ```ts
 * await condition.use(() => {
 *   jobs.push(job)
 *   condition.notify()
 * })
 * ```
 */
export class Condition {
  /** Its lock. */
  readonly mutex: Mutex
  readonly #waiters: WaitQueue
  readonly #clock: Clock

  constructor({ mutex, clock = systemClock }: ConditionOptions = {}) {
    this.mutex = mutex ?? new Mutex({ clock })
    this.#waiters = new WaitQueue('Condition.wait()', clock)
    this.#clock = clock
  }

  /** Whether somebody has its lock. */
  get isLocked(): boolean {
    return this.mutex.isLocked
  }

  /** How many wait to be notified. Those who were and wait for the lock are not among them. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** The same as `mutex.acquire()`. */
  acquire(options?: WaitOptions): Promise<Permit> {
    return this.mutex.acquire(options)
  }

  /** The same as `mutex.use()`. */
  use<R>(fn: () => R | PromiseLike<R>, options?: WaitOptions): Promise<R> {
    return this.mutex.use(fn, options)
  }

  /**
   * Gives the lock up, waits to be notified, and takes the lock again. Call it with the lock; the same permit is
   * good afterwards.
   *
   * Also when it rejects it has the lock first, however long that takes: neither an abort nor `timeoutMs` shortens
   * the wait for the lock. `timeoutMs` is for the notification alone. An abort counts until the lock is back, and
   * a notification that came before it then goes on to the next who waits.
   *
   * @throws the signal's reason when it aborts, also if it has before; then the lock was never given up
   * @throws TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   * @throws TypeError when nobody has the lock, or its permit was released while this call waited
   */
  wait(options?: WaitOptions): Promise<void> {
    return watchUnawaited(this.#wait(options), 'Condition.wait()')
  }

  async #wait(options: WaitOptions | undefined): Promise<void> {
    const permit = this.#heldPermit('wait()')
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    const turn = this.#waiters.wait(options, undefined)
    permit.lend()
    try {
      await turn
    } finally {
      await this.mutex.regain(permit)
    }
    if (options?.signal?.aborted === true) {
      this.#waiters.wake()
      throw options.signal.reason
    }
    if (!permit.isHeld) {
      throw new TypeError(
        'Condition.wait(): its permit was released while it waited: await wait() before',
      )
    }
  }

  /**
   * Waits until `predicate` gives something that is not falsy, and gives that. It is called at once, and then
   * each time the condition is notified, always with the lock; at the end of `timeoutMs` it is asked once more.
   *
   * @param predicate Looks at what the lock guards, and does not wait: it may not be an async function.
   * @throws what `predicate` throws, and the errors of `wait()`. `timeoutMs` is for all notifications together.
   */
  waitFor<R>(predicate: () => R, options: WaitOptions = {}): Promise<Truthy<R>> {
    return watchUnawaited(this.#waitFor(predicate, options), 'Condition.waitFor()')
  }

  async #waitFor<R>(predicate: () => R, options: WaitOptions): Promise<Truthy<R>> {
    const { signal, timeoutMs } = options
    const refused = refuseWait(options)
    if (refused !== undefined) return refused
    const dueMs = timeoutMs === undefined ? Infinity : this.#clock.now() + timeoutMs
    let isLate = false
    for (;;) {
      const value = predicate()
      if (value instanceof Promise) {
        void unobserved(value)
        throw new TypeError('predicate must look and not wait: it may not be an async function')
      }
      if (value) return value as Truthy<R>
      const leftMs = dueMs - this.#clock.now()
      if (isLate || !(leftMs > 0)) {
        const message = `Condition.waitFor(): not so after ${timeoutMs} ms`
        throw new TimeoutError(message, 'call', timeoutMs)
      }
      try {
        await this.#wait({ signal, timeoutMs: leftMs })
      } catch (error) {
        if (!(error instanceof TimeoutError) || signal?.aborted === true) throw error
        isLate = true
      }
    }
  }

  /**
   * Wakes up to `count` of those who wait, the longest waiting first. They go on one after the other, as they get
   * the lock. Nothing is remembered for those who come later.
   *
   * @throws TypeError when nobody has the lock
   * @throws RangeError unless `count` is a whole number, 0 or above, or Infinity
   */
  notify(count = 1): void {
    this.#heldPermit('notify()')
    if (!(count >= 0) || (count !== Infinity && !Number.isInteger(count))) {
      throw new RangeError(`count must be a whole number, 0 or above, or Infinity, not ${count}`)
    }
    for (let woken = 0; woken < count && this.#waiters.wake(); woken++);
  }

  /** Wakes all who wait. @throws TypeError when nobody has the lock */
  notifyAll(): void {
    this.#heldPermit('notifyAll()')
    this.#waiters.wakeAll()
  }

  /** Whose the lock is; the caller's, if the caller keeps to the rules. */
  #heldPermit(call: string): Permit {
    const permit = this.mutex.latest
    if (permit === undefined || !permit.isHeld) {
      throw new TypeError(
        `Condition.${call} needs the lock: call it between acquire() and release()`,
      )
    }
    return permit
  }
}
