/**
 * Judges the history of a line protocol: who asked what, what reached the server, who got which reply, who ended how.
 *
 * Each request carries a token that no other has. From the tokens alone it follows whether replies came once, in
 * order, to whom they belong, and whether what was acknowledged was delivered. It needs no knowledge of the protocol.
 */

/** One event, in the order in which the test saw it. */
export type HistoryEvent =
  /** A connection sent a request; it may or may not arrive. */
  | { readonly kind: 'request'; readonly connection: string; readonly token: string }
  /** The server carried a request out. */
  | { readonly kind: 'delivery'; readonly token: string }
  /** A connection got a reply. */
  | { readonly kind: 'reply'; readonly connection: string; readonly token: string }
  /** A connection ended: cleanly, by which every request was to be answered, or broken. */
  | { readonly kind: 'end'; readonly connection: string; readonly isClean: boolean }

/** What a history may not have. */
export type HistoryViolation =
  /** Two requests have one token: a mistake of the test. */
  | 'token-used-twice'
  /** A connection went on after its end: a mistake of the test. */
  | 'event-after-end'
  /** A reply to, or a delivery of, what nobody had asked by then. */
  | 'unknown-reply'
  | 'unknown-delivery'
  | 'duplicate-reply'
  | 'duplicate-delivery'
  /** A reply came to another connection than asked. */
  | 'cross-talk'
  /** A reply, or a delivery, came before that of an earlier request of its connection. */
  | 'reply-out-of-order'
  | 'delivery-out-of-order'
  /** A reply to what the server had not carried out by then; looked for where deliveries are recorded at all. */
  | 'acknowledged-undelivered'
  /** A connection ended cleanly, and a request of it was not answered. */
  | 'unanswered'

/** A history has something that it may not have. */
export class HistoryError extends Error {
  readonly violation: HistoryViolation
  /** The index of the event that is wrong: the first such in the history. */
  readonly index: number
  readonly event: HistoryEvent
  /** The events around it that have to do with it, it among them. */
  readonly around: readonly HistoryEvent[]

  constructor(
    violation: HistoryViolation,
    words: string,
    index: number,
    history: readonly HistoryEvent[],
  ) {
    const event = history[index] as HistoryEvent
    const picked = eventsAround(history, index)
    const lines = picked.map((at) => {
      const mark = at === index ? '>' : ' '
      return `${mark} ${String(at).padStart(6)}  ${describe(history[at] as HistoryEvent)}`
    })
    super([`event ${index}: ${words} (${violation})`, ...lines].join('\n'))
    this.name = 'HistoryError'
    this.violation = violation
    this.index = index
    this.event = event
    this.around = picked.map((at) => history[at] as HistoryEvent)
  }
}

export interface CheckHistoryOptions {
  /**
   * Whether deliveries were recorded, so that each reply needs one before it. Say true where they were: a server that
   * acknowledges and carries nothing out at all leaves no trace of them. @default whether the history has any
   */
  deliveries?: boolean | undefined
}

/** How much of the history an error shows: enough to see what led to it. Arbitrary. */
const EVENTS_BEFORE = 8
const EVENTS_AFTER = 3

interface Asked {
  readonly connection: string
  isDelivered: boolean
  isAnswered: boolean
}

/** The requests of one connection, in order; what is answered or delivered is a beginning of them. */
interface Talk {
  readonly tokens: string[]
  answered: number
  delivered: number
  hasEnded: boolean
}

/**
 * Checks a whole history, from its first event on.
 *
 * Deliveries are checked where they are recorded: then each reply needs one before it. Requests may be lost, behind the
 * last one that arrived, on a connection that breaks or has not ended.
 *
 * @throws HistoryError for the first violation
 * @throws TypeError for what is no array, and for a kind of event that does not exist
 */
