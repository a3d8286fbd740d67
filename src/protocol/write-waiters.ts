/**
 * Who waits for what was written: drains, flushes, and pipes that only want to know when writing ends. It keeps
 * each until its moment, its abort, or its `timeoutMs`; it sends nothing and decides nothing.
 *
 * Invariant: whoever leaves, for any reason, has stopped listening to its signal.
 */
import { onAbort, type WaitOptions } from '../concurrency/abort.js'
import { unobserved } from '../concurrency/deferred.js'
import { TimeoutError } from '../errors.js'
import type { Deadlines } from './deadlines.js'

/** The position of a drain, which waits for the low mark. */
const DRAIN = -1
/** The position of a pipe that waits for its source. */
const SOURCE = Infinity

interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  /** The total of flushed bytes at which it resolves; or DRAIN, or SOURCE. */
  readonly position: number
  readonly due: number
  readonly timeoutMs: number
  readonly stopListening: () => void
}

export class WriteWaiters {
  readonly #deadlines: Deadlines
  #waiters: Waiter[] = []

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  /** Resolves when what is buffered has fallen to the low mark. A rejection may go unawaited. */
  drained(options: WaitOptions = {}): Promise<void> {
    return this.#wait(DRAIN, options)
  }

  /** Resolves when so many bytes have been flushed in all. A rejection may go unawaited. */
  flushed(position: number, options: WaitOptions = {}): Promise<void> {
    return this.#wait(position, options)
  }

  /** Settles as `promise` does, or rejects as soon as writing ends or the signal aborts. */
  unlessEnded<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiter = this.#add(SOURCE, { signal }, ignore, reject)
      promise.then(
        (value) => {
          this.#leave([waiter])
          resolve(value)
        },
        (error: unknown) => {
          this.#leave([waiter])
          reject(error)
        },
      )
    })
  }

  /** Resolves those whose moment has come. */
  wake(isLow: boolean, flushedBytes: number): void {
    const ready = this.#waiters.filter(({ position }) =>
      position === DRAIN ? isLow : position <= flushedBytes,
    )
    this.#leave(ready)
    for (const waiter of ready) waiter.resolve()
  }

  /** Rejects those who wait to write more; a flush may still come. */
  rejectWriting(makeReason: () => unknown): void {
    this.#rejectAll(
      this.#waiters.filter(({ position }) => position === DRAIN || position === SOURCE),
      makeReason,
    )
  }

  /** Rejects all. */
  rejectAll(reason: unknown): void {
    this.#rejectAll(this.#waiters, () => reason)
  }

  /** Rejects those whose `timeoutMs` has passed. */
  rejectLate(bufferedBytes: number): void {
    const now = this.#deadlines.clock.now()
    const late = this.#waiters.filter((waiter) => waiter.due <= now)
    this.#leave(late)
    for (const { reject, timeoutMs } of late) {
      const message = `${bufferedBytes} bytes are still waiting after ${timeoutMs} ms`
      reject(new TimeoutError(message, 'call', timeoutMs))
    }
  }

  #wait(position: number, options: WaitOptions): Promise<void> {
    return unobserved(
      new Promise<void>((resolve, reject) => {
        this.#add(position, options, resolve, reject)
      }),
    )
  }

  #add(
    position: number,
    { signal, timeoutMs = Infinity }: WaitOptions,
    resolve: () => void,
    reject: (reason: unknown) => void,
  ): Waiter {
    const stopListening = onAbort(signal, () => {
      this.#leave([waiter])
      reject(signal?.reason)
    })
    const due = timeoutMs === Infinity ? Infinity : this.#deadlines.clock.now() + timeoutMs
    const waiter: Waiter = { resolve, reject, position, due, timeoutMs, stopListening }
    this.#waiters.push(waiter)
    if (due !== Infinity) this.#expectSoonest()
    return waiter
  }

  #rejectAll(waiters: readonly Waiter[], makeReason: () => unknown): void {
    this.#leave(waiters)
    for (const waiter of waiters) waiter.reject(makeReason())
  }

  #leave(leaving: readonly Waiter[]): void {
    if (leaving.length === 0) return
    for (const waiter of leaving) waiter.stopListening()
    const gone = new Set(leaving)
    this.#waiters = this.#waiters.filter((waiter) => !gone.has(waiter))
    this.#expectSoonest()
  }

  #expectSoonest(): void {
    let soonest: Waiter | undefined
    for (const waiter of this.#waiters) {
      if (waiter.due < (soonest?.due ?? Infinity)) soonest = waiter
    }
    this.#deadlines.writeCallDueAt(soonest?.due ?? Infinity, soonest?.timeoutMs ?? 0)
  }
}

function ignore(): void {}
