/**
 * The live connections of a server and the handlers that run for them: told to drain, cut, and in the end
 * waited for or aborted. It never listens, and knows nothing of addresses or admission.
 *
 * Invariant: a connection is in the set from its start until its socket is gone. Its handler runs unless the
 * connection is among the `#settled` or was kept without one; a handler that outlives its socket is among the `#orphans`.
 */
import { deferred, type Deferred } from '../concurrency/deferred.js'
import { TimeoutError } from '../errors.js'
import { describeAddress, type Connection } from '../protocol/connection.js'
import { runHandler, type Handler } from '../protocol/handler.js'

export class ConnectionSet {
  readonly #connections = new Set<Connection>()
  readonly #settled = new Set<Connection>()
  readonly #orphans = new Set<Connection>()
  #whenIdle: Deferred | undefined
  readonly #handlerSettled = (connection: Connection): void => {
    if (!this.#orphans.delete(connection)) this.#settled.add(connection)
    this.#noteIdle()
  }

  /** The live connections. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  /** Takes a connection in and runs its handler. */
  serve(connection: Connection, handler: Handler): void {
    // One that the peer reset before we saw it has been through `closed` already.
    if (connection.state !== 'closed') this.#connections.add(connection)
    runHandler(connection, handler, this.#handlerSettled)
  }

  /** Takes a connection in that no handler runs for: who took it out of the iteration ends it. */
  keep(connection: Connection): void {
    // One that the peer reset before we saw it has been through `closed` already.
    if (this.#orphans.delete(connection)) return
    this.#connections.add(connection)
    this.#settled.add(connection)
  }

  /** The socket of this connection is gone. */
  closed(connection: Connection): void {
    this.#connections.delete(connection)
    if (!this.#settled.delete(connection)) this.#orphans.add(connection)
    this.#noteIdle()
  }

  /** Resolves when no socket is open; with `handlers`, when no handler runs either. */
  async idle(options: { handlers: boolean }): Promise<void> {
    while (this.#connections.size > 0 || (options.handlers && this.#orphans.size > 0)) {
      this.#whenIdle ??= deferred()
      await this.#whenIdle.promise
    }
  }

  /** Aborts what has not ended within the grace; those that merely linger have had all their bytes. Gives the number aborted. */
  endGrace(graceMs: number): number {
    let aborted = 0
    for (const connection of this.#connections) {
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
    return [...this.#orphans].map((connection) => describeAddress(connection.remote))
  }

  #noteIdle(): void {
    if (this.#connections.size > 0) return
    this.#whenIdle?.resolve()
    this.#whenIdle = undefined
  }
}
