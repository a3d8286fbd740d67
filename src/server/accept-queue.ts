/**
 * The connections that were accepted and that nobody has taken yet: what iterating over a server runs on.
 *
 * Invariant: each connection is given to exactly one taker, or dropped because it has ended with nothing to read.
 */
import { deferred, type Deferred } from '../concurrency/deferred.js'
import type { Connection } from '../protocol/connection.js'

export class AcceptQueue {
  readonly #maxUntaken: number
  readonly #untaken = new Set<Connection>()
  readonly #takers: Deferred<Connection | undefined>[] = []
  /** How many loops are under way. */
  #loops = 0
  #hasEnded = false

  constructor(maxUntaken: number) {
    this.#maxUntaken = maxUntaken
  }

  /** Whether so many wait to be taken that no more should be accepted. */
  get isFull(): boolean {
    return this.#untaken.size >= this.#maxUntaken
  }

  /** Gives a connection to who has waited longest, or keeps it. */
  put(connection: Connection): void {
    const taker = this.#takers.shift()
    if (taker === undefined) this.#untaken.add(connection)
    else taker.resolve(connection)
  }

  /** A connection has ended. One that had sent something is still worth taking: what came before its end can be read. */
  ended(connection: Connection): void {
    if (connection.reader.bufferedBytes === 0) this.#untaken.delete(connection)
  }

  /** No more come. What is there can still be taken; where no loop is under way that would, it is closed. */
  end(): void {
    this.#hasEnded = true
    for (const taker of this.#takers.splice(0)) taker.resolve(undefined)
    this.#closeUnwanted()
  }

  /** The connections, each once over all loops; it ends when no more come. Leaving it leaves the others where they are. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, undefined> {
    this.#loops++
    try {
      for (;;) {
        const connection = await this.#take()
        if (connection === undefined) return
        yield connection
      }
    } finally {
      this.#loops--
      this.#closeUnwanted()
    }
  }

  async #take(): Promise<Connection | undefined> {
    for (const connection of this.#untaken) {
      this.#untaken.delete(connection)
      return connection
    }
    if (this.#hasEnded) return undefined
    const taker = deferred<Connection | undefined>()
    this.#takers.push(taker)
    return await taker.promise
  }

  #closeUnwanted(): void {
    if (!this.#hasEnded || this.#loops > 0) return
    for (const connection of this.#untaken) connection.closeBecause({ kind: 'server-stopped' })
    this.#untaken.clear()
  }
}
