/**
 * Items on their way from those who make them to those who work on them: who makes faster than is worked on waits.
 *
 * It does not know the work. That an item is done is said by whoever got it, with `taskDone()`, and `join()` waits
 * for that and for nothing else.
 *
 * Invariant: gets wait only while it is empty and open, puts only while it is full and open; an item goes straight
 * to whoever has waited longest for it. Each item that was taken in is given to one get, or returned by `close()`.
 */
import { ClosedError } from '../errors.js'
import { refuseWait, type WaitOptions } from './abort.js'
import type { Clock } from './clock.js'
import type { ItemStore } from './item-store.js'
import { RingBuffer } from './ring-buffer.js'
import { watchUnawaited } from './unawaited.js'
import { WaitQueue } from './wait-queue.js'

/** How a {@link BoundedQueue} is made. */
export interface BoundedQueueOptions {
  /** So many items may be in it; `Infinity` for no limit. */
  maxSize: number
  /** For `timeoutMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/** How a {@link BoundedQueue} is closed. */
export interface CloseQueueOptions {
  /** Whether what is in can still be got; otherwise it is dropped. @default true */
  drain?: boolean | undefined
}

const DONE = Promise.resolve()
const END: IteratorReturnResult<undefined> = { done: true, value: undefined }

/**
 * A queue with a limit, first in, first out (asyncio.Queue).
 *
 * `null` and `undefined` are no good as items: `tryGet()` uses them to say that there is none. A promise is as good
 * as what it resolves to, except for an iteration.
 *
 * ```ts
 * const queue = new BoundedQueue<string>({ maxSize: 100 })
 * const worker = async () => {
 *   for await (const url of queue) await visit(url)
 * }
 * const workers = [worker(), worker()]
 * for (const url of urls) await queue.put(url)
 * queue.close()
 * await Promise.all(workers)
 * ```
 */
export class BoundedQueue<T> {
  /** The most items that may be in it. */
  readonly maxSize: number

  readonly #store: ItemStore<T>
  readonly #name: string
  /** An iteration waits with itself as what it brings along, and gets results; a get brings nothing and gets an item. */
  readonly #getters: WaitQueue<T | IteratorResult<T, undefined>, object | undefined>
  readonly #putters: WaitQueue<void, T>
  readonly #joiners: WaitQueue
  /** Items that were got and of which nobody has said that they are done. */
  #inHand = 0
  #isClosed = false

  /**
   * @param store Keeps the items, and with them the order. @default first in, first out
   * @throws RangeError unless `maxSize` is a whole number above 0, or Infinity
   */
  constructor({ maxSize, clock }: BoundedQueueOptions, store: ItemStore<T> = new RingBuffer<T>()) {
    if (!(maxSize >= 1) || (maxSize !== Infinity && !Number.isSafeInteger(maxSize))) {
      throw new RangeError(`maxSize must be a whole number above 0, or Infinity, not ${maxSize}`)
    }
    this.maxSize = maxSize
    this.#store = store
    this.#name = new.target.name
    this.#getters = new WaitQueue(`${this.#name}.get()`, clock)
    this.#putters = new WaitQueue(`${this.#name}.put()`, clock)
    this.#joiners = new WaitQueue(`${this.#name}.join()`, clock)
  }

  /** How many items are in it (asyncio's `qsize()`). What waits to be put is not. */
  get size(): number {
    return this.#store.size
  }

  /** Whether no item is in it. */
  get isEmpty(): boolean {
    return this.#store.size === 0
  }

  /** Whether as many items are in it as may be. */
  get isFull(): boolean {
    return this.#store.size >= this.maxSize
  }

  /** Whether it was closed. There may still be items in it. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** How many items are in it or were got and are not done: what `join()` waits for. */
  get unfinished(): number {
    return this.#store.size + this.#inHand
  }

  /** How many wait for an item. */
  get waitingGets(): number {
    return this.#getters.size
  }

  /** How many wait for room. */
  get waitingPuts(): number {
    return this.#putters.size
  }

