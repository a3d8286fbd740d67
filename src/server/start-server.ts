/**
 * Many inbound connections and their end. A server listens, makes each accepted socket a Connection in the same
 * turn, runs the handler for it, and stops in an order in which nobody who was promised an answer loses it:
 *
 *     draining (told; still accepting for drainDelayMs) → accept until two loop turns bring nothing →
 *     listener closed → each connection cut after its last whole message → grace → abort
 *
 * It never parses a protocol, and it never sees the client.
 */
import net from 'node:net'
import { deferred } from '../concurrency/deferred.js'
import { onAbort } from '../concurrency/abort.js'
import { resolveLogger, type Logger } from '../logger.js'
import {
  Connection,
  describeAddress,
  type Address,
  type CloseInfo,
  type CloseKind,
  type ConnectionOptions,
  type TcpAddress,
  type UnixAddress,
} from '../protocol/connection.js'
import { resolveDeadlines, SERVER_DEADLINES } from '../protocol/deadlines.js'
import type { Handler } from '../protocol/handler.js'
import { checkReaderOptions } from '../protocol/stream-reader.js'
import { resolveMarks } from '../protocol/stream-writer.js'
import { SOCKET_OPTIONS, systemClock, type Clock } from '../protocol/transport.js'
import { ConnectionSet } from './connection-set.js'
import { DEFAULT_BACKLOG, listen, type ListenOptions } from './listen.js'

export interface StopOptions {
  /** How long what was accepted may take to end, flush and linger included. @default 10000 */
  graceMs?: number | undefined
  /** How long to go on accepting after draining was told, for load balancers to notice. @default 0 */
  drainDelayMs?: number | undefined
}

export interface ServerOptions
  extends
    ListenOptions,
    StopOptions,
    Omit<ConnectionOptions, 'role' | 'local' | 'remote' | 'onClosed'> {
  /** At a stop, end lines and frames after the last whole one; false leaves all reading to the handler. @default true */
  stopReads?: boolean | undefined
  /** Aborts the start; once the server listens it has no effect. */
  signal?: AbortSignal | undefined
}

/** What a stop came to. */
export interface StopReport {
  /** Connections that were open when the stop began and ended by themselves. */
  readonly drained: number
  /** Connections that were aborted at the end of the grace. */
  readonly aborted: number
  /** The peers whose handlers had not settled even then. */
  readonly stragglers: readonly string[]
  readonly durationMs: number
}

/** What a server has done so far. */
export interface ServerStats {
  readonly accepted: number
  readonly open: number
  /** How many connections ended for which reason. */
  readonly closedBy: Readonly<Partial<Record<CloseKind, number>>>
  /** Totals of the connections that have ended. */
  readonly bytesRead: number
  readonly bytesWritten: number
}

export type ServerState = 'listening' | 'draining' | 'closed'

const DEFAULT_GRACE_MS = 10_000
/** After the last accepted connection the kernel may still hold some that it has completed. */
const QUIET_TURNS = 2
const ACCEPT_WITHIN_MS = 100

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
  options?: ServerOptions & { path?: undefined },
): Promise<Server<TcpAddress>>
export function startServer(
  handler: Handler,
  options: ServerOptions & { path: string },
): Promise<Server<UnixAddress>>
export function startServer(handler: Handler, options: ServerOptions): Promise<Server>
export async function startServer(handler: Handler, options: ServerOptions = {}): Promise<Server> {
  if (typeof handler !== 'function') {
    throw new TypeError(`handler must be a function, not ${typeof handler}`)
  }
  options.signal?.throwIfAborted()
  checkGrace(options)
  // A bad option is an error of the start, and not of each connection.
  checkReaderOptions(options)
  resolveMarks(options)
  const listener = net.createServer(SOCKET_OPTIONS)
  const server = new Server(listener, handler, options)
  const address = await listen(listener, options)
  if (options.signal?.aborted === true) {
    listener.close()
    throw options.signal.reason
  }
  server.listens(address)
  return server
}

/** What {@link startServer} gives: a listener and its connections. */
export class Server<Where extends Address = Address> {
  readonly #listener: net.Server
  readonly #handler: Handler
  readonly #options: ServerOptions
  readonly #connectionOptions: ConnectionOptions
  readonly #clock: Clock
  readonly #log: Logger
  readonly #set = new ConnectionSet()
  readonly #closed = deferred()
  #address: Where | undefined
  #state: ServerState = 'listening'
  #stopping: Promise<StopReport> | undefined
  #accepted = 0
  #closedBy: Partial<Record<CloseKind, number>> = {}
  #bytesRead = 0
  #bytesWritten = 0

