/**
 * What a source gives, and a beat whenever it has given nothing for a while: a peer that has gone is found out by what
 * is sent to it, and what lies between does not take the connection for dead.
 *
 * Invariant: it asks the source for one item at a time, and only when it is asked itself; leaving it ends a call that
 * waits, whatever the source is busy with.
 */
import { onAbort } from '../concurrency/abort.js'
import { setAlarm } from '../concurrency/alarm.js'
import type { Clock } from '../concurrency/clock.js'
import { deferred, unobserved, type Deferred } from '../concurrency/deferred.js'

const END: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** A call of `next()` that waits. */
interface Waiting<T> extends Deferred<IteratorResult<T, undefined>> {
  readonly callOff: () => void
}

export interface HeartbeatOptions<T> {
  /** Comes at once, before the source is asked for anything. */
  first: T
  beat: T
  /** In milliseconds; Infinity for no beats. */
  everyMs: number
  clock: Clock
  /** Ends it as if the source had ended. */
  until: AbortSignal
}

export class Heartbeats<T> implements AsyncIterableIterator<T, undefined> {
  readonly #source: AsyncIterator<T, unknown>
  #first: IteratorYieldResult<T> | undefined
  readonly #beat: IteratorYieldResult<T>
  readonly #everyMs: number
  readonly #clock: Clock
  /** A step of the source that no call has been given yet. */
  #step: Promise<IteratorResult<T, unknown>> | undefined
  #waiting: Waiting<T> | undefined
  readonly #until: AbortSignal
  #stopListening: (() => void) | undefined
  #isOver = false

  constructor(
    source: AsyncIterator<T, unknown>,
    { first, beat, everyMs, clock, until }: HeartbeatOptions<T>,
  ) {
    this.#source = source
    this.#first = { done: false, value: first }
    this.#beat = { done: false, value: beat }
    this.#everyMs = everyMs
    this.#clock = clock
    this.#until = until
  }

  /** The next item or beat; one call at a time. @throws what the source throws */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return Promise.resolve(END)
    if (this.#until.aborted) return this.return()
    this.#stopListening ??= onAbort(this.#until, () => void this.return())
    if (this.#first !== undefined) {
      const first = Promise.resolve(this.#first)
      this.#first = undefined
      return first
    }
    const beat = (): void => this.#take(waiting)?.resolve(this.#beat)
    const waiting: Waiting<T> = {
      ...deferred(),
      callOff: setAlarm(beat, this.#everyMs, this.#clock),
    }
    this.#waiting = waiting
    this.#step ??= this.#source.next()
    // Where a beat comes first the step is left to the next call, which listens to it as well.
    this.#step.then(
      (result) => {
        if (this.#take(waiting) === undefined) return
        this.#step = undefined
        if (result.done === true) this.#end()
        waiting.resolve(result.done === true ? END : result)
      },
      (error: unknown) => {
        if (this.#take(waiting) === undefined) return
        this.#end()
        waiting.reject(error)
      },
    )
    return waiting.promise
  }

  /** Ends it, and the source with it, for which nobody waits: a generator ends only when what it awaits has. */
  return(): Promise<IteratorResult<T, undefined>> {
    if (!this.#isOver) {
      this.#end()
      if (this.#waiting !== undefined) this.#take(this.#waiting)?.resolve(END)
      const left = this.#source.return?.()
      if (left !== undefined) void unobserved(Promise.resolve(left))
    }
    return Promise.resolve(END)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #end(): void {
    this.#isOver = true
    this.#stopListening?.()
  }

  /** The call, if it still waits; it does no more. */
  #take(waiting: Waiting<T>): Waiting<T> | undefined {
    if (this.#waiting !== waiting) return undefined
    this.#waiting = undefined
    waiting.callOff()
    return waiting
  }
}
