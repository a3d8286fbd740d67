/**
 * Which connections are open and where each came from, from what the kit publishes. It closes nothing.
 *
 * Invariant: it holds a connection from its `open` to its `close` message and no longer, so that it grows with what is
 * open alone. Connections that were opened before it subscribed are not known to it.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Clock } from '../concurrency/clock.js'
import type { Logger } from '../logger.js'
import { placeOf, takeStack } from './call-site.js'
import {
  CONNECTION_CLOSE_CHANNEL,
  CONNECTION_OPEN_CHANNEL,
  type ConnectionCloseMessage,
  type ConnectionOpenMessage,
  type ObservedConnection,
} from './connection-messages.js'
import { durationText } from './duration-text.js'

/** A connection that nobody has closed. */
export interface UnclosedConnection {
  /** The `id` of the Connection. */
  readonly id: number
  readonly role: 'inbound' | 'outbound'
  /** `127.0.0.1:8888`, `[::1]:8888`, `unix:/run/x.sock`, or `an unknown address`. */
  readonly peer: string
  /** For how long it has been open, in milliseconds. */
  readonly ageMs: number
  /** The line of the program that opened it, as far as the stack knows; '' where it does not. */
  readonly place: string
  /** The stack of its opening. */
  readonly stack: string
}

/** More at a time are counted and not told one by one: a server may have thousands. */
const MAX_TOLD = 100

interface Entry {
  readonly connection: ObservedConnection
  readonly openedMs: number
  readonly openedAt: Error
  /** Bytes that the program has taken and given, when it was last looked at. */
  usedBytes: number
  usedMs: number
  isToldStale: boolean
}

/** Keeps the connections that are open. */
export class OpenConnections {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #open = new Map<ObservedConnection, Entry>()

  constructor(log: Logger, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  subscribe(): void {
    subscribe(CONNECTION_OPEN_CHANNEL, this.#onOpen)
    subscribe(CONNECTION_CLOSE_CHANNEL, this.#onClose)
  }

  unsubscribe(): void {
    unsubscribe(CONNECTION_OPEN_CHANNEL, this.#onOpen)
    unsubscribe(CONNECTION_CLOSE_CHANNEL, this.#onClose)
    this.#open.clear()
  }

  /** Those that nobody has closed, the oldest first. One that was closed and is still ending is none of them. */
  unclosed(): UnclosedConnection[] {
    const nowMs = this.#clock.now()
    return this.#unclosed().map((entry) => describe(entry, nowMs))
  }

  /** Warns of each that nobody has closed. */
  reportUnclosed(): void {
    this.#tell(this.#unclosed(), 'is not closed', ({ ageMs }) => {
      return `was not closed in ${durationText(ageMs)}`
    })
  }

  /** Warns of each that the program has neither read from nor written to for so long, once each time. */
  reportStale(staleMs: number): void {
    const nowMs = this.#clock.now()
    const stale: Entry[] = []
    for (const entry of this.#unclosed()) {
      const usedBytes = bytesUsed(entry.connection)
      if (usedBytes !== entry.usedBytes) {
        entry.usedBytes = usedBytes
        entry.usedMs = nowMs
        entry.isToldStale = false
      } else if (nowMs - entry.usedMs >= staleMs && !entry.isToldStale) {
        entry.isToldStale = true
        stale.push(entry)
      }
    }
    this.#tell(stale, 'is not used', (_, entry) => {
      return `was neither read from nor written to for ${durationText(nowMs - entry.usedMs)}`
    })
  }

  readonly #onOpen = (message: unknown): void => {
    const { connection, openedAt } = message as ConnectionOpenMessage
    const nowMs = this.#clock.now()
    this.#open.set(connection, {
      connection,
      openedMs: nowMs,
      openedAt: openedAt ?? takeStack('opened here', this.#onOpen),
      usedBytes: bytesUsed(connection),
      usedMs: nowMs,
      isToldStale: false,
    })
  }

  readonly #onClose = (message: unknown): void => {
    this.#open.delete((message as ConnectionCloseMessage).connection)
  }

  #unclosed(): Entry[] {
    return [...this.#open.values()].filter(({ connection: { state } }) => {
      return state !== 'closing' && state !== 'closed'
    })
  }

  #tell(
    entries: readonly Entry[],
    what: string,
    words: (unclosed: UnclosedConnection, entry: Entry) => string,
  ): void {
    const nowMs = this.#clock.now()
    for (const entry of entries.slice(0, MAX_TOLD)) {
      const unclosed = describe(entry, nowMs)
      const { id, role, peer, ageMs, place } = unclosed
      const at = place === '' ? '' : `; it was opened at ${place}`
      this.#log.warn(
        { conn: id, role, peer, ageMs, place, err: entry.openedAt },
        `connection ${id} ${role === 'inbound' ? 'from' : 'to'} ${peer} ${words(unclosed, entry)}${at}`,
      )
    }
    const more = entries.length - MAX_TOLD
    if (more > 0) this.#log.warn({ more }, `${more} more connections of which each ${what}`)
  }
}

function describe({ connection, openedMs, openedAt }: Entry, nowMs: number): UnclosedConnection {
  return {
    id: connection.id,
    role: connection.role,
    peer: peerText(connection.remote),
    ageMs: nowMs - openedMs,
    place: placeOf(openedAt),
    stack: openedAt.stack ?? '',
  }
}

/** Changes with each byte that the program takes from a connection or gives to it, and with nothing else. */
function bytesUsed({ bytesRead, bytesWritten, reader, writer }: ObservedConnection): number {
  return bytesRead - reader.bufferedBytes + bytesWritten + writer.bufferedBytes
}

/** As the kit writes addresses in its messages. */
function peerText(remote: ObservedConnection['remote']): string {
  if (remote === undefined) return 'an unknown address'
  if ('path' in remote) return `unix:${remote.path}`
  return remote.host.includes(':')
    ? `[${remote.host}]:${remote.port}`
    : `${remote.host}:${remote.port}`
}
