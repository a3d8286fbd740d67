/**
 * Two real Connections that are joined in memory: for tests of code that takes a connection, without a port,
 * without a network, and with time in the test's own hand.
 */
import { Connection, type ConnectionOptions } from '../protocol/connection.js'
import type { Clock } from '../concurrency/clock.js'
import { deferred } from '../concurrency/deferred.js'
import { runHandler, type Handler } from '../protocol/handler.js'
import { FakeClock } from './fake-clock.js'
import {
  memoryTransportPair,
  type MemoryTransport,
  type MemoryTransportOptions,
} from './memory-transport.js'

/** How a pair of connections is made. */
export interface ConnectionPairOptions<AnyClock extends Clock = FakeClock> {
  /** For both ends. */
  both?: ConnectionPairEndOptions
  /** For the client's end, over `both`. */
  client?: ConnectionPairEndOptions
  /** For the server's end, over `both`. */
  server?: ConnectionPairEndOptions
  /** What lies between them; the client's end is its first. */
  transport?: MemoryTransportOptions
  /** The time that both live by. @default a new FakeClock, which stands still until it is told */
  clock?: AnyClock
}

/** The options of a Connection that a pair leaves open. */
export type ConnectionPairEndOptions = Omit<ConnectionOptions, 'role' | 'clock'>

/** Two connections that talk to each other. */
export interface ConnectionPair<AnyClock extends Clock = FakeClock> {
  /** The end that "dialled": role `outbound`, and so no deadlines unless they are asked for. */
  readonly client: Connection
  /** The end that was "accepted": role `inbound`, with the deadlines of a server. */
  readonly server: Connection
  readonly clock: AnyClock
  /** What is under the client: to clog it, or to break it. */
  readonly clientTransport: MemoryTransport
  /** What is under the server. */
  readonly serverTransport: MemoryTransport
  /**
   * Runs a handler on the server's end, as a server does: the connection ends with it. Resolves when the handler has
   * settled, also when it throws; what it threw is told to the connection's logger.
   */
  readonly serve: (handler: Handler) => Promise<void>
  /** Aborts what is still open, and resolves when both are closed. No time need pass for it. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes two connections that are joined in memory, with the reader, writer, deadlines and lifecycle of any other.
 *
 * ```ts
 * await using pair = connectionPair()
 * void pair.serve(lineEcho())
 * pair.client.writer.write('hello\n')
 * console.log(await pair.client.reader.readLine()) // Server received: hello
 * ```
 *
 * @throws RangeError for options that a Connection or a memory transport refuses.
 */
export function connectionPair<AnyClock extends Clock = FakeClock>(
  options: ConnectionPairOptions<AnyClock> = {},
): ConnectionPair<AnyClock> {
  // Only who leaves the clock out gets the default, and for them the type parameter is FakeClock.
  const clock = options.clock ?? (new FakeClock() as Clock as AnyClock)
  const [clientTransport, serverTransport] = memoryTransportPair(options.transport)
  const shared = { ...options.both, clock }
  const client = new Connection(clientTransport, { ...shared, ...options.client, role: 'outbound' })
  const server = new Connection(serverTransport, { ...shared, ...options.server, role: 'inbound' })
  return {
    client,
    server,
    clock,
    clientTransport,
    serverTransport,
    serve(handler) {
      const settled = deferred()
      runHandler(server, handler, () => {
        settled.resolve()
      })
      return settled.promise
    },
    async [Symbol.asyncDispose]() {
      client.abort()
      server.abort()
      await Promise.all([client.closed, server.closed])
    },
  }
}
