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
 * Iterates over the promises in the order in which they settle. What comes is the settled **promise**, one of those
 * that were given: it can be told which one it is, and awaiting it gives its value or throws its error, of which the
 * others know nothing. The same promise twice comes once.
 *
 * ```ts
 * for await (const reply of asCompleted(requests)) console.log(await reply)
 * ```
 *
 * Rejections count as handled. Leaving the loop leaves the promises as they are.
 *
 * asyncio: `async for task in as_completed(aws, timeout=…)`.
 *
 * @throws the signal's reason when it aborts, from the iteration
 * @throws TimeoutError (phase `call`) from the iteration when `timeoutMs`, from the call on, have passed and some are
 *   still pending; those that have settled by then come first
 * @throws RangeError for a `timeoutMs` that is not above 0, TypeError for what is no promise: at once
 */
export function asCompleted<P extends PromiseLike<unknown>>(
  promises: Iterable<P>,
  options: AsCompletedOptions = {},
): AsyncIterableIterator<P> {
  checkTimeout(options.timeoutMs)
  return new Completions(new Set(promises), options)
}

class Completions<P extends PromiseLike<unknown>> implements AsyncIterableIterator<P> {
  readonly #signal: AbortSignal | undefined
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #dueMs: number
  readonly #count: number
  /** Settled, and not yet given. */
  readonly #settled: P[] = []
  readonly #stops: (() => void)[]
  readonly #waiters = new WaitQueue<IteratorResult<P, undefined>>('asCompleted()')
  #pending: number

  constructor(
    promises: ReadonlySet<P>,
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

  async next(): Promise<IteratorResult<P, undefined>> {
    this.#signal?.throwIfAborted()
    const promise = this.#settled.shift()
    if (promise !== undefined) return { value: promise, done: false }
    // Each that waits already is given one of those that are pending.
    if (this.#pending <= this.#waiters.size) return { value: undefined, done: true }
    const leftMs = Math.max(this.#dueMs - this.#clock.now(), 0)
    const scope = new AbortScope([this.#signal], {
      timeoutMs: this.#timeoutMs,
      leftMs,
      clock: this.#clock,
      what: `asCompleted() of ${this.#count} promises, ${this.#pending} of them pending`,
    })
    return scope.run((signal) => this.#waiters.wait({ signal }, undefined))
  }

  return(): Promise<IteratorResult<P, undefined>> {
    for (const stop of this.#stops.splice(0)) stop()
    this.#pending = 0
    this.#settled.length = 0
    this.#waiters.wakeAll({ value: undefined, done: true })
    return Promise.resolve({ value: undefined, done: true })
  }

  #take(promise: P): void {
    this.#pending--
    if (!this.#waiters.wake({ value: promise, done: false })) this.#settled.push(promise)
  }
}
