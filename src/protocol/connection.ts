/**
 * The one connection-lifecycle module: what server, client and http-mini share. It joins a transport, a
 * reader, a writer and their deadlines, and sees to it that each connection ends exactly once and that nobody
 * is left waiting.
 *
 * It is the only file that listens to the events of an established socket. It never dials, never listens for
 * connections, and knows no protocol. What is said of a connection is worded elsewhere: close-info.ts,
 * connection-channels.ts, connection-log.ts, passed-deadline.ts.
 *
 * Invariants: the state is written by `#move` alone, from the table in lifecycle.ts; the first reason for an
 * end wins; `closed` resolves exactly once, after every waiting call has been settled.
 *
 * A clean end, `close()`:
 *
 *     flush what was written → FIN → throw away what still arrives → the peer's FIN (or 2 s of silence,
 *     or 10 s in all) → closed
 */
import { systemClock, type Clock } from '../concurrency/clock.js'
import { deferred, type Deferred } from '../concurrency/deferred.js'
import { legible } from '../concurrency/legible.js'
import {
  BrokenError,
  ClosedError,
  connectionErrorFrom,
  TimeoutError,
  type LimitOverrunError,
  type SlowConsumerError,
} from '../errors.js'
import type { Logger } from '../logger.js'
import {
  describeAddress,
  localAddressOf,
  remoteAddressOf,
  toAsyncioName,
  type Address,
} from './address.js'
import { isBroken, isFault, isLossy, type CloseInfo, type CloseReason } from './close-info.js'
import { publishClose, publishError, publishOpen } from './connection-channels.js'
import { connectionLog, logEarlyEnd } from './connection-log.js'
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
import { LateSignal } from './late-signal.js'
import { nextState, type ConnectionState, type LifecycleEvent } from './lifecycle.js'
import { Linger } from './linger.js'
import { deadlineError, type Guard } from './passed-deadline.js'
import { StreamReader, type StreamReaderOptions } from './stream-reader.js'
import { StreamWriter, type StreamWriterOptions } from './stream-writer.js'
import { tryReset, type Transport } from './transport.js'

// For whoever has a connection in hand.
export { describeAddress, type Address, type TcpAddress, type UnixAddress } from './address.js'
export type { CloseInfo, CloseKind, CloseReason } from './close-info.js'
export type { Guard } from './passed-deadline.js'

/**
 * What is sent to the peer when a line passes the limit: bytes, or what a function makes of the error. What the function
 * throws, and the SlowConsumerError where there is no room for the reply, is what the read rejects with then.
 */
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

const kConnection = Symbol('standpipe.connection')

/** A transport with its connection on it: the listeners are shared functions, and cost a connection nothing. */
type OwnedTransport = Transport & { [kConnection]: Connection | undefined }

/** The silence after which the kernel asks a peer whether it is still there. */
const KEEP_ALIVE_MS = 60_000

let lastId = 0

export class Connection {
  /** A number that no other connection of this process has. */
  readonly id: number
  readonly role: 'inbound' | 'outbound'
  readonly reader: StreamReader
  readonly writer: StreamWriter
  /** Where its server keeps it. @internal */
  place: object | undefined
  /** Called when the peer has ended its half. @internal */
  onPeerEnd: (() => void) | undefined

  readonly #transport: OwnedTransport
  readonly #deadlines: Deadlines
  readonly #options: ConnectionOptions
  /** Made when it is asked for. */
  #log: Logger | undefined
  readonly #openedAt: number
  #state: ConnectionState = 'connecting'
  #bytesRead = 0
  #local: Address | undefined
  #remote: Address | undefined
  #peerHasEnded = false
  /** Whether what arrives is thrown away: from `close()` on. */
  #isDiscarding = false
  #guard: Guard | undefined
  /** Its place among those that linger. */
  #lingering: Linger | undefined

