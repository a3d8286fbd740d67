/**
 * One message to all who listen: each subscriber has a queue of its own with a limit, and who publishes never waits for
 * any of them.
 *
 * It keeps no message itself, and nothing for those who subscribe later. It copies nothing either: all subscribers are
 * given the same value, so that what is sent to many peers is encoded once, before it is published.
 *
 * Invariant: each subscriber is given the messages in the order of publishing, and a gap is counted in `dropped`. No
 * code of the user's runs before a message is with all who listen.
 */
import { ClosedError, SlowConsumerError } from '../errors.js'
import { checkCount } from './check-count.js'
import type { Clock } from './clock.js'
import { LinkedList, type Linked } from './linked-list.js'
import {
  Subscription,
  type CloseSubscriptionOptions,
  type SubscriptionOverflow,
} from './subscription.js'

const OVERFLOWS: readonly string[] = ['drop-oldest', 'drop-newest', 'disconnect']

/** Arbitrary: a second of a thousand messages a second; they are shared, so that it costs 8 KiB a subscriber. */
const DEFAULT_CAPACITY = 1024

/** How a {@link Broadcaster} is made. */
export interface BroadcasterOptions {
  /** For the `timeoutMs` of its subscriptions. @default the clock of the process */
  clock?: Clock | undefined
}

/** What {@link Broadcaster.subscribe} takes. */
export interface SubscribeOptions {
  /** Ends the subscription: what it holds is dropped, and reads reject with `signal.reason`. */
  signal?: AbortSignal | undefined
  /** How many messages it holds that are not yet read. @default 1024 */
  capacity?: number | undefined
  /**
   * What becomes of one more: it takes the place of the oldest, it is dropped itself, or the subscription ends with a
   * SlowConsumerError after what it holds. @default 'drop-oldest'
   */
  onOverflow?: SubscriptionOverflow | undefined
}

interface Subscribed<T> extends Linked<Subscribed<T>> {
  readonly subscription: Subscription<T>
}

/**
 * A broadcast to any number of subscribers.
 *
 * ```ts
 * const news = new Broadcaster<Buffer>()
 * const server = await startServer(async ({ writer, signal }) => {
 *   await writer.pipeFrom(news.subscribe({ signal }))
 * })
 * news.publish(Buffer.from('it is noon\n'))
 * ```
 *
 * asyncio has none; there it is a list of queues, which grow without limit or hold up who puts.
 */
export class Broadcaster<T> {
  readonly #clock: Clock | undefined
  readonly #subscribed = new LinkedList<Subscribed<T>>()
  #published = 0
  #dropped = 0
  #isClosed = false

  constructor({ clock }: BroadcasterOptions = {}) {
    this.#clock = clock
  }

  /** How many subscribe now. */
  get subscribers(): number {
    return this.#subscribed.size
  }

  /** How many messages were published. */
  get published(): number {
    return this.#published
  }

  /** How many messages all subscribers together were too slow for, those that have gone included. */
  get dropped(): number {
    return this.#dropped
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Gives a message to all who subscribe now, in constant time for each, and never waits. A subscriber that has no room
   * for it does what its `onOverflow` says, and the others notice nothing.
   *
   * @returns how many were given the message, or will be when they have read what they hold
   * @throws ClosedError when it is closed
   */
  publish(message: T): number {
    if (this.#isClosed) throw closedError('publish()')
    this.#published++
    let taken = 0
    let disconnected: Subscription<T>[] | undefined
    let one = this.#subscribed.first
    while (one !== undefined) {
      const { subscription, next } = one
      const outcome = subscription.offer(message)
      if (outcome !== 'taken') this.#dropped++
      if (outcome !== 'dropped') {
        taken++
      } else if (subscription.onOverflow === 'disconnect') {
        this.#subscribed.remove(one)
        disconnected ??= []
        disconnected.push(subscription)
      }
      one = next
    }
    // Only now: whoever listens to their signals may subscribe, unsubscribe and publish.
    if (disconnected !== undefined) {
      for (const subscription of disconnected) {
        subscription.fail(new SlowConsumerError({ heldMessages: subscription.capacity }))
      }
    }
    return taken
  }

  /**
   * Subscribes to what is published from now on. The subscription ends when it is closed, when a loop over it is left,
   * when its signal aborts, or with the broadcaster; then nothing of it is left here or on the signal.
   *
   * @throws the signal's reason when it has aborted before
   * @throws ClosedError when the broadcaster is closed
   * @throws RangeError unless `capacity` is a whole number above 0 and `onOverflow` one of the three
   */
  subscribe({
    signal,
    capacity = DEFAULT_CAPACITY,
    onOverflow = 'drop-oldest',
  }: SubscribeOptions = {}): Subscription<T> {
    checkCount('capacity', capacity)
    if (!OVERFLOWS.includes(onOverflow)) {
      throw new RangeError(
        `onOverflow must be 'drop-oldest', 'drop-newest' or 'disconnect', not '${onOverflow}'`,
      )
    }
    signal?.throwIfAborted()
    if (this.#isClosed) throw closedError('subscribe()')
    const subscription = new Subscription<T>({
      capacity,
      onOverflow,
      signal,
      clock: this.#clock,
      leave: () => {
        this.#subscribed.remove(subscribed)
      },
    })
    const subscribed: Subscribed<T> = { subscription, previous: undefined, next: undefined }
    this.#subscribed.push(subscribed)
    return subscription
  }

  /**
   * Ends it: nothing can be published any more, and all subscriptions end, each when what it holds is read, or now with
   * `drain: false`. A second call does nothing.
   */
  close(options?: CloseSubscriptionOptions): void {
    this.#isClosed = true
    for (const { subscription } of this.#subscribed.toArray()) subscription.close(options)
  }

  /** The same as `close()`: what subscriptions hold can still be read. */
  [Symbol.dispose](): void {
    this.close()
  }
}

function closedError(call: string): ClosedError {
  return new ClosedError(`Broadcaster.${call}: the broadcaster is closed`)
}
