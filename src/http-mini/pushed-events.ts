/**
 * Events that a function sends whenever it likes, as an iteration: between the two lies a queue with a limit, so that
 * who sends never waits for the peer.
 *
 * The function is called when the first event is asked for, and told by a signal when nobody asks any more.
 */
import { controllerForMany } from '../concurrency/abort-scope.js'
import { onAbort } from '../concurrency/abort.js'
import { Broadcaster } from '../concurrency/broadcaster.js'
import type { Subscription, SubscriptionOverflow } from '../concurrency/subscription.js'
import { ClosedError } from '../errors.js'
import { formatEvent, type ServerSentEvent } from './event-text.js'

/** Sends an event: whether it was taken. After the end it is not, and nothing else happens. */
export type SendEvent = (event: ServerSentEvent | string | Uint8Array) => boolean

/** What a function that sends events is given besides the call to send them. */
export interface EventChannel {
  /** The id of the last event that the client had, when it connects again. */
  readonly lastEventId: string | undefined
  /** Aborts when the stream ends, by whatever end. */
  readonly signal: AbortSignal
  /** How many events the client was too slow for. */
  readonly dropped: number
  /** Ends the stream after what was sent. */
  close(): void
}

/**
 * Sends events. When it returns a promise the stream ends as that settles, with an error when it rejects; otherwise it
 * ends when the client leaves, or with `close()`.
 */
export type EventProducer = (send: SendEvent, channel: EventChannel) => void | Promise<void>

/** How events wait for the peer. */
export interface PushedEventsOptions {
  lastEventId: string | undefined
  capacity: number | undefined
  onOverflow: SubscriptionOverflow
  /** The peer did not keep up, and was to be disconnected for it. */
  onDisconnect: (error: unknown) => void
}

/** An event as it is sent. */
export type EventText = string | Uint8Array

export class PushedEvents implements AsyncIterator<EventText, undefined> {
  readonly #produce: EventProducer
  readonly #lastEventId: string | undefined
  readonly #queue = new Broadcaster<EventText>()
  readonly #subscription: Subscription<EventText>
  readonly #controller = controllerForMany()
  #failure: { readonly error: unknown } | undefined
  #isStarted = false

  /** @throws RangeError for a `capacity` or an `onOverflow` that is none */
  constructor(produce: EventProducer, options: PushedEventsOptions) {
    const { lastEventId, capacity, onOverflow, onDisconnect } = options
    this.#produce = produce
    this.#lastEventId = lastEventId
    this.#subscription = this.#queue.subscribe({ capacity, onOverflow })
    const { signal } = this.#subscription
    onAbort(signal, () => {
      this.#end(signal.reason)
      onDisconnect(signal.reason)
    })
  }

  async next(): Promise<IteratorResult<EventText, undefined>> {
    if (!this.#isStarted) this.#start()
    const result = await this.#subscription.next()
    if (result.done === true && this.#failure !== undefined) throw this.#failure.error
    return result
  }

  return(): Promise<IteratorResult<EventText, undefined>> {
    this.#isStarted = true
    this.#end(new ClosedError('the client has left'))
    return this.#subscription.return()
  }

  #start(): void {
    this.#isStarted = true
    const fail = (error: unknown): void => {
      this.#failure = { error }
      this.#end(error)
    }
    const end = (): void => this.#end(new ClosedError('the stream of events has ended'))
    const subscription = this.#subscription
    const channel: EventChannel = {
      lastEventId: this.#lastEventId,
      signal: this.#controller.signal,
      get dropped() {
        return subscription.dropped
      },
      close: end,
    }
    try {
      const done = this.#produce((event) => this.#send(event), channel)
      if (done instanceof Promise) done.then(end, fail)
    } catch (error) {
      fail(error)
    }
  }

  #send(event: ServerSentEvent | string | Uint8Array): boolean {
    const text = event instanceof Uint8Array ? event : formatEvent(event)
    return !this.#queue.isClosed && this.#queue.publish(text) > 0
  }

  #end(reason: unknown): void {
    this.#queue.close()
    this.#controller.abort(reason)
  }
}