  /**
   * Puts an item in, as soon as there is room and it is this call's turn. An aborted put has put nothing.
   *
   * @throws ClosedError when the queue is closed, also while this call waits
   * @throws the signal's reason when it aborts, also if it has before
   * @throws TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  put(item: T, options?: WaitOptions): Promise<void> {
    return watchUnawaited(this.#put(item, options), 'BoundedQueue.put()')
  }

  #put(item: T, options: WaitOptions | undefined): Promise<void> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    try {
      return this.tryPut(item) ? DONE : this.#putters.wait(options, item)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Puts an item in if there is room now (asyncio's `put_nowait()`); false where `put()` would wait.
   *
   * @throws ClosedError when the queue is closed: there will never be room
   */
  tryPut(item: T): boolean {
    if (this.#isClosed) throw this.#closedError('put()')
    if (this.#getters.size > 0) this.#handOver(item)
    else if (this.isFull) return false
    else this.#store.add(item)
    return true
  }

  /**
   * Takes the next item out, as soon as there is one and it is this call's turn. An aborted get has taken nothing.
   *
   * @throws ClosedError when the queue is closed and empty, also while this call waits
   * @throws the signal's reason when it aborts, also if it has before
   * @throws TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  get(options?: WaitOptions): Promise<T> {
    return watchUnawaited(this.#get(options), 'BoundedQueue.get()')
  }

  #get(options: WaitOptions | undefined): Promise<T> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    try {
      if (this.#store.size > 0) return Promise.resolve<T>(this.#take())
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#isClosed) return Promise.reject(this.#closedError('get()'))
    return this.#getters.wait(options, undefined) as Promise<T>
  }

  /**
   * Takes the next item out if there is one now (asyncio's `get_nowait()`): `undefined` where `get()` would wait,
   * `null` when the queue is closed and empty. The loop is `while ((item = queue.tryGet()) != null)`. An item that
   * is itself `undefined` or `null` cannot be told from these.
   */
  tryGet(): T | undefined | null {
    if (this.#store.size > 0) return this.#take()
    return this.#isClosed ? null : undefined
  }

  /**
   * The items as they come, up to the end of a closed queue. Several loops share the items: each goes to one of
   * them. Leaving a loop takes nothing more and leaves the queue as it is. The options are for the wait for each
   * item.
   *
   * An item is not done because the loop goes on: where somebody calls `join()`, call `taskDone()`.
   *
   * @throws the signal's reason, TimeoutError and RangeError as `get()`
   */
  items(options?: WaitOptions): AsyncIterableIterator<T, undefined> {
    let isLeft = false
    const iterator: AsyncIterableIterator<T, undefined> = {
      next: () => (isLeft ? Promise.resolve(END) : this.#next(iterator, options)),
      return: () => {
        isLeft = true
        this.#getters.wakeThose(iterator, END)
        return Promise.resolve(END)
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  /** The same as `items()`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    return this.items()
  }

  /**
   * Says that an item that was got is done (asyncio's `task_done()`). Once for each.
   *
   * @throws RangeError when every item that was got is done
   */
  taskDone(): void {
    if (this.#inHand === 0) {
      throw new RangeError(`${this.#name}.taskDone(): called more often than items were got`)
    }
    this.#inHand--
    this.#wakeJoiners()
  }

  /**
   * Waits until every item that was put in is done. What a `put()` still waits with is not counted. On a closed
   * queue it waits for the items that are left, if they were not dropped.
   *
   * @throws the signal's reason when it aborts, also if it has before
   * @throws TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  join(options?: WaitOptions): Promise<void> {
    return watchUnawaited(this.#join(options), 'BoundedQueue.join()')
  }

  #join(options: WaitOptions | undefined): Promise<void> {
    if (this.unfinished > 0) return this.#joiners.wait(options, undefined)
    return (options === undefined ? undefined : refuseWait(options)) ?? DONE
  }

  /**
   * Ends it (asyncio's `shutdown()`): nothing can be put in any more, and puts that wait reject. What is in can
   * still be got, and then gets reject and iterations end. With `drain: false` what is in is dropped and counts as
   * done. Any number of calls; a later one can still drop what an earlier one has left.
   *
   * @returns the items that were dropped, in their order
   */
  close({ drain = true }: CloseQueueOptions = {}): T[] {
    this.#isClosed = true
    this.#putters.rejectAll(() => this.#closedError('put()'))
    while (this.#getters.size > 0) {
      if (this.#getters.nextPayload === undefined) this.#getters.reject(this.#closedError('get()'))
      else this.#getters.wake(END)
    }
    const dropped: T[] = []
    if (!drain) {
      while (this.#store.size > 0) dropped.push(this.#store.take())
      this.#wakeJoiners()
    }
    return dropped
  }

  /** The same as `close()`: what is in can still be got. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** The same as `close()`: what is in can still be got, and nobody waits for it here. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close()
    return DONE
  }

  #next(iterator: object, options: WaitOptions | undefined): Promise<IteratorResult<T, undefined>> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    try {
      if (this.#store.size > 0) return Promise.resolve({ done: false, value: this.#take() })
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#isClosed) return Promise.resolve(END)
    return this.#getters.wait(options, iterator) as Promise<IteratorResult<T, undefined>>
  }

  /** The next item, now that there is one; whoever has waited longest for room gets the room. */
  #take(): T {
    const item = this.#store.take()
    this.#inHand++
    if (this.#putters.size > 0) {
      try {
        this.#store.add(this.#putters.nextPayload as T)
        this.#putters.wake()
      } catch (error) {
        // A store of somebody's own, or its comparison, is at fault: for that item, not for this one.
        this.#putters.reject(error)
      }
    }
    return item
  }

  #handOver(item: T): void {
    const isIteration = this.#getters.nextPayload !== undefined
    this.#inHand++
    this.#getters.wake(isIteration ? { done: false, value: item } : item)
  }

  #wakeJoiners(): void {
    if (this.unfinished === 0) this.#joiners.wakeAll()
  }

  #closedError(call: string): ClosedError {
    return new ClosedError(`${this.#name}.${call}: the queue is closed`)
  }
}
