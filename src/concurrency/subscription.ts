/**
 * One subscriber's share of a broadcast: the messages that it has yet to read, at most so many, and what becomes of
 * one more.
 *
 * It never asks for messages: the broadcaster offers each, in constant time, and calls nothing of the user's while it
 * does.
 *
 * Invariant: reads wait only while it is open and holds nothing; once it has ended the broadcaster and the signal have
 * forgotten it.
 */
import { ClosedError } from '../errors.js'
import { onAbort, refuseWait, type WaitOptions } from './abort.js'
import { controllerForMany } from './abort-scope.js'
import type { Clock } from './clock.js'
import { RingBuffer } from './ring-buffer.js'
import { watchUnawaited } from './unawaited.js'
import { WaitQueue } from './wait-queue.js'

/** What becomes of a message for a subscription that holds as many as it may. */
export type SubscriptionOverflow = 'drop-oldest' | 'drop-newest' | 'disconnect'

/** How a subscription, or a broadcaster, is closed. */
export interface CloseSubscriptionOptions {
  /** Whether what is held can still be read; otherwise it is dropped. @default true */
  drain?: boolean | undefined
}

/** @internal */
export interface SubscriptionSettings {
  readonly capacity: number
  readonly onOverflow: SubscriptionOverflow
  readonly signal: AbortSignal | undefined
  readonly clock: Clock | undefined
  /** Called when it ends, once. */
  readonly leave: () => void
}

/** `failure` is there when it did not just end: every read gives that error, after what is held. */
interface Ending {
  readonly failure: { readonly error: unknown } | undefined
}

const DONE = Promise.resolve()
const END: IteratorReturnResult<undefined> = { done: true, value: undefined }
const CLOSED: Ending = { failure: undefined }

/**
 * What `Broadcaster.subscribe()` gives: the messages from then on, to be read one by one or in a loop. Several reads at
 * once share the messages, each goes to one of them. Leaving a loop unsubscribes.
 *
 * ```ts
 * for await (const price of prices.subscribe({ signal })) show(price)
 * ```
 */
export class Subscription<T> implements AsyncIterableIterator<T, undefined> {
  /** The most messages that it holds. */
  readonly capacity: number
  /** What becomes of a message when it holds so many. */
  readonly onOverflow: SubscriptionOverflow

  readonly #leave: () => void
  /** An iteration waits with `true`, and gets results; a get waits with `false`, and gets a message. */
  readonly #waiters: WaitQueue<T | IteratorResult<T, undefined>, boolean>
  readonly #stopListening: () => void
  /** Made for the first message that nobody waits for. */
  #held: RingBuffer<T> | undefined
  #dropped = 0
  #ending: Ending | undefined
  /** Made when somebody asks for the signal. */
  #controller: AbortController | undefined

