/**
 * A stream of events for a page's `EventSource`: its head, its events as text, and heartbeats between them.
 *
 * Each client has its own queue and its own end, so that one who is stuck holds up nobody but itself.
 */
import { checkTimeout } from '../concurrency/abort.js'
import { systemClock, type Clock } from '../concurrency/clock.js'
import type { SubscriptionOverflow } from '../concurrency/subscription.js'
import { formatEvent, HEARTBEAT, type ServerSentEvent } from './event-text.js'
import { Heartbeats } from './heartbeats.js'
import type { HttpRequest } from './http-request.js'
import { withDefaults } from './default-fields.js'
import type { HttpFields } from './http-error.js'
import { stream, type HttpResponse } from './http-response.js'
import { PushedEvents, type EventProducer, type EventText } from './pushed-events.js'

/** What is sent: events, texts that are the data of one, and bytes of `encodeEvent()`. */
export type SentEvent = ServerSentEvent | string | Uint8Array

/** How a stream of events is sent. */
export interface ServerSentEventsOptions {
  /** A comment is sent when nothing else was for so long, in milliseconds; Infinity for none. @default 15000 */
  heartbeatMs?: number | undefined
  /** After how long the page connects again, in milliseconds. @default what the browser does */
  retryMs?: number | undefined
  /** How many events of a function wait for a client. @default 1024 */
  capacity?: number | undefined
  /**
   * What becomes of one more: the oldest is dropped, it is dropped itself, or the connection is cut, after which a page
   * connects again and says what it has had. @default 'disconnect'
   */
  onOverflow?: SubscriptionOverflow | undefined
  /** More fields. */
  headers?: HttpFields | undefined
  /** For the heartbeats. @default the clock of the process */
  clock?: Clock | undefined
}

/** Well below the minute after which what lies between gives a silent connection up. */
const DEFAULT_HEARTBEAT_MS = 15_000

/**
 * Answers with a stream of events: what a source gives, one after the other as the client takes them, or what a
 * function sends. It ends with the source, or when the client leaves: a FIN counts as that, since nobody who wants
 * events ends its half. It ends too when the server begins to stop, after which a page connects again, to another.
 * Then the source's iteration is left, and the function's signal aborts.
 *
 * ```ts
 * router.get('/events', (request) =>
 *   sse(request, (send, { lastEventId, signal }) => {
 *     const stop = watch({ since: lastEventId }, ({ id, state }) => send({ id, data: state }))
 *     signal.addEventListener('abort', stop)
 *   }),
 * )
 * ```
 *
 * For many clients of the same events: a Broadcaster of what `encodeEvent()` gives, and `broadcaster.subscribe()` as
 * the source of each.
 *
 * @throws RangeError, TypeError for a source or an option that is none
 */
export function sse(
  request: HttpRequest<object>,
  source: AsyncIterable<SentEvent> | Iterable<SentEvent> | EventProducer,
  options: ServerSentEventsOptions = {},
): HttpResponse {
  const { heartbeatMs = DEFAULT_HEARTBEAT_MS, retryMs, clock = systemClock } = options
  checkTimeout(heartbeatMs, 'heartbeatMs')
  // Something goes at once, so that the page knows that it is connected.
  const first = retryMs === undefined ? HEARTBEAT : formatEvent({ retry: retryMs })
  const events =
    typeof source === 'function'
      ? new PushedEvents(source, {
          lastEventId: lastEventIdOf(request),
          capacity: options.capacity,
          onOverflow: options.onOverflow ?? 'disconnect',
          onDisconnect: (error) => request.connection.abort(error),
        })
      : textsOf(source)
  const body = new Heartbeats(events, {
    first,
    beat: HEARTBEAT,
    everyMs: heartbeatMs,
    clock,
    until: request.connection.draining,
  })
  const made = stream(body, { headers: options.headers })
  made.headers.set('Content-Type', 'text/event-stream')
  return withDefaults(made, {
    'Cache-Control': 'no-store',
    // nginx would gather events into blocks.
    'X-Accel-Buffering': 'no',
  })
}

/** No generator: its `return()` would wait for the source's next event before the source hears of it. */
function textsOf(
  source: AsyncIterable<SentEvent> | Iterable<SentEvent>,
): AsyncIterator<EventText, undefined> {
  // A text can be iterated over as well, letter by letter.
  if (typeof source !== 'object' || source === null) {
    throw new TypeError(`source must be a function or an iterable of events, not ${typeof source}`)
  }
  const events =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  return {
    async next() {
      const { done, value } = await events.next()
      if (done === true) return { done: true, value: undefined }
      return { done: false, value: value instanceof Uint8Array ? value : formatEvent(value) }
    },
    async return() {
      await events.return?.()
      return { done: true, value: undefined }
    },
  }
}

/** An event as bytes, to be encoded once for many clients. @throws TypeError, RangeError as `formatEvent()` */
export function encodeEvent(event: ServerSentEvent | string): Uint8Array {
  return Buffer.from(formatEvent(event))
}

/** The id of the last event that a client has had, when it connects again: for what it has missed. */
export function lastEventIdOf({ headers }: HttpRequest<object>): string | undefined {
  const value = headers.get('last-event-id')
  // Pages send UTF-8, fields are octets.
  return value === undefined ? undefined : Buffer.from(value, 'latin1').toString()
}
