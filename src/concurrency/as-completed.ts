/** Promises in the order in which they settle. */
import { checkTimeout, type WaitOptions } from './abort.js'
import { AbortScope } from './abort-scope.js'
import { systemClock, type Clock } from './clock.js'
import { Settlement } from './settlement.js'
import { WaitQueue } from './wait-queue.js'

/** What {@link asCompleted} takes. */
export interface AsCompletedOptions extends WaitOptions {
  /** For `timeoutMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/**
 * Iterates over the results of the promises in the order in which they settle. The same promise twice comes once.
 *
 * ```ts
 * for await (const reply of asCompleted(requests)) console.log(reply)
 * ```
 *
 * A rejection is thrown by the step that comes to it, which ends a loop; `next()` can be called again and goes on
 * with the others. Where failures are a part of the result, map them before: `request.catch((error) => …)`.
 * Leaving the loop leaves the promises as they are; rejections count as handled.
 *
 * asyncio: `as_completed(aws, timeout=…)`, whose loop gives awaitables; TypeScript has no type for an async iteration
 * over promises.
 *
 * @throws what a promise rejects with, from the iteration
 * @throws the signal's reason when it aborts, from the iteration
 * @throws TimeoutError (phase `call`) from the iteration when `timeoutMs`, from the call on, have passed and some are
 *   still pending; those that have settled by then come first
 * @throws RangeError for a `timeoutMs` that is not above 0, TypeError for what is no promise: at once
 */
export function asCompleted<T>(
  promises: Iterable<PromiseLike<T>>,
  options: AsCompletedOptions = {},
): AsyncIterableIterator<T> {
  checkTimeout(options.timeoutMs)
  return new Completions(new Set(promises), options)
}

/** In a box, since a promise that resolves with a promise becomes that one. */
interface Boxed<T> {
  readonly promise: PromiseLike<T>
}

const END = { value: undefined, done: true } as const

class Completions<T> implements AsyncIterableIterator<T> {
  readonly #signal: AbortSignal | undefined
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #dueMs: number
  readonly #count: number
  /** Settled, and not yet given. */
  readonly #settled: Boxed<T>[] = []
  readonly #stops: (() => void)[]
  readonly #waiters = new WaitQueue<Boxed<T> | undefined>('asCompleted()')
  #pending: number

  constructor(
    promises: ReadonlySet<PromiseLike<T>>,
    { signal, timeoutMs = Infinity, clock = systemClock }: AsCompletedOptions,
  ) {
    this.#signal = signal
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#dueMs = clock.now() + timeoutMs
    this.#count = promises.size
    this.#pending = promises.size
    const settlements = [...promises].map((promise) => ({
      promise,
      settlement: Settlement.of(promise),
    }))
    this.#stops = settlements.map(({ promise, settlement }) =>
      settlement.listen(() => this.#take(promise)),
    )
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    this.#signal?.throwIfAborted()
    const settled = this.#settled.shift() ?? (await this.#nextToSettle())
    return settled === undefined ? END : { value: await settled.promise, done: false }
  }

  return(): Promise<IteratorResult<T, undefined>> {
    for (const stop of this.#stops.splice(0)) stop()
    this.#pending = 0
    this.#settled.length = 0
    this.#waiters.wakeAll(undefined)
    return Promise.resolve(END)
  }

  /** Undefined when there is none. */
  #nextToSettle(): Promise<Boxed<T> | undefined> | undefined {
    // Each that waits already is given one of those that are pending.
    if (this.#pending <= this.#waiters.size) return undefined
    const scope = new AbortScope([this.#signal], {
      timeoutMs: this.#timeoutMs,
      leftMs: Math.max(this.#dueMs - this.#clock.now(), 0),
      clock: this.#clock,
      what: `asCompleted() of ${this.#count} promises, ${this.#pending} of them pending`,
    })
    return scope.run((signal) => this.#waiters.wait({ signal }, undefined))
  }

  #take(promise: PromiseLike<T>): void {
    this.#pending--
    if (!this.#waiters.wake({ promise })) this.#settled.push({ promise })
  }
}
