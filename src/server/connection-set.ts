/**
 * The live connections of a server and the handlers that run for them: told to drain, cut, and in the end
 * waited for or aborted. It never listens, and knows nothing of addresses or admission.
 *
 * Invariant: a connection is in the set from its start until its socket is gone, a handler until it settles.
 */
import { deferred, type Deferred } from '../concurrency/deferred.js'
import { TimeoutError } from '../errors.js'
import { describeAddress, type Connection } from '../protocol/connection.js'
import { runHandler, type Handler } from '../protocol/handler.js'

export class ConnectionSet {
  readonly #connections = new Set<Connection>()
  readonly #handlers = new Set<Connection>()
  #whenIdle: Deferred | undefined

  /** The live connections. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  /** Takes a connection in and runs its handler. */
  serve(connection: Connection, handler: Handler): void {
    this.#connections.add(connection)
    this.#handlers.add(connection)
    void runHandler(connection, handler).then(() => {
      this.#handlers.delete(connection)
      this.#noteIdle()
    })
  }

  /** The socket of this connection is gone. */
  closed(connection: Connection): void {
    this.#connections.delete(connection)
    this.#noteIdle()
  }

  /** Resolves when no socket is open; with `handlers`, when no handler runs either. */
  async idle(options: { handlers: boolean }): Promise<void> {
    while (this.#connections.size > 0 || (options.handlers && this.#handlers.size > 0)) {
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

  /** The peers whose handlers have not settled. */
  stragglers(): string[] {
    return [...this.#handlers].map((connection) => describeAddress(connection.remote))
  }

  #noteIdle(): void {
    if (this.#connections.size > 0) return
    this.#whenIdle?.resolve()
    this.#whenIdle = undefined
  }
}
