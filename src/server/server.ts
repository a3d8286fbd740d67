/**
 * Many inbound connections and their end. A server makes each accepted socket that is admitted a Connection in the
 * same turn, runs the handler for it (or gives it to whoever iterates over the server), and stops in an order in
 * which nobody who was promised an answer loses it:
 *
 *     draining (told; still accepting for drainDelayMs) → accept until two loop turns bring nothing →
 *     listener closed → each connection cut after its last whole message → grace → abort
 *
 * It never parses a protocol, and it never sees the client.
 */
import type net from 'node:net'
import { onAbort } from '../concurrency/abort.js'
import { systemClock, type Clock } from '../concurrency/clock.js'
import { deferred } from '../concurrency/deferred.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import { resolveLogger, type Logger } from '../logger.js'
import { describeAddress, type Address, type UnixAddress } from '../protocol/address.js'
import type { CloseInfo } from '../protocol/close-info.js'
import { Connection, type ConnectionOptions, type OnLimit } from '../protocol/connection.js'
import { resolveDeadlines, SERVER_DEADLINES } from '../protocol/deadlines.js'
import type { Handler } from '../protocol/handler.js'
import { AcceptQueue } from './accept-queue.js'
import type { Admission, AdmissionOptions } from './admission.js'
import { ConnectionSet } from './connection-set.js'
import { acceptTheRest, cutInput, turnOfTheLoop } from './last-arrivals.js'
import { DEFAULT_BACKLOG, type ListenOptions } from './listen.js'
import { Refusals, type Refusal } from './refusals.js'
import { ServerTally, type ServerStats } from './server-tally.js'

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

export type ServerState = 'listening' | 'draining' | 'closed'

const DEFAULT_GRACE_MS = 10_000
/** A peer that has reset its connection already has no address any more. */
const UNKNOWN_HOST = 'unknown'

/** What `startServer` gives: a listener and its connections. */
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
  readonly #tally = new ServerTally()

  /** Made by `startServer`. @internal */
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
    return this.#tally.stats(this.#set.size, this.#refusals.counts)
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
   * in the report and does not hold it. Any number of calls; the first one counts. (A handler that awaits it waits
   * for itself, and is aborted at the end of the grace: there, leave out the `await`.)
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
        this.#tally.refusedEnded(info)
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
    this.#tally.admitted()
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
    this.#tally.ended(connection, info)
    this.#admission.release(hostOf(connection.remote))
    if (this.#takes instanceof AcceptQueue) this.#takes.ended(connection)
    this.#set.closed(connection)
  }

  readonly #onLimit: OnLimit = (error, connection) => {
    this.#tally.lineOverran()
    const { onLimit } = this.#options
    return typeof onLimit === 'function' ? onLimit(error, connection) : onLimit
  }

  async #stop(graceMs: number, drainDelayMs: number): Promise<StopReport> {
    const startedAt = this.#clock.now()
    this.#state = 'draining'
    for (const connection of this.#set.connections) connection.beginDraining()
    if (drainDelayMs > 0) await this.#delay(drainDelayMs)
    const { backlog = DEFAULT_BACKLOG } = this.#options
    await acceptTheRest(() => this.#arrivals, backlog, this.#clock)
    const listenerClosed = new Promise<void>((resolve) => {
      this.#listener.close(() => {
        resolve()
      })
    })
    const open = this.#set.size
    if (this.#options.stopReads !== false) {
      for (const connection of this.#set.connections) void cutInput(connection)
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
    // Handlers whose connection was just aborted settle in their own promise jobs.
    await turnOfTheLoop()
    this.#state = 'closed'
    this.#closed.resolve()
    this.#refusals.close()
    return {
      drained: open - aborted,
      aborted,
      stragglers: this.#set.stragglers(),
      durationMs: this.#clock.now() - startedAt,
    }
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimeout(resolve, ms)
    })
  }
}

/** What the rules for addresses see of a peer: nothing on a Unix socket. */
function hostOf(remote: Address | undefined): string | undefined {
  if (remote === undefined) return UNKNOWN_HOST
  return 'path' in remote ? undefined : remote.host
}

/** @throws RangeError unless they are milliseconds, 0 or above */
export function checkGrace({ graceMs, drainDelayMs }: StopOptions): void {
  for (const [name, value] of Object.entries({ graceMs, drainDelayMs })) {
    if (value !== undefined && !(value >= 0)) {
      throw new RangeError(`${name} must be a number of milliseconds, 0 or above, not ${value}`)
    }
  }
}
