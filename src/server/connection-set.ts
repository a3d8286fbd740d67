/**
 * The live connections of a server and the handlers that run for them: told to drain, cut, and in the end
 * waited for or aborted. It never listens, and knows nothing of addresses or admission.
 *
 * Invariant: a connection has its place among the live ones from its start until its socket is gone; then, while its
 * handler outlives the socket, among the orphans.
 */
import { deferred, type Deferred } from '../concurrency/deferred.js'
import { LinkedList, type Linked } from '../concurrency/linked-list.js'
import { TimeoutError } from '../errors.js'
import { describeAddress } from '../protocol/address.js'
import type { Connection } from '../protocol/connection.js'
import { runHandler, type Handler } from '../protocol/handler.js'

/** Where one connection is kept. */
class Place implements Linked<Place> {
  previous: Place | undefined
  next: Place | undefined
  readonly connection: Connection
  handlerRuns: boolean
  isLive = true

  constructor(connection: Connection, handlerRuns: boolean) {
    this.connection = connection
    this.handlerRuns = handlerRuns
    connection.place = this
  }
}

export class ConnectionSet {
  readonly #live = new LinkedList<Place>()
  readonly #orphans = new LinkedList<Place>()
  #whenIdle: Deferred | undefined
  readonly #handlerSettled = (connection: Connection): void => {
    const place = connection.place as Place
    place.handlerRuns = false
    if (!place.isLive) this.#orphans.remove(place)
    this.#noteIdle()
  }

  /** How many are live. */
  get size(): number {
    return this.#live.size
  }

  /** The live connections, as they are now. */
  get connections(): Connection[] {
    return this.#live.toArray().map(({ connection }) => connection)
  }

  /** Takes a connection in and runs its handler. */
  serve(connection: Connection, handler: Handler): void {
    const place = new Place(connection, true)
    // One that the peer reset before we saw it has been through `closed` already.
    if (connection.state === 'closed') this.#orphan(place)
    else this.#live.push(place)
    runHandler(connection, handler, this.#handlerSettled)
  }

  /** Takes a connection in that no handler runs for: who took it out of the iteration ends it. */
  keep(connection: Connection): void {
    if (connection.state !== 'closed') this.#live.push(new Place(connection, false))
  }

  /** The socket of this connection is gone. */
  closed(connection: Connection): void {
    const place = connection.place as Place | undefined
    if (place === undefined) return
    this.#live.remove(place)
    if (place.handlerRuns) this.#orphan(place)
    this.#noteIdle()
  }

  #orphan(place: Place): void {
    place.isLive = false
    this.#orphans.push(place)
  }

  /** Resolves when no socket is open; with `handlers`, when no handler runs either. */
  async idle(options: { handlers: boolean }): Promise<void> {
    while (this.#live.size > 0 || (options.handlers && this.#orphans.size > 0)) {
      this.#whenIdle ??= deferred()
      await this.#whenIdle.promise
    }
  }

  /** Aborts what has not ended within the grace; those that merely linger have had all their bytes. Gives the number aborted. */
  endGrace(graceMs: number): number {
    let aborted = 0
    for (const connection of this.connections) {
      if (connection.isLingering) {
        connection.endLinger()
        continue
      }
      aborted++
      const where = describeAddress(connection.remote)
      const error = new TimeoutError(
        `connection from ${where}: it had not ended ${graceMs} ms after the server began to stop`,
        'grace',
        graceMs,
      )
      connection.cut({ kind: 'timed-out', phase: 'grace' }, error)
    }
    return aborted
  }

  /** The peers whose handlers have not settled, once no socket is open. */
  stragglers(): string[] {
    return this.#orphans.toArray().map(({ connection }) => describeAddress(connection.remote))
  }

  #noteIdle(): void {
    if (this.#live.size > 0) return
    this.#whenIdle?.resolve()
    this.#whenIdle = undefined
  }
}
