/**
 * The one connection-lifecycle module: what server, client and http-mini share. It joins a transport, a
 * reader, a writer and their deadlines, and sees to it that each connection ends exactly once and that nobody
 * is left waiting.
 *
 * It is the only file that listens to the events of an established socket. It never dials, never listens for
 * connections, and knows no protocol.
 *
 * Invariants: the state is written by `#move` alone, from the table in lifecycle.ts; the first reason for an
 * end wins; `closed` resolves exactly once, after every waiting call has been settled.
 *
 * A clean end, `close()`:
 *
 *     flush what was written → FIN → throw away what still arrives → the peer's FIN (or 2 s of silence,
 *     or 10 s in all) → closed
 */
import { deferred, type Deferred } from '../concurrency/deferred.js'
import { legible } from '../concurrency/legible.js'
import {
  BrokenError,
  ClosedError,
  connectionErrorFrom,
  TimeoutError,
  type LimitOverrunError,
  type SlowConsumerError,
  type TimeoutPhase,
} from '../errors.js'
import { childLogger, resolveLogger, type Logger } from '../logger.js'
import {
  CLIENT_DEADLINES,
  Deadlines,
  resolveDeadlines,
  SERVER_DEADLINES,
  type DeadlineLimits,
  type DeadlineOptions,
  type DeadlinePhase,
} from './deadlines.js'
import type { Chunk } from './framing.js'
import { connectionClose, connectionError, connectionOpen } from './connection-channels.js'
import { nextState, type ConnectionState, type LifecycleEvent } from './lifecycle.js'
import { Linger } from './linger.js'
import { DEFAULT_LIMIT, StreamReader, type StreamReaderOptions } from './stream-reader.js'
import { StreamWriter, type StreamWriterOptions } from './stream-writer.js'
import { systemClock, type Clock } from '../concurrency/clock.js'
import type { Transport } from './transport.js'

/** Why a connection ended. */
export type CloseKind =
  | 'ended'
  | 'closed-here'
  | 'aborted'
  | 'reset'
  | 'timed-out'
  | 'connect-refused'
  | 'not-admitted'
  | 'handler-failed'
  | 'failed'
  | 'server-stopped'

export interface CloseReason {
  readonly kind: CloseKind
  /** Which deadline it was, for `timed-out`. */
  readonly phase?: TimeoutPhase
}

/** What `closed` resolves with. */
export interface CloseInfo {
  readonly reason: CloseReason
  /** The error behind the reason, where there is one; or what kept a clean end from delivering all. */
  readonly error?: unknown
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly durationMs: number
}

export interface TcpAddress {
  readonly host: string
  readonly port: number
}

export interface UnixAddress {
  readonly path: string
}

/** Where an end of a connection is. */
export type Address = TcpAddress | UnixAddress

/** What is sent to the peer when a line passes the limit: bytes, or what a function makes of the error. */
export type OnLimit =
  Chunk | ((error: LimitOverrunError, connection: Connection) => Chunk | undefined)

export interface ConnectionOptions extends StreamReaderOptions, StreamWriterOptions {
  /** `inbound`: the peer dialled; `outbound`: we did. It decides the default deadlines. */
  role: 'inbound' | 'outbound'
  /** @default those of a server for `inbound`, all off for `outbound` */
  deadlines?: DeadlineOptions | undefined
  /** Faults go to stderr unless it is given; false silences them. */
  logger?: Logger | false | undefined
  /** Sent to the peer when a line passes the limit. @default nothing */
  onLimit?: OnLimit | undefined
  /** Where the ends are, when the transport cannot say (Unix sockets, memory). */
  local?: Address | undefined
  remote?: Address | undefined
  /** Called once, just before `closed` resolves. */
  onClosed?: ((connection: Connection, info: CloseInfo) => void) | undefined
  /**
   * Made where the program asked for the connection, for its stack: who watches connections names that place.
   * @internal
   */
  openedAt?: Error | undefined
}

/** What a protocol has to say about the deadlines of its connections. */
export interface Guard {
  readonly limits: DeadlineLimits
  /** Called in place of the cut when a deadline has passed. False: it is cut nevertheless. */
  passed(phase: DeadlinePhase, error: TimeoutError): boolean
}

