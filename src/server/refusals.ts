/**
 * What becomes of a connection that is not admitted: it is sent the refusal, if there is one, and ended cleanly.
 * No handler sees it.
 *
 * A refused peer may have sent something already, and closing at once would reset the connection and lose the
 * refusal; so it lingers like every other. Only so many do so at a time, since each takes a descriptor: what
 * comes beyond them is handed the refusal as far as the kernel takes it in that moment, and destroyed.
 */
import type net from 'node:net'
import { deferred, type Deferred } from '../concurrency/deferred.js'
import { legible } from '../concurrency/legible.js'
import type { Logger } from '../logger.js'
import type { Address } from '../protocol/address.js'
import { isChunk } from '../protocol/chunk-option.js'
import { publishRefusal } from '../protocol/connection-channels.js'
import { Connection, type ConnectionOptions } from '../protocol/connection.js'
import { resolveDeadlines, SERVER_DEADLINES } from '../protocol/deadlines.js'
import type { Chunk } from '../protocol/framing.js'
import { systemClock } from '../concurrency/clock.js'
import type { RefusalReason } from './admission.js'
import { RefusalLog } from './refusal-log.js'

/** What a refused peer is sent: bytes, or what a function makes of the reason and the peer's address. */
export type Refusal =
  Chunk | ((reason: RefusalReason, remote: Address | undefined) => Chunk | undefined)

/** A peer that does not even take the refusal is not waited for as long as one that was served. */
const TAKEN_WITHIN_MS = 2000

export class Refusals {
  readonly #refusal: Refusal | undefined
  readonly #maxLingering: number
  readonly #options: ConnectionOptions
  readonly #logger: Logger
  readonly #log: RefusalLog
  readonly #lingering = new Set<Connection>()
  readonly #counts: Partial<Record<RefusalReason, number>> = {}
  #whenIdle: Deferred | undefined

  constructor(
    refusal: Refusal | undefined,
    maxLingering: number,
    logger: Logger,
    options: ConnectionOptions,
  ) {
    this.#refusal = refusal
    this.#maxLingering = maxLingering
    this.#logger = logger
    this.#log = new RefusalLog(options.clock ?? systemClock, logger)
    this.#options = {
      ...options,
      deadlines: resolveDeadlines(
        { ...options.deadlines, writeStallMs: TAKEN_WITHIN_MS },
        SERVER_DEADLINES,
      ),
      onClosed: (connection, info) => {
        options.onClosed?.(connection, info)
        this.#ended(connection)
      },
    }
  }

  /** How many were refused for which reason. */
  get counts(): Partial<Record<RefusalReason, number>> {
    return { ...this.#counts }
  }

  /** Refuses a socket that was just accepted. */
  refuse(socket: net.Socket, reason: RefusalReason): void {
    this.#counts[reason] = (this.#counts[reason] ?? 0) + 1
    const connection = new Connection(socket, this.#options)
    publishRefusal(connection, reason)
    this.#log.note(reason, connection.remote)
    if (connection.state === 'closed') return
    const lingers = this.#lingering.size < this.#maxLingering
    if (lingers) this.#lingering.add(connection)
    // Who was told of it may have ended it.
    const words = connection.writer.isClosing ? undefined : this.#wordsFor(reason, connection)
    if (lingers) {
      if (words !== undefined) connection.writer.write(words)
      connection.closeBecause({ kind: 'not-admitted' })
    } else {
      // Past the writer, which would gather it until the end of the turn: by then it is gone.
      if (words !== undefined) socket.write(words)
      connection.cut({ kind: 'not-admitted' }, undefined, 'destroy')
    }
  }

  /** Resolves when none lingers. */
  async idle(): Promise<void> {
    while (this.#lingering.size > 0) {
      this.#whenIdle ??= deferred()
      await this.#whenIdle.promise
    }
  }

  /** Ends those that linger, at once. */
  destroy(): void {
    for (const connection of this.#lingering) {
      connection.cut({ kind: 'not-admitted' }, undefined, 'destroy')
    }
  }

  /** There will be no more: tells what is untold. */
  close(): void {
    this.#log.close()
  }

  #wordsFor(reason: RefusalReason, { remote }: Connection): Chunk | undefined {
    if (typeof this.#refusal !== 'function') return this.#refusal
    try {
      const words: unknown = this.#refusal(reason, remote)
      if (words === undefined || isChunk(words)) return words
      throw new TypeError('what it gives for a refusal is neither a string nor a Uint8Array')
    } catch (error) {
      this.#logger.error({ err: legible(error) }, 'the function that words a refusal failed')
      return undefined
    }
  }

  #ended(connection: Connection): void {
    this.#lingering.delete(connection)
    if (this.#lingering.size === 0) {
      this.#whenIdle?.resolve()
      this.#whenIdle = undefined
    }
  }
}
