/**
 * Many inbound connections and their end. A server listens, makes each accepted socket that is admitted a
 * Connection in the same turn, runs the handler for it (or gives it to whoever iterates over the server), and
 * stops in an order in which nobody who was promised an answer loses it:
 *
 *     draining (told; still accepting for drainDelayMs) → accept until two loop turns bring nothing →
 *     listener closed → each connection cut after its last whole message → grace → abort
 *
 * It never parses a protocol, and it never sees the client.
 */
import net from 'node:net'
import { deferred } from '../concurrency/deferred.js'
import { onAbort } from '../concurrency/abort.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import type { TimeoutPhase } from '../errors.js'
import { resolveLogger, type Logger } from '../logger.js'
import { checkChunkOption } from '../protocol/chunk-option.js'
import {
  Connection,
  describeAddress,
  type Address,
  type CloseInfo,
  type CloseKind,
  type ConnectionOptions,
  type OnLimit,
  type TcpAddress,
  type UnixAddress,
} from '../protocol/connection.js'
import { resolveDeadlines, SERVER_DEADLINES } from '../protocol/deadlines.js'
import type { Handler } from '../protocol/handler.js'
import { checkReaderOptions } from '../protocol/stream-reader.js'
import { resolveMarks } from '../protocol/stream-writer.js'
import { systemClock, type Clock } from '../concurrency/clock.js'
import { SOCKET_OPTIONS } from '../protocol/transport.js'
import { AcceptQueue } from './accept-queue.js'
import { Admission, type AdmissionOptions, type RefusalReason } from './admission.js'
import { ConnectionSet } from './connection-set.js'
import { countDescriptors } from './descriptors.js'
import { DEFAULT_BACKLOG, listen, type ListenOptions } from './listen.js'
import { RecentCloses, type CloseRecord } from './recent-closes.js'
import { Refusals, type Refusal } from './refusals.js'

export interface StopOptions {
  /** How long what was accepted may take to end, flush and linger included. @default 10000 */
  graceMs?: number | undefined
  /** How long to go on accepting after draining was told, for load balancers to notice. @default 0 */
  drainDelayMs?: number | undefined
}

export interface ServerOptions
  extends
    ListenOptions,
    AdmissionOptions,
    StopOptions,
    Omit<ConnectionOptions, 'role' | 'local' | 'remote' | 'onClosed' | 'openedAt'> {
  /**
   * Sent to a peer that is not admitted, before its clean end: bytes, or what a function makes of the reason
   * and the peer's address. @default nothing
   */
  refusal?: Refusal | undefined
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
  /** Connections that were admitted. */
  readonly accepted: number
  /** Those of them that have not ended. */
  readonly open: number
  /** How many were not admitted, and why. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>
  /** How many connections ended for which reason; those that were refused are `not-admitted`. */
  readonly closedBy: Readonly<Partial<Record<CloseKind, number>>>
  /** Which deadlines those were that ended `timed-out`. */
  readonly timedOutBy: Readonly<Partial<Record<TimeoutPhase, number>>>
  /** Connections that ended cleanly as far as they could, and did not deliver all that was written. */
  readonly lossyCloses: number
  /** Lines that passed the limit. Their connections went on, unless a line passed 16 times the limit. */
  readonly overlongLines: number
  /** Totals of the connections that have ended. */
  readonly bytesRead: number
  readonly bytesWritten: number
}

export type ServerState = 'listening' | 'draining' | 'closed'