const kConnection = Symbol('standpipe.connection')

/** A transport with its connection on it: the listeners are shared functions, and cost a connection nothing. */
type OwnedTransport = Transport & { [kConnection]: Connection | undefined }

/** The silence after which the kernel asks a peer whether it is still there. */
const KEEP_ALIVE_MS = 60_000
/** The loop turns during which input is still taken at a stop last at most this long: a peer may never pause. */
const CUT_WITHIN_MS = 100

let lastId = 0

export class Connection {
  /** A number that no other connection of this process has. */
  readonly id: number
  readonly role: 'inbound' | 'outbound'
  readonly reader: StreamReader
  readonly writer: StreamWriter
  /**
   * Where its server keeps it.
   * @internal
   */
  place: object | undefined

  readonly #transport: OwnedTransport
  readonly #deadlines: Deadlines
  readonly #options: ConnectionOptions
  readonly #clock: Clock
  /** That of the server or client, and then, from when it is asked for, the connection's own. */
  #logger: Logger
  #ownsLogger = false
  readonly #openedAt: number
  #state: ConnectionState = 'connecting'
  #bytesRead = 0
  #local: Address | undefined
  #remote: Address | undefined
  #peerHasEnded = false
  /** Whether what arrives is thrown away: from `close()` on. */
  #isDiscarding = false
  #guard: Guard | undefined
  /**
   * Called when the peer has ended its half.
   * @internal
   */
  onPeerEnd: (() => void) | undefined
  /** Its place among those that linger. */
  #lingering: Linger | undefined

  #reason: CloseReason | undefined
  #error: unknown
  #info: CloseInfo | undefined
  #closed: Deferred<CloseInfo> | undefined
  #signal: AbortController | undefined
  /** What `signal` has fired with, for whoever asks for it later. */
  #signalReason: unknown
  #hasFired = false
  #draining: AbortController | undefined
  #isDraining = false
  /** Whether the log has a line on how it went wrong. */
  #isTold = false
  /** The error that was published last: its reader and its handler may bring the same one. */
  #published: unknown

