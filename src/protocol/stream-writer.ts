/**
 * The writing half of a stream: asyncio's StreamWriter.
 *
 * What is written during one turn of the loop leaves as one write; of what waits, one slice of up to 64 KiB is
 * with the transport at a time, so that progress can be seen. `drain()` is the backpressure: it returns at once
 * under the high mark, and otherwise waits for the low one.
 *
 * The writer never reads, never closes the transport, and keeps no timer of its own.
 *
 * Invariant: what is in flight came before what the buffer has, and whoever waits is told when it can no longer leave.
 */
import { refuseWait, type WaitOptions } from '../concurrency/abort.js'
import { rejected, unobserved } from '../concurrency/deferred.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import { ClosedError, SlowConsumerError } from '../errors.js'
import type { Deadlines } from './deadlines.js'
import type { Chunk, Framing } from './framing.js'
import { madeNow, type LateError } from './late-error.js'
import { pipe } from './pipe.js'
import { SendBuffer, SLICE_BYTES } from './send-buffer.js'
import type { Transport } from './transport.js'
import { WriteWaiters } from './write-waiters.js'

/** So many drains that need not wait, and one lets the loop turn. */
const DRAINS_PER_TURN = 1024

export const DEFAULT_HIGH_WATER_MARK = 64 * 1024
export const DEFAULT_LOW_WATER_MARK = 16 * 1024
export const DEFAULT_MAX_BUFFERED_BYTES = 1024 * 1024

export interface StreamWriterOptions {
  /** `drain()` waits above this many buffered bytes. @default 65536 */
  highWaterMark?: number | undefined
  /** … until no more than this many are left. @default a quarter of the high mark */
  lowWaterMark?: number | undefined
  /** A write while this many bytes or more are buffered is refused. @default 1048576 */
  maxBufferedBytes?: number | undefined
  /** What a refused write does: throw SlowConsumerError, or throw it and abort the connection. @default 'throw' */
  onOverflow?: 'throw' | 'abort' | undefined
}

/**
 * The marks and the cap that the options stand for.
 * @throws RangeError unless 0 <= low <= high, and the cap is above 0
 */
export function resolveMarks(
  options: StreamWriterOptions,
): Record<'highWaterMark' | 'lowWaterMark' | 'maxBufferedBytes', number> {
  const { highWaterMark = DEFAULT_HIGH_WATER_MARK } = options
  const { lowWaterMark = Math.min(highWaterMark, Math.floor(highWaterMark / 4)) } = options
  const { maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES } = options
  if (!(lowWaterMark >= 0 && lowWaterMark <= highWaterMark)) {
    throw new RangeError(
      `the marks must be 0 <= lowWaterMark <= highWaterMark, not ${lowWaterMark} and ${highWaterMark}`,
    )
  }
  if (!(maxBufferedBytes > 0)) {
    throw new RangeError(`maxBufferedBytes must be above 0, not ${maxBufferedBytes}`)
  }
  return { highWaterMark, lowWaterMark, maxBufferedBytes }
}

/** The connection, as its writer sees it. */
export interface WriterHost {
  /** `close()` of the writer is that of the connection. */
  close(): Promise<void>
  /** Resolves when the connection is closed; rejects when it broke. */
  waitClosed(): Promise<void>
  /** `writeEof()` was called; what was written has still to go. */
  localEnds(): void
  /** All that was written is with the kernel, and the FIN behind it. */
  allSent(): void
  /** The cap was passed and `onOverflow` is 'abort'. */
  overflowed(error: SlowConsumerError): void
}

const DRAINED = Promise.resolve()

export class StreamWriter {
  readonly #transport: Transport
  readonly #host: WriterHost
  readonly #deadlines: Deadlines
  readonly #highMark: number
  readonly #lowMark: number
  readonly #cap: number
  readonly #abortsOnOverflow: boolean
  /** The `canWriteEof` of asyncio: false where the transport cannot end one half. */
  readonly canWriteEof: boolean = true

  readonly #buffer = new SendBuffer()
  /** The slice that the transport has not taken yet, in bytes. */
  #inFlight = 0
  /** Whether the transport has yet to call back for a slice. */
  #awaitsCallback = false
  #isScheduled = false
  #flushedBytes = 0
  #drainsThisTurn = 0

