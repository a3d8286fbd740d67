/**
 * Calls whose promise nobody awaits: handed out, and collected as garbage, or still there at the end, without a
 * `then`, an `await` or anything else that waits for it.
 *
 * A hook into V8 tells of each promise that is made to wait for another one; that is exact, and changes neither the
 * promises nor their order, but makes all promises of the process slower. (Nothing calls the `then` of a native
 * promise for `await`, and a class of our own would take more turns of the job queue, so that a program in debug mode
 * would run in another order.) The one thing it does not see is `for await` over an array of promises.
 *
 * Invariant: `#pending` has the calls that nobody has awaited so far, at most `MAX_PENDING`; it holds no promise.
 */
import { promiseHooks } from 'node:v8'
import {
  isMarkedHandled,
  setUnawaitedHook,
  watchUnawaited,
  type UnawaitedHook,
} from '../concurrency/unawaited.js'
import type { Logger } from '../logger.js'
import { placeOf, takeStack } from './call-site.js'

/** Calls of one place whose promise nobody has awaited. */
export interface UnawaitedCall {
  /** `StreamWriter.drain()`. */
  readonly call: string
  /** The line of the program. */
  readonly place: string
  /** How often so far. */
  readonly count: number
  /** The stack of the first one. */
  readonly stack: string
}

interface PendingCall {
  readonly call: string
  readonly calledAt: Error
  /** The turn of the loop in which it was called. */
  readonly turn: number
}

/** Calls beyond it are not watched: a program that keeps as many promises for later does so on purpose. */
const MAX_PENDING = 10_000
/** Places beyond it are told of together. */
const MAX_PLACES = 1000
const OTHER_PLACE = '(other)'

/** Watches the calls that go through {@link watchUnawaited}. */
export class UnawaitedCalls {
  readonly #log: Logger
  readonly #pending = new Set<PendingCall>()
  /** Of promises that nobody has awaited so far. */
  readonly #callOf = new WeakMap<Promise<unknown>, PendingCall>()
  /** Promises that were handed out before: some are shared by many calls. */
  readonly #seen = new WeakSet<Promise<unknown>>()
  readonly #places = new Map<string, UnawaitedCall>()
  readonly #collected = new FinalizationRegistry<PendingCall>((call) => {
    if (this.#pending.delete(call)) this.#report(call)
  })
  #stopHook: (() => void) | undefined
  #isCopying = false
  #turn = 0
  #immediate: NodeJS.Immediate | undefined

  constructor(log: Logger) {
    this.#log = log
  }

  start(): void {
    this.#stopHook = promiseHooks.onInit(this.#onPromise) as () => void
    setUnawaitedHook(this.#watch)
  }

  /** Ends watching. What is pending is forgotten. */
  stop(): void {
    setUnawaitedHook(undefined)
    this.#stopHook?.()
    clearImmediate(this.#immediate)
    this.#pending.clear()
  }

  /** What was told of so far, by place. */
  list(): UnawaitedCall[] {
    return [...this.#places.values()]
  }

  /** Warns of those of earlier turns that are still there and that nobody has awaited; with `all` also of this turn. */
  reportPending(all: boolean): void {
    for (const call of this.#pending) {
      if (!all && call.turn === this.#turn) continue
      this.#pending.delete(call)
      this.#report(call)
    }
  }

  readonly #watch: UnawaitedHook = (promise, call) => this.watch(promise, call, watchUnawaited)

  /** Watches what the caller of `below` hands out, and gives it back, or a promise of its own for it. */
  watch<T>(promise: Promise<T>, call: string, below: (...args: never[]) => unknown): Promise<T> {
    const own = this.#seen.has(promise) ? this.#copy(promise) : promise
    this.#seen.add(own)
    if (this.#pending.size >= MAX_PENDING) return own
    const pending: PendingCall = {
      call,
      calledAt: takeStack(`${call} was called here`, below),
      turn: this.#turn,
    }
    this.#pending.add(pending)
    this.#callOf.set(own, pending)
    this.#collected.register(own, pending, pending)
    this.#immediate ??= setImmediate(this.#nextTurn).unref()
    return own
  }

  readonly #onPromise = (
    _promise: Promise<unknown>,
    parent: Promise<unknown> | undefined,
  ): void => {
    if (parent === undefined || this.#isCopying || isMarkedHandled()) return
    const call = this.#callOf.get(parent)
    if (call === undefined) return
    this.#callOf.delete(parent)
    this.#pending.delete(call)
    this.#collected.unregister(call)
  }

  readonly #nextTurn = (): void => {
    this.#turn++
    this.#immediate = undefined
  }

  /** A promise of its own for a call that hands out one that others have, too. */
  #copy<T>(promise: Promise<T>): Promise<T> {
    this.#isCopying = true
    try {
      const copy = promise.then((value) => value)
      // The kit's own errors never end the process for want of an await.
      copy.catch(ignore)
      return copy
    } finally {
      this.#isCopying = false
    }
  }

  #report({ call, calledAt }: PendingCall): void {
    // The first frame is the call itself.
    const found = placeOf(calledAt, 1)
    const key = `${call} ${found}`
    const isFull = this.#places.size >= MAX_PLACES && !this.#places.has(key)
    const place = isFull ? OTHER_PLACE : found
    const before = this.#places.get(isFull ? OTHER_PLACE : key)
    const count = (before?.count ?? 0) + 1
    this.#places.set(isFull ? OTHER_PLACE : key, {
      call: isFull ? OTHER_PLACE : call,
      place,
      count,
      stack: before?.stack ?? calledAt.stack ?? '',
    })
    // The 1st, the 10th, the 100th …: a loop that forgets an await would fill the log.
    if (!Number.isInteger(Math.log10(count))) return
    const times = count === 1 ? '' : ` (${count} times so far)`
    this.#log.warn(
      { call, place, count, err: calledAt },
      `${call} was never awaited; it was called at ${found}${times}`,
    )
  }
}

function ignore(): void {}