  #reason: CloseReason | undefined
  #error: unknown
  #info: CloseInfo | undefined
  #closed: Deferred<CloseInfo> | undefined
  /** These two are made when they are asked for, or abort. */
  #signal: LateSignal | undefined
  #draining: LateSignal | undefined
  /** Whether the log has a line on how it went wrong. */
  #isTold = false

  /** Takes over a transport that is connected. From here on only this object listens to its events. */
  constructor(transport: Transport, options: ConnectionOptions) {
    const clock = options.clock ?? systemClock
    this.id = ++lastId
    this.role = options.role
    this.#options = options
    this.#openedAt = clock.now()
    this.#deadlines = new Deadlines(this.#ownLimits(), clock, this)
    this.reader = new StreamReader(options)
    this.reader.attach(this, this.#deadlines)
    this.writer = new StreamWriter(transport, this, this.#deadlines, options)

    const owned = transport as OwnedTransport
    owned[kConnection] = this
    this.#transport = owned
    // Asked now: after a reset the transport no longer knows whom the error is to name. A server's own address is
    // seldom wanted once the connection has gone.
    this.#remote = options.remote ?? remoteAddressOf(transport)
    this.#local =
      options.local ?? (options.role === 'outbound' ? localAddressOf(transport) : undefined)
    this.#move('connect')
    owned.on('error', transportOnError)
    owned.on('end', transportOnEnd)
    owned.on('close', transportOnClose)
    owned.on('data', transportOnData)
    // A socket that was accepted with pauseOnConnect stays silent otherwise.
    owned.resume()
    publishOpen(this, options.openedAt)
    if (transport.destroyed) this.transportClosed()
    else if (transport.setKeepAlive !== undefined) this.#deadlines.expectProbes()
  }

  /** Where the connection is in its life: see docs/lifecycle.md. */
  get state(): ConnectionState {
    return this.#state
  }

  /** Our address; undefined where the transport does not know it (any more). */
  get local(): Address | undefined {
    this.#local ??= localAddressOf(this.#transport)
    return this.#local
  }

  /** The peer's address; undefined where the transport does not know it (any more). */
  get remote(): Address | undefined {
    this.#remote ??= remoteAddressOf(this.#transport)
    return this.#remote
  }

  /** The logger that this connection's faults go to: each record has its `conn` (the id) and its `peer`. */
  get log(): Logger {
    this.#log ??= connectionLog(this.#options.logger, this.id, this.remote)
    return this.#log
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
    this.#signal ??= new LateSignal()
    return this.#signal.signal
  }

  /** Aborts when the server has begun to stop: a handler that loops by itself should come to its end. */
  get draining(): AbortSignal {
    this.#draining ??= new LateSignal()
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

  /** Whether the server has begun to stop. @internal */
  get isDraining(): boolean {
    return this.#draining?.hasAborted === true
  }

  /** Tells the handler that the server has begun to stop. @internal */
  beginDraining(): void {
    this.#draining ??= new LateSignal()
    this.#draining.abort()
  }

  /** Whether the peer has ended its half. @internal */
  get peerHasEnded(): boolean {
    return this.#peerHasEnded
  }

  /** Whether the last byte is out and only the peer's end is waited for. @internal */
  get isLingering(): boolean {
    return this.#isDiscarding && this.writer.isSpent
  }

  /** What its deadlines are kept by. @internal */
  get clock(): Clock {
    return this.#deadlines.clock
  }

  /** The deadlines of a protocol take the place of those it was made with; undefined gives those back. @internal */
  set guard(guard: Guard | undefined) {
    this.#guard = guard
    this.#deadlines.limits = guard?.limits ?? this.#ownLimits()
  }

  /**
   * Logs that the peer or the network has brought about an end, in one line however often it is called: a connection
   * knows of it as well as its handler, and either may be first, or the only one.
   * @internal
   */
  tellEnd(error: unknown): void {
    if (this.#reason === undefined) publishError(this, error)
    if (this.#isTold) return
    this.#isTold = true
    logEarlyEnd(this.log, this.remote, error, this.#reason)
  }

  /** Somebody else has logged how it went wrong, with more than is known here. @internal */
  markTold(): void {
    this.#isTold = true
  }

  /** Ends cleanly for a reason of the caller's. @internal */
  closeBecause(reason: CloseReason, error?: unknown): void {
    if (this.#state === 'closed') return
    const isAnswerToFin = reason.kind === 'closed-here' && this.#peerHasEnded
    this.#setReason(isAnswerToFin ? { kind: 'ended' } : reason, error)
    this.#move('close')
    // After a cut whoever waits has heard why, and the transport is on its way out: what can be read stays as it is.
    if (this.#isDiscarding || this.#isSettled) return
    this.#isDiscarding = true
    const isFailure = reason.kind === 'failed' && error instanceof Error
    this.reader.close(isFailure ? error : closedHere)
    this.writer.finish(closedHere)
    this.#transport.resume()
    if (this.writer.isSpent) this.#linger()
  }

  /** Ends at once for a reason of the caller's. `error` is what waiting calls reject with. @internal */
  cut(reason: CloseReason, error: unknown, how: 'reset' | 'destroy' = 'reset'): void {
    if (this.#state === 'closed') return
    this.#setReason(reason, error)
    this.#move('cut')
    // A second cut, in a listener of the signal too, has nobody left to tell.
    if (!this.#isSettled) this.#settle(error, reason.kind !== 'timed-out')
    this.#deadlines.stop()
    // While the FIN is under way libuv refuses a reset (EINVAL), and node:net then never closes the socket.
    const endsAlready = this.writer.isSpent && this.#transport.writableFinished === false
    if (how === 'destroy' || endsAlready || !tryReset(this.#transport)) this.#transport.destroy()
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
    publishError(this, error)
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
    if (isLoss || isBroken(reason)) throw error
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
        const error = deadlineError(phase, afterMs, this.#describe())
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
    if (!this.#move('gone')) return
    this.#deadlines.stop()
    this.#lingering?.leave()
    // Node keeps the socket of a closed handle alive over collections of young objects; what hangs on it would be
    // moved to the old ones.
    this.#transport[kConnection] = undefined
    const isExplained = this.#reason !== undefined || this.#peerHasEnded
    if (!this.#isSettled && !(isExplained && this.writer.isSpent)) {
      const error = new BrokenError(`${this.#describe()}: the socket was closed from outside`)
      this.#setReason({ kind: 'failed' }, error)
      this.#settle(error, false)
    }
    // Who was told already why it ended hears the same again.
    if (!this.#isSettled && !this.writer.isClosing) this.writer.finish(closedHere)
    const info: CloseInfo = {
      reason: this.#reason ?? { kind: 'ended' },
      ...(this.#error === undefined ? {} : { error: this.#error }),
      bytesRead: this.#bytesRead,
      bytesWritten: this.writer.flushedBytes,
      durationMs: this.clock.now() - this.#openedAt,
    }
    this.#info = info
    publishClose(this, info)
    this.#options.onClosed?.(this, info)
    this.#closed?.resolve(info)
    if (this.role === 'inbound' && (isFault(info.reason) || isLossy(info))) this.tellEnd(info.error)
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
      if (isFault(reason)) publishError(this, error)
    } else if (!this.writer.isSpent && this.#error === undefined && error !== undefined) {
      // A clean end was begun and has lost what it had still to deliver: the reason stays, the loss is told.
      this.#error = error
      publishError(this, error)
    }
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
    this.#signal ??= new LateSignal()
    this.#signal.abort(error)
  }

  /** Whether those who wait were told of its end. */
  get #isSettled(): boolean {
    return this.#signal?.hasAborted === true
  }

  #linger(): void {
    if (this.#peerHasEnded || this.#lingering !== undefined) return
    this.#deadlines.lingers()
    this.#lingering = new Linger(() => {
      this.endLinger()
    })
    this.#lingering.begin()
  }

  #describe(): string {
    return `connection ${this.role === 'inbound' ? 'from' : 'to'} ${describeAddress(this.remote)}`
  }
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