const DEFAULT_GRACE_MS = 10_000
/** Arbitrary: more than a person reads, and some tens of KiB. */
const RECENT_CLOSES = 100
/** After the last accepted connection the kernel may still hold some that it has completed. */
const QUIET_TURNS = 2
const ACCEPT_WITHIN_MS = 100
const CLEAN_KINDS: ReadonlySet<CloseKind> = new Set(['ended', 'closed-here', 'server-stopped'])
/** A peer that has reset its connection already has no address any more. */
const UNKNOWN_HOST = 'unknown'

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
  readonly #takes: Handler | AcceptQueue
  readonly #admission: Admission
  readonly #options: ServerOptions
  readonly #clock: Clock
  readonly #log: Logger
  readonly #set = new ConnectionSet()
  readonly #closed = deferred()
  #connectionOptions!: ConnectionOptions
  #refusals!: Refusals
  #address: Where | undefined
  /** Where it listens, when that is a Unix socket: known before `#address` is, and connections may come in between. */
  #unix: UnixAddress | undefined
  #state: ServerState = 'listening'
  #stopping: Promise<StopReport> | undefined
  /** Accepted sockets, admitted or not. */
  #arrivals = 0
  #accepted = 0
  #closedBy: Partial<Record<CloseKind, number>> = {}
  #timedOutBy: Partial<Record<TimeoutPhase, number>> = {}
  #lossyCloses = 0
  #overlongLines = 0
  readonly #recentCloses = new RecentCloses(RECENT_CLOSES)
  #bytesRead = 0
  #bytesWritten = 0

  /** Made by {@link startServer}. @internal */
  constructor(
    listener: net.Server,
    takes: Handler | AcceptQueue,
    admission: Admission,
    options: ServerOptions,
  ) {
    this.#listener = listener
    this.#takes = takes
    this.#admission = admission
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#log = resolveLogger(options.logger)
    this.#prepare(options.path === undefined ? undefined : { path: options.path })
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

  /** The live connections, as they are now: the set does not change any more. `stats.open` tells how many, for less. */
  get connections(): ReadonlySet<Connection> {
    return new Set(this.#set.connections)
  }

  /** How many connections there may be at once: what was asked for, or what the descriptors allow. */
  get maxConnections(): number {
    return this.#admission.maxConnections
  }

  get stats(): ServerStats {
    return {
      accepted: this.#accepted,
      open: this.#set.size,
      refused: this.#refusals.counts,
      closedBy: { ...this.#closedBy },
      timedOutBy: { ...this.#timedOutBy },
      lossyCloses: this.#lossyCloses,
      overlongLines: this.#overlongLines,
      bytesRead: this.#bytesRead,
      bytesWritten: this.#bytesWritten,
    }
  }

  /**
   * How the latest 100 connections ended, the oldest first; those that were not admitted are counted in
   * `stats.refused` alone, or a flood of them would push everything else out.
   */
  get recentCloses(): readonly CloseRecord[] {
    return this.#recentCloses.records
  }

  /** Resolves when the server has stopped. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /**
   * Resolves when the server has stopped; an abort of `signal` stops it, with the server's own defaults.
   * (asyncio: `serve_forever`.)
   */
  serveForever(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    return watchUnawaited(this.#serveForever(options), 'Server.serveForever()')
  }

  async #serveForever({ signal }: { signal?: AbortSignal | undefined }): Promise<void> {
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
    for (const connection of this.#set.connections) void connection.close()
  }

  /** Aborts every connection; the server goes on listening. (asyncio: `abort_clients`.) */
  abortClients(reason?: unknown): void {
    for (const connection of this.#set.connections) connection.abort(reason)
    this.#refusals.destroy()
  }

  /** The same as `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** @internal */
  listens(address: Where): void {
    this.#address = address
    if ('path' in address && this.#unix === undefined) this.#prepare(address)
    this.#listener.on('error', (error) => {
      this.#log.error(
        { err: error },
        `the listener on ${describeAddress(address)} reports an error`,
      )
    })
    const { warning } = this.#admission
    if (warning !== undefined) this.#log.warn(warning.fields, warning.message)
  }

  /** What every connection shares. The sockets of a Unix socket do not know where they are. */
  #prepare(unix: UnixAddress | undefined): void {
    this.#unix = unix
    this.#connectionOptions = {
      ...this.#options,
      role: 'inbound',
      deadlines: resolveDeadlines(this.#options.deadlines, SERVER_DEADLINES),
      logger: this.#log,
      onLimit: this.#onLimit,
      ...(unix === undefined ? {} : { local: unix, remote: unix }),
      onClosed: (connection, info) => {
        this.#connectionClosed(connection, info)
      },
    }
    const { maxLingeringRefusals } = this.#admission
    this.#refusals = new Refusals(this.#options.refusal, maxLingeringRefusals, this.#log, {
      ...this.#connectionOptions,
      onClosed: (_connection, info) => {
        this.#count(info)
      },
    })
  }

  #accept(socket: net.Socket): void {
    this.#arrivals++
    const host = this.#unix === undefined ? (socket.remoteAddress ?? UNKNOWN_HOST) : undefined
    const takes = this.#takes
    const isFull = takes instanceof AcceptQueue && takes.isFull
    const reason = isFull ? 'backlog-full' : this.#admission.admit(host)
    if (reason !== undefined) {
      this.#refusals.refuse(socket, reason)
      return
    }
    this.#accepted++
    const connection = new Connection(socket, this.#connectionOptions)
    if (this.#state !== 'listening') connection.beginDraining()
    if (takes instanceof AcceptQueue) {
      this.#set.keep(connection)
      if (connection.state !== 'closed') takes.put(connection)
    } else {
      this.#set.serve(connection, takes)
    }
  }

  #connectionClosed(connection: Connection, info: CloseInfo): void {
    this.#count(info)
    this.#recentCloses.add(connection, info)
    this.#admission.release(hostOf(connection.remote))
    if (this.#takes instanceof AcceptQueue) this.#takes.ended(connection)
    this.#set.closed(connection)
  }

  readonly #onLimit: OnLimit = (error, connection) => {
    this.#overlongLines++
    const { onLimit } = this.#options
    return typeof onLimit === 'function' ? onLimit(error, connection) : onLimit
  }

  #count({ reason: { kind, phase }, error, bytesRead, bytesWritten }: CloseInfo): void {
    this.#closedBy[kind] = (this.#closedBy[kind] ?? 0) + 1
    if (phase !== undefined) this.#timedOutBy[phase] = (this.#timedOutBy[phase] ?? 0) + 1
    if (error !== undefined && CLEAN_KINDS.has(kind)) this.#lossyCloses++
    this.#bytesRead += bytesRead
    this.#bytesWritten += bytesWritten
  }

  async #stop(graceMs: number, drainDelayMs: number): Promise<StopReport> {
    const startedAt = this.#clock.now()
    this.#state = 'draining'
    for (const connection of this.#set.connections) connection.beginDraining()
    if (drainDelayMs > 0) await this.#delay(drainDelayMs)
    await this.#acceptTheRest()
    const listenerClosed = new Promise<void>((resolve) => {
      this.#listener.close(() => {
        resolve()
      })
    })
    const open = this.#set.size
    if (this.#options.stopReads !== false) {
      for (const connection of this.#set.connections) connection.cutInput()
    }
    if (this.#takes instanceof AcceptQueue) this.#takes.end()
    let aborted = 0
    const graceIsOver = deferred()
    const graceEnds = this.#clock.setTimeout(() => {
      aborted = this.#set.endGrace(graceMs)
      this.#refusals.destroy()
      graceIsOver.resolve()
    }, graceMs)
    const allEnded = Promise.all([this.#set.idle({ handlers: true }), this.#refusals.idle()])
    await Promise.race([allEnded, graceIsOver.promise])
    this.#clock.clearTimeout(graceEnds)
    await Promise.all([this.#set.idle({ handlers: false }), this.#refusals.idle()])
    await listenerClosed
    this.#refusals.close()
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
    const all = this.#arrivals + (this.#options.backlog ?? DEFAULT_BACKLOG) + 1
    let quietTurns = 0
    while (quietTurns < QUIET_TURNS && (this.#clock.now() < latest || this.#arrivals < all)) {
      const before = this.#arrivals
      await turnOfTheLoop()
      quietTurns = this.#arrivals === before ? quietTurns + 1 : 0
    }
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimeout(resolve, ms)
    })
  }
}

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

/** What the rules for addresses see of a peer: nothing on a Unix socket. */
function hostOf(remote: Address | undefined): string | undefined {
  if (remote === undefined) return UNKNOWN_HOST
  return 'path' in remote ? undefined : remote.host
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