  /** Why a write is refused now; undefined while writing is open. */
  #refusal: LateError | undefined
  /** Why what was accepted can no longer be delivered. */
  #failure: Error | undefined
  #isEnding = false
  #endSent = false
  /** Whether the connection was closed here, so that waiting to write more makes no sense. */
  #isClosed = false
  /** Those who wait; made for the first of them. */
  #waiters: WriteWaiters | undefined
  readonly #onWritten = (error?: Error | null): void => {
    this.#written(error ?? undefined)
  }

  /** Made by a Connection. @throws RangeError when the marks are not 0 ≤ low ≤ high, or the cap is not above 0 */
  constructor(
    transport: Transport,
    host: WriterHost,
    deadlines: Deadlines,
    options: StreamWriterOptions = {},
  ) {
    const { highWaterMark, lowWaterMark, maxBufferedBytes } = resolveMarks(options)
    this.#transport = transport
    this.#host = host
    this.#deadlines = deadlines
    this.#highMark = highWaterMark
    this.#lowMark = lowWaterMark
    this.#cap = maxBufferedBytes
    this.#abortsOnOverflow = options.onOverflow === 'abort'
  }

  /** Bytes that were written and that the kernel has not taken. */
  get bufferedBytes(): number {
    return this.#inFlight + this.#buffer.size
  }

  /** Bytes that the kernel has taken. */
  get flushedBytes(): number {
    return this.#flushedBytes
  }

  /** Whether the writing half is ended or ending, so that a write would throw. (asyncio: `is_closing()`.) */
  get isClosing(): boolean {
    return this.#refusal !== undefined
  }

  /**
   * Writes text (as UTF-8, or one byte a character as `latin1`) or bytes. Returns at once; `drain()` is the
   * backpressure. Bytes up to 16 KiB are copied; a larger buffer must not be changed until `flush()`. Text that
   * is written in one turn of the loop is one text: two halves of a surrogate pair become their character.
   *
   * @throws SlowConsumerError when `maxBufferedBytes` or more are waiting already; nothing of `data` is taken
   * @throws ClosedError after `writeEof()`, `close()` or the end of the connection
   * @throws BrokenError, TimeoutError after the connection ended so
   * @throws TypeError when `data` is neither a string nor a Uint8Array
   */
  write(data: Chunk, encoding: 'utf8' | 'latin1' = 'utf8'): void {
    if (this.#refusal !== undefined) throw this.#refuse()
    if (this.#inFlight + this.#buffer.mostSize >= this.#cap) this.#checkCap()
    if (typeof data === 'string') this.#buffer.appendText(data, encoding)
    else if (data instanceof Uint8Array) this.#buffer.appendBytes(data)
    else throw new TypeError(`data must be a string or a Uint8Array, not ${typeName(data)}`)
    if (!this.#isScheduled) this.#schedule()
  }

  /** Writes each chunk, as one write: all are taken, or none. (asyncio: `writelines`.) @throws as `write` */
  writeAll(chunks: Iterable<Chunk>): void {
    if (this.#refusal !== undefined) throw this.#refuse()
    const all = [...chunks]
    // What was iterated over may have written, or ended the connection.
    if (this.isClosing) throw this.#refuse()
    if (this.#inFlight + this.#buffer.mostSize >= this.#cap) this.#checkCap()
    for (const chunk of all) {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
        throw new TypeError(`each chunk must be a string or a Uint8Array, not ${typeName(chunk)}`)
      }
    }
    for (const chunk of all) {
      if (typeof chunk === 'string') this.#buffer.appendText(chunk, 'utf8')
      else this.#buffer.appendBytes(chunk)
    }
    if (!this.#isScheduled) this.#schedule()
  }

  /** Writes one frame. @throws as `write`, and what the framing throws for a value that it cannot encode */
  writeFrame<Value>(framing: Framing<Value>, value: Value): void {
    const frame = framing.encode(value)
    if (typeof frame === 'string' || frame instanceof Uint8Array) this.write(frame)
    else this.writeAll(frame)
  }

  /**
   * Waits until writing on is sensible: resolves at once at or under the high mark, else when what is buffered
   * has fallen to the low mark. It does not mean that anything was sent: `flush()` does. Any number may wait.
   * (asyncio: `drain`.)
   *
   * An abort or a timeout ends the wait alone: what was written stays written.
   *
   * @throws BrokenError, TimeoutError, ClosedError or the reason of an abort when what was written can no
   *   longer be delivered. A rejection that nobody awaits does not end the process.
   */
  drain(options?: WaitOptions): Promise<void> {
    return watchUnawaited(this.whenRoom(options), 'StreamWriter.drain()')
  }

  /** `drain()` for the kit itself. @internal */
  whenRoom(options?: WaitOptions): Promise<void> {
    if (this.#failure !== undefined) return rejected(this.#failure)
    if (options !== undefined) {
      const refusal = refuseWait(options)
      if (refusal !== undefined) return refusal
    }
    if (!this.isOverMark || this.bufferedBytes <= this.#highMark) {
      return ++this.#drainsThisTurn < DRAINS_PER_TURN ? DRAINED : this.#letLoopTurn()
    }
    if (this.#isClosed) return rejected(this.#refuse())
    return this.#waiting.drained(options)
  }

  /**
   * Waits until the kernel has taken all that was written so far. That the peer has read it, only the peer can say.
   *
   * @throws as `drain`
   */
  flush(options?: WaitOptions): Promise<void> {
    return watchUnawaited(this.#flush(options), 'StreamWriter.flush()')
  }

  #flush(options: WaitOptions | undefined): Promise<void> {
    if (this.#failure !== undefined) return rejected(this.#failure)
    if (options !== undefined) {
      const refusal = refuseWait(options)
      if (refusal !== undefined) return refusal
    }
    const position = this.#flushedBytes + this.bufferedBytes
    if (position > this.#flushedBytes) this.#flushNow()
    if (this.#flushedBytes >= position) return DRAINED
    if (this.#failure !== undefined) return rejected(this.#failure)
    return this.#waiting.flushed(position, options)
  }

  /**
   * Ends our half after what was written: the peer reads an end of input, and may go on sending. A second call
   * does nothing. (asyncio: `write_eof`.)
   *
   * @throws the errors of `write` when the connection has ended
   */
  writeEof(): void {
    if (this.#isEnding) return
    if (this.#refusal !== undefined) throw this.#refuse()
    this.#refusal = endedHere
    this.#isEnding = true
    this.#host.localEnds()
    this.#flushNow()
  }

  /** Closes the connection cleanly: see `Connection.close`. (asyncio: `close`.) Never rejects. */
  close(): Promise<void> {
    return this.#host.close()
  }

  /**
   * Resolves when the connection is closed. (asyncio: `wait_closed`.)
   *
   * @throws BrokenError, TimeoutError and the like when it did not end cleanly. A rejection that nobody awaits
   *   does not end the process.
   */
  waitClosed(): Promise<void> {
    return watchUnawaited(unobserved(this.#host.waitClosed()), 'StreamWriter.waitClosed()')
  }

  /**
   * Writes all that a readable or an (async) iterable gives, waiting for `drain()` in between. Ends nothing.
   * `timeoutMs` bounds each of those waits; the source may take its time. Of a source with a `tryGet()`, a queue or a
   * subscription to a broadcast, it takes what is there in one go, as far as the high mark.
   *
   * @throws the errors of `write` and `drain`, and those of the source; at once when the connection ends or the
   *   signal aborts, also while the source is waited for. The source is closed in each case; what was taken from
   *   it before stays written.
   */
  pipeFrom(
    source: AsyncIterable<Chunk> | Iterable<Chunk>,
    options: WaitOptions = {},
  ): Promise<void> {
    return watchUnawaited(pipe(source, this, options), 'StreamWriter.pipeFrom()')
  }

  // ---- the side of a pipe

  /** @internal */
  checkOpen(): void {
    if (this.#refusal !== undefined) throw this.#refuse()
  }

  /** @internal */
  unlessEnded<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#waiting.unlessEnded(promise, signal)
  }

  // ---- the side of the connection

  /**
   * Whether `drain()` would wait. It may say so a little early, and costs nothing.
   * @internal
   */
  get isOverMark(): boolean {
    return this.#inFlight + this.#buffer.mostSize > this.#highMark
  }

  /**
   * Refuses further writes with this error; what was accepted goes out, and an end behind it. Who waits for
   * room to write more is refused too; who waits for a flush still gets it.
   * @internal
   */
  finish(refusal: LateError): void {
    if (this.#failure !== undefined) return
    this.#refusal = refusal
    this.#isClosed = true
    this.#waiters?.rejectWriting(() => this.#refuse())
    this.#isEnding = true
    this.#flushNow()
  }

  /**
   * Whether all that was written has left, and the end behind it.
   * @internal
   */
  get isSpent(): boolean {
    return this.#endSent && this.#inFlight === 0
  }

  /**
   * The bytes can no longer be delivered: drops them, and rejects whoever waits.
   * @internal
   */
  fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#refusal = error
    // Once everything has left cleanly there is nothing that could fail to be delivered.
    if (this.isSpent) return
    this.#failure = error
    this.#buffer.clear()
    this.#inFlight = 0
    this.#waiters?.rejectAll(error)
  }

  /**
   * A `timeoutMs` of a drain or flush has passed.
   * @internal
   */
  callTimedOut(): void {
    this.#waiters?.rejectLate(this.bufferedBytes)
  }

  /** Why a write is refused, made when the first one is. */
  #refuse(): Error | undefined {
    if (this.#refusal !== undefined) this.#refusal = madeNow(this.#refusal)
    return this.#refusal
  }

  #checkCap(): void {
    const buffered = this.bufferedBytes
    if (buffered < this.#cap) return
    const error = new SlowConsumerError(buffered, this.#cap)
    if (this.#abortsOnOverflow) this.#host.overflowed(error)
    throw error
  }

  // ---- sending

  #schedule(): void {
    if (this.#inFlight + this.#buffer.leastSize >= SLICE_BYTES && !this.#awaitsCallback) {
      this.#flushNow()
      if (this.#buffer.isEmpty) return
    }
    this.#isScheduled = true
    flushAtEndOfTurn(this)
  }

  /**
   * The end of the turn in which something was written.
   * @internal
   */
  turnEnded(): void {
    this.#isScheduled = false
    this.#drainsThisTurn = 0
    if (!this.#awaitsCallback) this.#flushNow()
  }

  #flushNow(): void {
    if (this.#awaitsCallback || this.#failure !== undefined) return
    const buffer = this.#buffer
    if (buffer.isEmpty) {
      this.#sendEnd()
      return
    }
    this.#awaitsCallback = true
    if (buffer.isShortText) {
      const { size, sendEncoding } = buffer
      this.#inFlight = size
      this.#transport.write(buffer.takeText(), sendEncoding, this.#onWritten)
    } else {
      const slice = buffer.takeSlice()
      this.#inFlight = slice.length
      this.#transport.write(slice, this.#onWritten)
    }
    this.#afterSend()
  }

  #afterSend(): void {
    // A transport that was destroyed from outside takes everything, and delivers nothing; its `close` tells.
    if (this.#failure !== undefined || this.#transport.destroyed) return
    if (this.#transport.writableLength === 0) this.#handedOver()
    else this.#deadlines.writeStalls()
    // The FIN queues behind the slice, so it need not wait for the callback.
    if (this.#isEnding && this.#buffer.isEmpty) this.#sendEnd()
  }

  #handedOver(): void {
    const size = this.#inFlight
    if (size === 0) return
    this.#inFlight = 0
    this.#flushedBytes += size
    this.#deadlines.writeProgresses()
    this.#waiters?.wake(this.bufferedBytes <= this.#lowMark, this.#flushedBytes)
    if (this.#endSent) this.#host.allSent()
  }

  #written(error: Error | undefined): void {
    this.#awaitsCallback = false
    if (this.#failure !== undefined) return
    // What broke the write also ends the transport, with an `error` or a `close` of its own. Node 20 calls back
    // without an error for the write that was under way when the transport was destroyed.
    if (error !== undefined || this.#transport.destroyed) return
    this.#handedOver()
    this.#deadlines.writeFlows()
    const { hasParts, isEmpty } = this.#buffer
    if (hasParts || this.#isEnding || (!isEmpty && !this.#isScheduled)) this.#flushNow()
  }

  #sendEnd(): void {
    if (!this.#isEnding || this.#endSent) return
    this.#endSent = true
    this.#transport.end()
    if (this.#inFlight === 0) this.#host.allSent()
  }

  // ---- waiting

  get #waiting(): WriteWaiters {
    this.#waiters ??= new WriteWaiters(this.#deadlines)
    return this.#waiters
  }

  #letLoopTurn(): Promise<void> {
    this.#drainsThisTurn = 0
    return new Promise((resolve) => setImmediate(resolve))
  }
}

/** The writers that have something to send when the turn ends: one immediate serves them all. */
let dirty: StreamWriter[] = []

function flushAtEndOfTurn(writer: StreamWriter): void {
  if (dirty.push(writer) === 1) setImmediate(flushAll)
}

function flushAll(): void {
  const writers = dirty
  dirty = []
  for (const writer of writers) writer.turnEnded()
}

function endedHere(): Error {
  return new ClosedError('write after writeEof(): our half of the connection has ended')
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  // Absent from an object that was made without a prototype.
  const { constructor } = value as { constructor?: { name: string } }
  return constructor?.name ?? 'object'
}
