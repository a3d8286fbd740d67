/**
 * Starts a server: checks what it was given, listens, and makes a Server of the listener, or an IterableServer where
 * there is no handler. What becomes of the connections is in server.ts.
 */
import net from 'node:net'
import { watchUnawaited } from '../concurrency/unawaited.js'
import type { TcpAddress, UnixAddress } from '../protocol/address.js'
import { checkChunkOption } from '../protocol/chunk-option.js'
import type { Handler } from '../protocol/handler.js'
import { checkReaderOptions } from '../protocol/stream-reader.js'
import { resolveMarks } from '../protocol/stream-writer.js'
import { SOCKET_OPTIONS } from '../protocol/transport.js'
import { AcceptQueue } from './accept-queue.js'
import { Admission } from './admission.js'
import { countDescriptors } from './descriptors.js'
import { IterableServer } from './iterable-server.js'
import { DEFAULT_BACKLOG, listen } from './listen.js'
import { checkGrace, Server, type ServerOptions } from './server.js'

// What it takes and gives.
export { Server, type ServerOptions, type ServerState } from './server.js'
export type { StopOptions, StopReport } from './server.js'
export type { IterableServer } from './iterable-server.js'
export type { ServerStats } from './server-tally.js'

/**
 * Listens and runs `handler` for each connection. (asyncio: `start_server`, `start_unix_server`.)
 *
 * The connection ends when its handler does: a return closes it cleanly, a throw is explained at `Handler`.
 *
 * @throws ListenError when it cannot listen
 * @throws RangeError, TypeError when an option has no meaning
 * @throws the signal's reason when it aborts first; nothing listens then
 */
export function startServer(
  handler: Handler,
  options?: ServerOptions & { path?: undefined; fd?: undefined },
): Promise<Server<TcpAddress>>
export function startServer(
  handler: Handler,
  options: ServerOptions & { path: string },
): Promise<Server<UnixAddress>>
export function startServer(handler: Handler, options: ServerOptions): Promise<Server>
/**
 * Without a handler it gives a server to iterate over, see {@link IterableServer}:
 *
 * ```ts
 * const server = await startServer({ port: 8888 })
 * for await (const connection of server) void converse(connection)
 * ```
 */
export function startServer(
  options?: ServerOptions & { path?: undefined; fd?: undefined },
): Promise<IterableServer<TcpAddress>>
export function startServer(
  options: ServerOptions & { path: string },
): Promise<IterableServer<UnixAddress>>
export function startServer(options: ServerOptions): Promise<IterableServer>
export function startServer(
  handlerOrOptions?: Handler | ServerOptions,
  options?: ServerOptions,
): Promise<Server> {
  return watchUnawaited(startWith(handlerOrOptions, options), 'startServer()')
}

async function startWith(
  handlerOrOptions: Handler | ServerOptions | undefined,
  options: ServerOptions | undefined,
): Promise<Server> {
  if (typeof handlerOrOptions === 'function') return await start(handlerOrOptions, options ?? {})
  // A handler that is undefined by mistake must not turn into an iteration that nobody runs.
  if (options !== undefined || typeof (handlerOrOptions ?? {}) !== 'object') {
    throw new TypeError(`handler must be a function, not ${typeof handlerOrOptions}`)
  }
  return await start(undefined, handlerOrOptions ?? {})
}

async function start(handler: Handler | undefined, options: ServerOptions): Promise<Server> {
  options.signal?.throwIfAborted()
  checkGrace(options)
  // A bad option is an error of the start, and not of each connection.
  checkReaderOptions(options)
  resolveMarks(options)
  checkChunkOption('refusal', options.refusal)
  checkChunkOption('onLimit', options.onLimit)
  const admission = new Admission(options, countDescriptors())
  const listener = net.createServer(SOCKET_OPTIONS)
  const server =
    handler === undefined
      ? new IterableServer(
          listener,
          new AcceptQueue(Math.max(1, options.backlog ?? DEFAULT_BACKLOG)),
          admission,
          options,
        )
      : new Server(listener, handler, admission, options)
  const address = await listen(listener, options)
  try {
    options.signal?.throwIfAborted()
    server.listens(address)
  } catch (error) {
    // No listener outlives a start that failed, be it that the logger threw.
    listener.close()
    throw error
  }
  return server
}