  /** @internal */
  constructor({ capacity, onOverflow, signal, clock, leave }: SubscriptionSettings) {
    this.capacity = capacity
    this.onOverflow = onOverflow
    this.#leave = leave
    this.#waiters = new WaitQueue('Subscription.get()', clock)
    this.#stopListening = onAbort(signal, () => {
      this.#held = undefined
      this.fail(signal?.reason)
    })
  }

  /** How many messages it holds. */
  get size(): number {
    return this.#held?.size ?? 0
  }

  /** How many messages it was too slow for, over its whole life. What `close()` drops is not counted. */
  get dropped(): number {
    return this.#dropped
  }

  /** Whether it has ended, so that no more messages come in. There may still be some in it. */
  get isClosed(): boolean {
    return this.#ending !== undefined
  }

  /**
   * Aborts when it ends early: with SlowConsumerError at the very moment when it is disconnected, or with the reason of
   * the signal that it was made with. For what else must not go on then, such as a write to the peer that is too slow.
   */
  get signal(): AbortSignal {
    this.#controller ??= controllerForMany()
    if (this.#ending?.failure !== undefined) this.#controller.abort(this.#ending.failure.error)
    return this.#controller.signal
  }

  /**
   * The next message, as soon as there is one and it is this call's turn. An aborted get has taken nothing.
   *
   * @throws ClosedError when it is closed, or its broadcaster is, and holds nothing; also while this call waits
   * @throws SlowConsumerError when it was disconnected, after what it holds
   * @throws the reason of the signal that it was made with, once that has aborted
   * @throws the signal's reason when it aborts, also if it has before
   * @throws TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  get(options?: WaitOptions): Promise<T> {
    return watchUnawaited(this.#get(options), 'Subscription.get()')
  }

  /**
   * The next message if there is one now: `undefined` where `get()` would wait, `null` when it is closed and holds
   * nothing. The loop is `while ((message = subscription.tryGet()) != null)`. A message that is itself `undefined` or
   * `null` cannot be told from these.
   *
   * @throws SlowConsumerError when it was disconnected, after what it holds
   * @throws the reason of the signal that it was made with, once that has aborted
   */
  tryGet(): T | undefined | null {
    if (this.size > 0) return this.#take()
    if (this.#ending === undefined) return undefined
    if (this.#ending.failure !== undefined) throw this.#ending.failure.error
    return null
  }

  /** A step of an iteration: as `get()`, but the end of what a closed one holds is the end of the loop. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.size > 0) return Promise.resolve({ done: false, value: this.#take() })
    if (this.#ending === undefined) {
      return this.#waiters.wait(undefined, true) as Promise<IteratorResult<T, undefined>>
    }
    const { failure } = this.#ending
    return failure === undefined ? Promise.resolve(END) : Promise.reject(failure.error)
  }

  /** The end of a loop that is left: closes it, and drops what it holds. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.close({ drain: false })
    return Promise.resolve(END)
  }

  /** It is its own iterator: there is one share of the messages, however many loops there are. */
  [Symbol.asyncIterator](): this {
    return this
  }

  /**
   * Unsubscribes: nothing more comes in. What is held can still be read, and then gets reject and iterations end. Any
   * number of calls; a later one can still drop what an earlier one has left.
   */
  close({ drain = true }: CloseSubscriptionOptions = {}): void {
    if (!drain) this.#held = undefined
    if (!this.#end(CLOSED)) return
    while (this.#waiters.size > 0) {
      if (this.#waiters.nextPayload === true) this.#waiters.wake(END)
      else this.#waiters.reject(closedError())
    }
  }

  /** The same as `close()`: what is held can still be read. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** The same as `close()`: what is held can still be read, and nobody waits for it here. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close()
    return DONE
  }

  // ---- the side of the broadcaster

  /**
   * Takes a message in, or does what its overflow says; tells whether the message was taken, and whether one was
   * dropped for it. A message that is not taken has been dropped.
   * @internal
   */
  offer(message: T): 'taken' | 'taken for another' | 'dropped' {
    if (this.#waiters.size > 0) {
      const isIteration = this.#waiters.nextPayload === true
      this.#waiters.wake(isIteration ? { done: false, value: message } : message)
      return 'taken'
    }
    this.#held ??= new RingBuffer()
    const isFull = this.#held.size >= this.capacity
    if (isFull) {
      this.#dropped++
      if (this.onOverflow !== 'drop-oldest') return 'dropped'
      this.#held.take()
    }
    this.#held.add(message)
    return isFull ? 'taken for another' : 'taken'
  }

  /**
   * Ends it with an error, after what it holds.
   * @internal
   */
  fail(error: unknown): void {
    if (!this.#end({ failure: { error } })) return
    this.#waiters.rejectAll(() => error)
    this.#controller?.abort(error)
  }

  #get(options: WaitOptions | undefined): Promise<T> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    if (this.size > 0) return Promise.resolve<T>(this.#take())
    if (this.#ending === undefined) return this.#waiters.wait(options, false) as Promise<T>
    const { failure } = this.#ending
    return Promise.reject(failure === undefined ? closedError() : failure.error)
  }

  #take(): T {
    const held = this.#held as RingBuffer<T>
    const message = held.take()
    // What has ended is often kept for its count of drops; the room for messages need not be.
    if (held.size === 0 && this.#ending !== undefined) this.#held = undefined
    return message
  }

  /** False when it has ended before. */
  #end(ending: Ending): boolean {
    if (this.#ending !== undefined) return false
    this.#ending = ending
    this.#stopListening()
    this.#leave()
    return true
  }
}

function closedError(): ClosedError {
  return new ClosedError('Subscription.get(): the subscription is closed')
}