  /** Made by {@link startServer}. @internal */
  constructor(listener: net.Server, handler: Handler, options: ServerOptions) {
    this.#listener = listener
    this.#handler = handler
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#log = resolveLogger(options.logger)
    this.#connectionOptions = {
      ...options,
      role: 'inbound',
      deadlines: resolveDeadlines(options.deadlines, SERVER_DEADLINES),
      logger: this.#log,
      ...(options.path === undefined
        ? {}
        : { local: { path: options.path }, remote: { path: options.path } }),
      onClosed: (connection, info) => {
        this.#connectionClosed(connection, info)
      },
    }
    listener.on('connection', (socket) => {
      this.#accept(socket)
    })
  }

  /** Where it listens: `{ host, port }` or `{ path }`. */
  get address(): Where {
    return this.#address as Where
  }

  get state(): ServerState {
    return this.#state
  }

  /** The live connections. */
  get connections(): ReadonlySet<Connection> {
    return this.#set.connections
  }

  get stats(): ServerStats {
    return {
      accepted: this.#accepted,
      open: this.#set.connections.size,
      closedBy: { ...this.#closedBy },
      bytesRead: this.#bytesRead,
      bytesWritten: this.#bytesWritten,
    }
  }

  /** Resolves when the server has stopped. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /**
   * Resolves when the server has stopped; an abort of `signal` stops it, with the server's own defaults.
   * (asyncio: `serve_forever`.)
   */
  async serveForever(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = options
    if (signal?.aborted === true) void this.stop()
    const stopListening = onAbort(signal, () => {
      void this.stop()
    })
    await this.closed
    stopListening()
  }

  /**
   * Stops: tells every handler (`connection.draining`), goes on accepting for `drainDelayMs`, closes the
   * listener, ends the reading of lines and frames after the last whole one, lets what was accepted end within
   * `graceMs`, and aborts the rest. Resolves when every socket is closed; a handler that never settles is named
   * in the report and does not hold it. Any number of calls; the first one counts.
   */
  stop(options: StopOptions = {}): Promise<StopReport> {
    if (this.#stopping === undefined) {
      checkGrace(options)
      this.#stopping = this.#stop(
        options.graceMs ?? this.#options.graceMs ?? DEFAULT_GRACE_MS,
        options.drainDelayMs ?? this.#options.drainDelayMs ?? 0,
      )
    }
    return this.#stopping
  }

  /** Closes every connection cleanly; the server goes on listening. (asyncio: `close_clients`.) */
  closeClients(): void {
    for (const connection of this.connections) void connection.close()
  }

  /** Aborts every connection; the server goes on listening. (asyncio: `abort_clients`.) */
  abortClients(reason?: unknown): void {
    for (const connection of this.connections) connection.abort(reason)
  }

  /** The same as `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** @internal */
  listens(address: Where): void {
    this.#address = address
    this.#listener.on('error', (error) => {
      this.#log.error(
        { err: error },
        `the listener on ${describeAddress(address)} reports an error`,
      )
    })
  }

  #accept(socket: net.Socket): void {
    this.#accepted++
    const connection = new Connection(socket, this.#connectionOptions)
    if (this.#state !== 'listening') connection.beginDraining()
    this.#set.serve(connection, this.#handler)
  }

  #connectionClosed(connection: Connection, { reason, bytesRead, bytesWritten }: CloseInfo): void {
    this.#closedBy[reason.kind] = (this.#closedBy[reason.kind] ?? 0) + 1
    this.#bytesRead += bytesRead
    this.#bytesWritten += bytesWritten
    this.#set.closed(connection)
  }

  async #stop(graceMs: number, drainDelayMs: number): Promise<StopReport> {
    const startedAt = this.#clock.now()
    this.#state = 'draining'
    for (const connection of this.connections) connection.beginDraining()
    if (drainDelayMs > 0) await this.#delay(drainDelayMs)
    await this.#acceptTheRest()
    const listenerClosed = new Promise<void>((resolve) => {
      this.#listener.close(() => {
        resolve()
      })
    })
    const open = this.connections.size
    if (this.#options.stopReads !== false) {
      for (const connection of this.connections) connection.cutInput()
    }
    let aborted = 0
    const graceIsOver = deferred()
    const graceEnds = this.#clock.setTimeout(() => {
      aborted = this.#set.endGrace(graceMs)
      graceIsOver.resolve()
    }, graceMs)
    await Promise.race([this.#set.idle({ handlers: true }), graceIsOver.promise])
    this.#clock.clearTimeout(graceEnds)
    await this.#set.idle({ handlers: false })
    await listenerClosed
    // Handlers whose connection was just aborted settle in their own promise jobs.
    await turnOfTheLoop()
    this.#state = 'closed'
    this.#closed.resolve()
    return {
      drained: open - aborted,
      aborted,
      stragglers: this.#set.stragglers(),
      durationMs: this.#clock.now() - startedAt,
    }
  }

  /**
   * Closing the listener at once would reset connections that the kernel has completed and we have not seen.
   * libuv takes one of them each turn, and turns are slow under load: so time alone does not end this before as
   * many have come as the kernel can have held.
   */
  async #acceptTheRest(): Promise<void> {
    const latest = this.#clock.now() + ACCEPT_WITHIN_MS
    const all = this.#accepted + (this.#options.backlog ?? DEFAULT_BACKLOG) + 1
    let quietTurns = 0
    while (quietTurns < QUIET_TURNS && (this.#clock.now() < latest || this.#accepted < all)) {
      const before = this.#accepted
      await turnOfTheLoop()
      quietTurns = this.#accepted === before ? quietTurns + 1 : 0
    }
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimeout(resolve, ms)
    })
  }
}

/** Two immediates: between them lies a whole poll of the sockets. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

function checkGrace({ graceMs, drainDelayMs }: StopOptions): void {
  for (const [name, value] of Object.entries({ graceMs, drainDelayMs })) {
    if (value !== undefined && !(value >= 0)) {
      throw new RangeError(`${name} must be a number of milliseconds, 0 or above, not ${value}`)
    }
  }
}