export function checkHistory(
  history: readonly HistoryEvent[],
  options: CheckHistoryOptions = {},
): void {
  if (!Array.isArray(history)) {
    throw new TypeError(`history must be an array of events, not ${typeof history}`)
  }
  const { deliveries = history.some(({ kind }) => kind === 'delivery') } = options
  const asked = new Map<string, Asked>()
  const talks = new Map<string, Talk>()
  history.forEach((event, index) => {
    const wrong = (violation: HistoryViolation, words: string): HistoryError =>
      new HistoryError(violation, words, index, history)
    const request = 'token' in event ? asked.get(event.token) : undefined
    const talk = 'connection' in event ? talkOf(talks, event.connection) : undefined
    if (talk?.hasEnded === true) throw wrong('event-after-end', 'the connection had ended')
    switch (event.kind) {
      case 'request': {
        const { connection, token } = event
        if (request !== undefined) throw wrong('token-used-twice', `${token} was asked before`)
        asked.set(token, { connection, isDelivered: false, isAnswered: false })
        talk?.tokens.push(token)
        return
      }
      case 'delivery': {
        const { token } = event
        if (request === undefined) throw wrong('unknown-delivery', `nobody had asked ${token}`)
        if (request.isDelivered)
          throw wrong('duplicate-delivery', `${token} was carried out before`)
        const carried = talkOf(talks, request.connection)
        const next = carried.tokens[carried.delivered] as string
        if (next !== token)
          throw wrong('delivery-out-of-order', `${next} was to be carried out first`)
        request.isDelivered = true
        carried.delivered++
        return
      }
      case 'reply': {
        const { connection, token } = event
        if (request === undefined) throw wrong('unknown-reply', `nobody had asked ${token}`)
        if (request.connection !== connection) {
          throw wrong('cross-talk', `${connection} got the reply of ${request.connection}`)
        }
        if (request.isAnswered) throw wrong('duplicate-reply', `${token} was answered before`)
        const { tokens, answered } = talk as Talk
        const next = tokens[answered] as string
        if (next !== token)
          throw wrong('reply-out-of-order', `the reply to ${next} was to come first`)
        if (deliveries && !request.isDelivered) {
          throw wrong('acknowledged-undelivered', `${token} was answered and not carried out`)
        }
        request.isAnswered = true
        ;(talk as Talk).answered++
        return
      }
      case 'end': {
        const { tokens, answered } = talk as Talk
        const missing = tokens[answered]
        if (event.isClean && missing !== undefined) {
          const left = tokens.length - answered
          throw wrong('unanswered', `${left} requests have no reply, the first is ${missing}`)
        }
        ;(talk as Talk).hasEnded = true
        return
      }
      default: {
        const { kind } = event as { kind: unknown }
        throw new TypeError(
          `the kind of event ${index} must be request, delivery, reply or end, not ${String(kind)}`,
        )
      }
    }
  })
}

function talkOf(talks: Map<string, Talk>, connection: string): Talk {
  let talk = talks.get(connection)
  if (talk === undefined) {
    talk = { tokens: [], answered: 0, delivered: 0, hasEnded: false }
    talks.set(connection, talk)
  }
  return talk
}

/** The indices of the events of the same connection or token, the nearest ones. */
function eventsAround(history: readonly HistoryEvent[], index: number): number[] {
  const event = history[index] as HistoryEvent
  const tokens = new Set<string>()
  const connections = new Set<string>()
  if ('token' in event) tokens.add(event.token)
  if ('connection' in event) connections.add(event.connection)
  for (const one of history) {
    if (one.kind !== 'request') continue
    if (tokens.has(one.token)) connections.add(one.connection)
    else if (connections.has(one.connection)) tokens.add(one.token)
  }
  const concerns = (one: HistoryEvent): boolean =>
    ('connection' in one && connections.has(one.connection)) ||
    ('token' in one && tokens.has(one.token))
  const before: number[] = []
  for (let at = index - 1; at >= 0 && before.length < EVENTS_BEFORE; at--) {
    if (concerns(history[at] as HistoryEvent)) before.unshift(at)
  }
  const after: number[] = []
  for (let at = index + 1; at < history.length && after.length < EVENTS_AFTER; at++) {
    if (concerns(history[at] as HistoryEvent)) after.push(at)
  }
  return [...before, index, ...after]
}

function describe(event: HistoryEvent): string {
  switch (event.kind) {
    case 'delivery':
      return `delivery  ${event.token}`
    case 'end':
      return `end       ${event.connection} ${event.isClean ? 'clean' : 'broken'}`
    default:
      return `${event.kind.padEnd(8)}  ${event.connection} ${event.token}`
  }
}
