/**
 * Lines that came without being asked for, until somebody takes them. At most so many are kept: then the oldest
 * makes room, since the newest says how things stand. It never reads, and never holds the peer back.
 */
import { checkTimeout, type WaitOptions } from '../concurrency/abort.js'
import { rejected } from '../concurrency/deferred.js'
import { TimeoutError } from '../errors.js'
import type { Clock } from '../concurrency/clock.js'
import { EarliestDeadline } from './earliest-deadline.js'
import { PendingCall } from './pending-call.js'

type Taker = PendingCall<string | null>

export class UnaskedLines {
  readonly #max: number
  readonly #clock: Clock
  readonly #deadline: EarliestDeadline
  /** An Error stands for a line that could not be read. */
  readonly #items: (string | Error)[] = []
  readonly #takers = new Set<Taker>()
  /** What follows the last line: null for an end, else the error that every taker gets. */
  #end: Error | null | undefined
  #dropped = 0

  constructor(max: number, clock: Clock) {
    this.#max = max
    this.#clock = clock
    this.#deadline = new EarliestDeadline(clock, (now) => this.#expire(now))
  }

  /** How many were thrown away because nobody took them. */
  get dropped(): number {
    return this.#dropped
  }

  put(item: string | Error): void {
    const [taker] = this.#takers
    if (taker !== undefined) {
      this.#takers.delete(taker)
      if (typeof item === 'string') taker.resolve(item)
      else taker.reject(item)
      return
    }
    this.#items.push(item)
    if (this.#items.length > this.#max) {
      this.#items.shift()
      this.#dropped++
    }
  }

  /** No more will come. Those that are kept can still be taken. */
  finish(end: Error | null): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#deadline.stop()
    for (const taker of this.#takers) {
      if (end === null) taker.resolve(null)
      else taker.reject(end)
    }
    this.#takers.clear()
  }

  /** The oldest; null at the end, undefined when none is there. @throws what stands for a line, and the end's error */
  tryTake(): string | null | undefined {
    const item = this.#items.shift()
    if (item === undefined) {
      if (this.#end instanceof Error) throw this.#end
      return this.#end
    }
    if (typeof item === 'string') return item
    throw item
  }

  /** The oldest, as soon as there is one; null at the end. */
  take(options: WaitOptions): Promise<string | null> {
    try {
      checkTimeout(options.timeoutMs)
      options.signal?.throwIfAborted()
      const now = this.tryTake()
      if (now !== undefined) return Promise.resolve(now)
    } catch (error) {
      return error === this.#end ? rejected(error) : Promise.reject(error)
    }
    const { signal, timeoutMs = Infinity } = options
    const taker: Taker = new PendingCall(this.#clock.now(), timeoutMs)
    if (signal !== undefined) {
      taker.heed(signal, (reason) => {
        this.#takers.delete(taker)
        taker.reject(reason)
      })
    }
    this.#takers.add(taker)
    this.#deadline.expect(taker.due)
    return taker.promise
  }

  #expire(now: number): number {
    let soonest = Infinity
    for (const taker of this.#takers) {
      if (taker.due > now) {
        soonest = Math.min(soonest, taker.due)
        continue
      }
      this.#takers.delete(taker)
      const { timeoutMs } = taker
      taker.reject(new TimeoutError(`no line came within ${timeoutMs} ms`, 'call', timeoutMs))
    }
    return soonest
  }
}
