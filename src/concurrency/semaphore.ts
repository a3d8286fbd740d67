/**
 * So many at a time: those who come later wait for their turn.
 *
 * A place that is given back goes straight to whoever has waited longest, so that nobody who comes in between can
 * take it. It does not know who holds a permit: a holder that acquires again waits like anybody else, for itself
 * if need be.
 *
 * Invariant: permits that are held and `available` always add up to what it was made with, and while anybody
 * waits none is available.
 */
import { refuseWait, type WaitOptions } from './abort.js'
import type { Clock } from './clock.js'
import { Permit } from './permit.js'
import { watchUnawaited } from './unawaited.js'
import { WaitQueue } from './wait-queue.js'

/** How a {@link Semaphore}, a {@link Mutex} or an {@link Event} is made. */
export interface WaitingOptions {
  /** For `timeoutMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/**
 * A counting semaphore, first come, first served (asyncio.Semaphore; as permits free once, it is bounded).
 *
 * ```ts
 * const semaphore = new Semaphore(3)
 * const pages = await Promise.all(urls.map((url) => semaphore.use(() => fetch(url))))
 * ```
 */
export class Semaphore {
  /** Whoever brings a permit along gets that one back instead of a new one. */
  readonly #waiters: WaitQueue<Permit, Permit | undefined>
  #available: number
  #latest: Permit | undefined

  /**
   * @param permits How many may hold one at a time; `Infinity` for no limit.
   * @throws RangeError unless `permits` is a whole number above 0, or Infinity
   */
  constructor(permits: number, { clock }: WaitingOptions = {}) {
    if (!(permits >= 1) || (permits !== Infinity && !Number.isSafeInteger(permits))) {
      throw new RangeError(`permits must be a whole number above 0, or Infinity, not ${permits}`)
    }
    this.#available = permits
    this.#waiters = new WaitQueue(`${new.target.name}.acquire()`, clock)
  }

  /** How many permits are free now. */
  get available(): number {
    return this.#available
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** Whether `acquire()` would wait (asyncio's `locked()`). */
  get isLocked(): boolean {
    return this.#available === 0
  }

  /**
   * Takes a permit, as soon as one is free and it is this call's turn. An aborted wait takes none. A permit that
   * was given before the abort is given: release it.
   *
   * @throws the signal's reason when it aborts, also if it has before
   * @throws TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  acquire(options?: WaitOptions): Promise<Permit> {
    return watchUnawaited(this.#acquire(options), 'Semaphore.acquire()')
  }

  #acquire(options: WaitOptions | undefined): Promise<Permit> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    const permit = this.tryAcquire()
    return permit === undefined
      ? this.#waiters.wait(options, undefined)
      : Promise.resolve<Permit>(permit)
  }

  /** Takes a permit if one is free now; undefined where `acquire()` would wait. */
  tryAcquire(): Permit | undefined {
    if (this.#available === 0) return undefined
    this.#available--
    return (this.#latest = new Permit(this.#giveBack))
  }

  /**
   * Calls `fn` with a permit, at once if one is free, and frees it when `fn` has settled, whatever became of it.
   * The options are for the wait alone: an abort later on is `fn`'s to heed.
   *
   * @returns what `fn` gives
   * @throws what `fn` throws, and the errors of `acquire()`; `fn` is not called then
   */
  use<R>(fn: () => R | PromiseLike<R>, options?: WaitOptions): Promise<R> {
    return watchUnawaited(this.#use(fn, options), 'Semaphore.use()')
  }

  async #use<R>(fn: () => R | PromiseLike<R>, options: WaitOptions | undefined): Promise<R> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    const permit = this.tryAcquire() ?? (await this.#waiters.wait(options, undefined))
    try {
      return await fn()
    } finally {
      permit.release()
    }
  }

  /** @internal The permit that was given last: of a semaphore of one that is locked, the one that is held. */
  get latest(): Permit | undefined {
    return this.#latest
  }

  /** @internal Waits, whatever comes, until a lent permit has a place again. */
  async regain(permit: Permit): Promise<void> {
    if (this.#available === 0) {
      await this.#waiters.wait(undefined, permit)
      return
    }
    this.#available--
    this.#latest = permit
    permit.regain()
  }

  readonly #giveBack = (): void => {
    if (this.#waiters.size === 0) {
      this.#available++
      return
    }
    const lent = this.#waiters.nextPayload
    const permit = (this.#latest = lent ?? new Permit(this.#giveBack))
    this.#waiters.wake(permit)
    lent?.regain()
  }
}