  /** Takes over a transport that is connected. From here on only this object listens to its events. */
  constructor(transport: Transport, options: ConnectionOptions) {
    this.id = ++lastId
    this.role = options.role
    this.#logger = resolveLogger(options.logger)
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#openedAt = this.#clock.now()
    this.#local = options.local
    this.#remote = options.remote
    this.#deadlines = new Deadlines(this.#ownLimits(), this.#clock, this)
    this.reader = new StreamReader(options)
    this.reader.attach(this, this.#deadlines)
    this.writer = new StreamWriter(transport, this, this.#deadlines, options)

    const owned = transport as OwnedTransport
    owned[kConnection] = this
    this.#transport = owned
    // Asked now: after a reset the transport no longer knows whom the error is to name. Each costs 2 µs, and a
    // server's own address is seldom wanted once the connection has gone.
    this.#remote = this.remote
    if (options.role === 'outbound') this.#local = this.local
    this.#move('connect')
    owned.on('error', transportOnError)
    owned.on('end', transportOnEnd)
    owned.on('close', transportOnClose)
    owned.on('data', transportOnData)
    // A socket that was accepted with pauseOnConnect stays silent otherwise.
    owned.resume()
    if (connectionOpen.hasSubscribers) {
      connectionOpen.publish({ connection: this, openedAt: options.openedAt })
    }
    if (transport.destroyed) this.#transportClosed()
    else if (transport.setKeepAlive !== undefined) this.#deadlines.expectProbes()
  }

  /** Where the connection is in its life: see docs/lifecycle.md. */
  get state(): ConnectionState {
    return this.#state
  }

  /** Our address; undefined where the transport does not know it (any more). */
  get local(): Address | undefined {
    const { localAddress: host, localPort: port } = this.#transport
    if (this.#local === undefined && host !== undefined && port !== undefined) {
      this.#local = { host, port }
    }
    return this.#local
  }

  /** The peer's address; undefined where the transport does not know it (any more). */
  get remote(): Address | undefined {
    const { remoteAddress: host, remotePort: port } = this.#transport
    if (this.#remote === undefined && host !== undefined && port !== undefined) {
      this.#remote = { host, port }
    }
    return this.#remote
  }

  /** The logger that this connection's faults go to: each record has its `conn` (the id) and its `peer`. */
  get log(): Logger {
    if (!this.#ownsLogger) {
      this.#ownsLogger = true
      const fields = { conn: this.id, peer: describeAddress(this.remote) }
      this.#logger = childLogger(this.#logger, fields)
    }
    return this.#logger
  }

  /** Bytes that have arrived. */
  get bytesRead(): number {
    return this.#bytesRead
  }

  /** Bytes that the kernel has taken. */
  get bytesWritten(): number {
    return this.writer.flushedBytes
  }

  /**
   * Aborts when there is no more use in working for this peer: on a reset, an abort, a deadline, and at the end
   * of grace. Not on a FIN, since a peer that has ended its half may still want the reply; and it is blind while
   * more is stored than the mark allows, since nothing is read then.
   */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#signal = new AbortController()
      if (this.#hasFired) this.#signal.abort(this.#signalReason)
    }
    return this.#signal.signal
  }

  /** Aborts when the server has begun to stop: a handler that loops by itself should come to its end. */
  get draining(): AbortSignal {
    if (this.#draining === undefined) {
      this.#draining = new AbortController()
      if (this.#isDraining) this.#draining.abort()
    }
    return this.#draining.signal
  }

  /** Resolves when the socket is gone, with the reason and the counts. It never rejects. */
  get closed(): Promise<CloseInfo> {
    this.#closed ??= deferred<CloseInfo>()
    if (this.#info !== undefined) this.#closed.resolve(this.#info)
    return this.#closed.promise
  }

  /**
   * Ends the connection cleanly: what was written is flushed, our half ended, and what still arrives thrown
   * away until the peer ends too, is silent for 2 s, or 10 s have passed. (Closing with unread input would
   * reset the connection, and the peer lose the reply.) Reads and writes are ClosedError from now on.
   *
   * Resolves when the socket is gone; never rejects; any number of calls. With no write deadline it waits as
   * long as the peer keeps what was written from leaving: `abort()` ends that.
   */
  close(): Promise<void> {
    this.closeBecause({ kind: 'closed-here' })
    return this.closed.then(ignore)
  }

  /**
   * Ends the connection at once, on TCP with a RST: what was not sent is lost, and the peer knows that it was.
   * Waiting calls reject with `reason`, or a ClosedError. Any number of calls; the first reason stays.
   */
  abort(reason?: unknown): void {
    const error = legible(reason) ?? new ClosedError('the connection was aborted here')
    this.cut({ kind: 'aborted' }, error)
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * What asyncio's `get_extra_info` knows by the same names: `peername` and `sockname` (`[host, port]`, or the
   * path), `socket` (the transport). Undefined for every other name.
   */
  getExtraInfo(name: string): unknown {
    switch (name) {
      case 'peername':
        return toAsyncioName(this.remote)
      case 'sockname':
        return toAsyncioName(this.local)
      case 'socket':
        return this.#transport
      default:
        return undefined
    }
  }

  // ---- the side of server and client

  /**
   * Whether the server has begun to stop.
   * @internal
   */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /**
   * Whether the last byte is out and only the peer's end is waited for.
   * @internal
   */
  get isLingering(): boolean {
    return this.#isDiscarding && this.writer.isSpent
  }

  /**
   * Logs that the peer or the network has brought about an end, in one line however often it is called: a connection
   * knows of it as well as its handler, and either may be first, or the only one.
   * @internal
   */
  tellEnd(error: unknown): void {
    if (this.#reason === undefined) this.#publishError(error)
    if (this.#isTold) return
    this.#isTold = true
    const fields = { err: error, ...(this.#reason === undefined ? {} : labelsOf(this.#reason)) }
    this.log.info(fields, `the connection from ${describeAddress(this.remote)} ended early`)
  }

  /**
   * A protocol has logged itself how it went wrong, with more than is known here.
   * @internal
   */
  markTold(): void {
    this.#isTold = true
  }

  /**
   * Cuts the connection for a fault of its handler, and logs that, whatever else was logged.
   * @internal
   */
  handlerFailed(error: unknown): void {
    this.#isTold = true
    this.cut({ kind: 'handler-failed' }, error)
    this.#publishError(error)
    this.log.error({ err: error }, `the handler of ${describeAddress(this.remote)} failed`)
  }

  /**
   * Ends cleanly for a reason of the caller's.
   * @internal
   */
  closeBecause(reason: CloseReason, error?: unknown): void {
    if (this.#state === 'closed') return
    const isAnswerToFin = reason.kind === 'closed-here' && this.#peerHasEnded
    this.#setReason(isAnswerToFin ? { kind: 'ended' } : reason, error)
    this.#move('close')
    if (this.#isDiscarding) return
    this.#isDiscarding = true
    const isFailure = reason.kind === 'failed' && error instanceof Error
    this.reader.close(isFailure ? error : closedHere)
    this.writer.finish(closedHere)
    this.#transport.resume()
    if (this.writer.isSpent) this.#linger()
  }

  /**
   * Ends at once for a reason of the caller's. `error` is what waiting calls reject with.
   * @internal
   */
  cut(reason: CloseReason, error: unknown, how: 'reset' | 'destroy' = 'reset'): void {
    if (this.#state === 'closed') return
    this.#setReason(reason, error)
    this.#move('cut')
    this.#settle(error, reason.kind !== 'timed-out')
    this.#deadlines.stop()
    if (how === 'destroy' || !this.#reset()) this.#transport.destroy()
  }

  /**
   * The deadlines of a protocol take the place of those it was made with; undefined gives those back.
   * @internal
   */
  set guard(guard: Guard | undefined) {
    this.#guard = guard
    this.#deadlines.limits = guard?.limits ?? this.#ownLimits()
  }

  /**
   * What its deadlines are kept by.
   * @internal
   */
  get clock(): Clock {
    return this.#clock
  }

  /**
   * Whether the peer has ended its half.
   * @internal
   */
  get peerHasEnded(): boolean {
    return this.#peerHasEnded
  }

  /**
   * Tells the handler that the server has begun to stop.
   * @internal
   */
  beginDraining(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    this.#draining?.abort()
  }

  /**
   * The cut of a stop: input is taken until one turn of the loop brings none, the receive mark is full, or
   * 100 ms have passed; then lines and frames end after the last one that is whole.
   * @internal
   */
  cutInput(): void {
    const latest = this.#clock.now() + CUT_WITHIN_MS
    const mark = this.#bytesRead + 2 * (this.#options.limit ?? DEFAULT_LIMIT)
    const watch = (seen: number): void => {
      // Two immediates: between them lies a whole poll of the sockets.
      setImmediate(() =>
        setImmediate(() => {
          const isQuiet = this.#bytesRead === seen || this.#bytesRead >= mark
          if (isQuiet || this.reader.isPaused || this.#clock.now() >= latest) this.reader.cut()
          else watch(this.#bytesRead)
        }),
      )
    }
    watch(this.#bytesRead)
  }

  // ---- the side of reader, writer and deadlines

  /** @internal */
  pauseReading(): void {
    if (!this.#isDiscarding) this.#transport.pause()
  }

  /** @internal */
  resumeReading(): void {
    this.#transport.resume()
  }

  /** @internal */
  lineOverran(error: LimitOverrunError, gaveUp: boolean): void {
    if (gaveUp) {
      this.closeBecause({ kind: 'failed' }, error)
      return
    }
    const { onLimit } = this.#options
    const reply = typeof onLimit === 'function' ? onLimit(error, this) : onLimit
    if (reply !== undefined && !this.writer.isClosing) this.writer.write(reply)
    this.#publishError(error)
  }

  /** @internal */
  localEnds(): void {
    this.#move('localEnd')
    this.#noteBothEnded()
  }

  /** @internal */
  allSent(): void {
    if (this.#isDiscarding) this.#linger()
    else if (this.#state === 'localEnded') this.#deadlines.halfCloses()
  }

  /** @internal */
  overflowed(error: SlowConsumerError): void {
    this.cut({ kind: 'failed' }, error)
  }

  /** @internal */
  async waitClosed(): Promise<void> {
    const { reason, error } = await this.closed
    const isLoss = error instanceof BrokenError || error instanceof TimeoutError
    if (isLoss || BROKEN_KINDS.has(reason.kind)) throw error
  }

  /** @internal */
  deadlinePassed(phase: DeadlinePhase, afterMs: number): void {
    switch (phase) {
      case 'read-call':
        this.reader.callTimedOut()
        return
      case 'write-call':
        this.writer.callTimedOut()
        return
      case 'linger':
        this.endLinger()
        return
      case 'probes':
        this.#transport.setKeepAlive?.(true, KEEP_ALIVE_MS)
        return
      default: {
        const what = `${this.#describe()}: ${DEADLINE_WORDS[phase]} within ${Math.round(afterMs)} ms`
        const error = new TimeoutError(what, phase, afterMs)
        if (this.#guard?.passed(phase, error) === true) return
        // A peer must learn that output was lost, or it takes a part for the whole; where none is, a FIN is kinder.
        const losesOutput = this.writer.bufferedBytes > 0
        this.cut({ kind: 'timed-out', phase }, error, losesOutput ? 'reset' : 'destroy')
      }
    }
  }

  /** @internal */
  endLinger(): void {
    this.#deadlines.stop()
    this.#transport.destroy()
  }

  // ---- the transport's events

  /** @internal */
  transportReceived(chunk: Buffer): void {
    this.#bytesRead += chunk.length
    if (this.#isDiscarding) this.#deadlines.lingerProgresses()
    else this.reader.feedData(chunk)
  }

  /** @internal */
  transportEnded(): void {
    this.#peerHasEnded = true
    this.#move('peerEnd')
    this.#noteBothEnded()
    this.reader.feedEof()
    this.onPeerEnd?.()
  }

  /** @internal */
  transportFailed(error: Error): void {
    if (this.#state === 'closed') return
    const typed = connectionErrorFrom(error, this.#describe())
    if (typed instanceof TimeoutError) {
      this.#setReason({ kind: 'timed-out', phase: typed.phase }, typed)
    } else {
      const isReset = typed.code === 'ERR_STANDPIPE_RESET'
      this.#setReason({ kind: isReset ? 'reset' : 'failed' }, typed)
    }
    this.#move('cut')
    this.#settle(typed, false)
  }

  /** @internal */
  transportClosed(): void {
    this.#transportClosed()
  }

  #transportClosed(): void {
    if (!this.#move('gone')) return
    this.#deadlines.stop()
    this.#lingering?.leave()
    // Node keeps the socket of a closed handle alive over collections of young objects; what hangs on it would be
    // moved to the old ones.
    this.#transport[kConnection] = undefined
    const isExplained = this.#reason !== undefined || this.#peerHasEnded
    if (!this.#hasFired && !(isExplained && this.writer.isSpent)) {
      const error = new BrokenError(`${this.#describe()}: the socket was closed from outside`)
      this.#setReason({ kind: 'failed' }, error)
      this.#settle(error, false)
    }
    // Who was told already why it ended hears the same again.
    if (!this.#hasFired && !this.writer.isClosing) this.writer.finish(closedHere)
    const info: CloseInfo = {
      reason: this.#reason ?? { kind: 'ended' },
      ...(this.#error === undefined ? {} : { error: this.#error }),
      bytesRead: this.#bytesRead,
      bytesWritten: this.writer.flushedBytes,
      durationMs: this.#clock.now() - this.#openedAt,
    }
    this.#info = info
    if (connectionClose.hasSubscribers) connectionClose.publish({ connection: this, info })
    this.#options.onClosed?.(this, info)
    this.#closed?.resolve(info)
    // Last: a logger that throws must not keep a connection from having ended.
    if (this.role === 'inbound' && isFault(info)) this.tellEnd(info.error)
  }

  // ---- parts

  #move(event: LifecycleEvent): boolean {
    const next = nextState(this.#state, event)
    if (next === undefined) return false
    this.#state = next
    return true
  }

  #setReason(reason: CloseReason, error: unknown): void {
    if (this.#reason === undefined) {
      this.#reason = reason
      this.#error = error
      if (FAULT_KINDS.has(reason.kind)) this.#publishError(error)
    } else if (!this.writer.isSpent && this.#error === undefined && error !== undefined) {
      // A clean end was begun and has lost what it had still to deliver: the reason stays, the loss is told.
      this.#error = error
      this.#publishError(error)
    }
  }

  #publishError(error: unknown): void {
    if (!connectionError.hasSubscribers || error === this.#published) return
    this.#published = error
    connectionError.publish({ connection: this, error })
  }

  #ownLimits(): DeadlineLimits {
    const defaults = this.role === 'inbound' ? SERVER_DEADLINES : CLIENT_DEADLINES
    return resolveDeadlines(this.#options.deadlines, defaults)
  }

  #noteBothEnded(): void {
    if (this.#state === 'closing') this.#setReason({ kind: 'ended' }, undefined)
  }

  /** Rejects whoever waits, and tells the handler. With `drop` also what has arrived is gone. */
  #settle(error: unknown, drop: boolean): void {
    const typed =
      error instanceof Error
        ? error
        : new ClosedError('the connection was aborted here', { cause: error })
    if (drop) this.reader.close(typed)
    else this.reader.setError(typed)
    this.writer.fail(typed)
    if (this.#hasFired) return
    this.#hasFired = true
    this.#signalReason = error
    this.#signal?.abort(error)
  }

  #linger(): void {
    if (this.#peerHasEnded || this.#lingering !== undefined) return
    this.#deadlines.lingers()
    this.#lingering = new Linger(() => {
      this.endLinger()
    })
    this.#lingering.begin()
  }

  #reset(): boolean {
    // While the FIN is under way libuv refuses a reset (EINVAL), and node:net then never closes the socket.
    if (this.writer.isSpent && this.#transport.writableFinished === false) return false
    try {
      if (this.#transport.resetAndDestroy === undefined) return false
      this.#transport.resetAndDestroy()
      return true
    } catch {
      // Unix sockets have no RST: ERR_INVALID_HANDLE_TYPE.
      return false
    }
  }

  #describe(): string {
    return `connection ${this.role === 'inbound' ? 'from' : 'to'} ${describeAddress(this.remote)}`
  }
}

const BROKEN_KINDS: ReadonlySet<CloseKind> = new Set(['reset', 'timed-out', 'failed'])
/** Their error is the program's own reason. */
const WILLED_KINDS: ReadonlySet<CloseKind> = new Set(['aborted', 'not-admitted'])
const FAULT_KINDS: ReadonlySet<CloseKind> = new Set([...BROKEN_KINDS, 'handler-failed'])

const DEADLINE_WORDS: Readonly<Record<string, string>> = {
  'first-byte': 'the peer sent no byte',
  message: 'the peer did not finish what it had begun to send',
  idle: 'not a byte went either way',
  write: 'the peer took nothing of what was written',
  'half-closed': 'the peer did not end its half after we had ended ours',
}

/** `127.0.0.1:8888`, `[::1]:8888`, `unix:/run/x.sock`, or `an unknown address`. */
export function describeAddress(address: Address | undefined): string {
  if (address === undefined) return 'an unknown address'
  if ('path' in address) return `unix:${address.path}`
  return address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`
}

/** As the fields of a log record. */
function labelsOf({ kind, phase }: CloseReason): Record<string, string> {
  return phase === undefined ? { reason: kind } : { reason: kind, phase }
}

/** Whether an end was none that either side had asked for, or lost what a clean one had still to deliver. */
function isFault({ reason, error }: CloseInfo): boolean {
  return FAULT_KINDS.has(reason.kind) || (error !== undefined && !WILLED_KINDS.has(reason.kind))
}

function toAsyncioName(address: Address | undefined): unknown {
  if (address === undefined) return undefined
  return 'path' in address ? address.path : [address.host, address.port]
}

function transportOnData(this: Transport, chunk: Buffer): void {
  ;(this as OwnedTransport)[kConnection]?.transportReceived(chunk)
}

function transportOnEnd(this: Transport): void {
  ;(this as OwnedTransport)[kConnection]?.transportEnded()
}

function transportOnError(this: Transport, error: Error): void {
  ;(this as OwnedTransport)[kConnection]?.transportFailed(error)
}

function transportOnClose(this: Transport): void {
  ;(this as OwnedTransport)[kConnection]?.transportClosed()
}

function closedHere(): Error {
  return new ClosedError('the connection is closed')
}

function ignore(): void {}
