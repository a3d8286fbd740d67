/** A server that gives its connections to loops. All that a loop sees of them, and when it ends, is in accept-queue.ts. */
import type net from 'node:net'
import type { Address } from '../protocol/address.js'
import type { Connection } from '../protocol/connection.js'
import type { AcceptQueue } from './accept-queue.js'
import type { Admission } from './admission.js'
import { Server, type ServerOptions } from './server.js'

/**
 * A server without a handler: iterating over it gives its connections as they come. Who takes one owns it and
 * ends it, with `close()`, `abort()` or `await using`; a stop ends its reads and cuts it like any other.
 *
 * Connections that nobody has taken yet wait, and count for `maxConnections`; beyond `backlog` of them new ones
 * are refused. Leaving the loop leaves the server running and the rest waiting. Any number of loops may run, and
 * each connection goes to one of them. The iteration ends when the server stops: what waits is still given out
 * then, or closed if no loop is under way.
 */
export class IterableServer<Where extends Address = Address>
  extends Server<Where>
  implements AsyncIterable<Connection>
{
  readonly #untaken: AcceptQueue

  /** Made by {@link startServer}. @internal */
  constructor(
    listener: net.Server,
    untaken: AcceptQueue,
    admission: Admission,
    options: ServerOptions,
  ) {
    super(listener, untaken, admission, options)
    this.#untaken = untaken
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Connection, void, undefined> {
    return this.#untaken[Symbol.asyncIterator]()
  }
}
