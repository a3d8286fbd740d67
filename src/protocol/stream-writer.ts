/**
 * The writing half of a stream: asyncio's StreamWriter.
 *
 * What is written during one turn of the loop leaves as one write; of what waits, one slice of up to 64 KiB is
 * with the transport at a time, so that progress can be seen. `drain()` is the backpressure: it returns at once
 * under the high mark, and otherwise waits for the low one.
 *
 * The writer never reads, never closes the transport, and keeps no timer of its own.
 *
 * Invariant: `#parts` (bytes, in order) come before `#text` (written later); `#counted` is the exact size of
 * all but `#text`.
 */
import { refuseWait, type WaitOptions } from '../concurrency/abort.js'
import { rejected, unobserved } from '../concurrency/deferred.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import { ClosedError, SlowConsumerError } from '../errors.js'
import type { Deadlines } from './deadlines.js'
import type { Chunk, Framing } from './framing.js'
import { madeNow, type LateError } from './late-error.js'
import type { Transport } from './transport.js'
import { WriteWaiters } from './write-waiters.js'

/** What leaves in one write: the size up to which one syscall is cheaper per byte, and Node's own read size. */
const SLICE_BYTES = 64 * 1024
/** Binary data up to this size is copied, so that the caller may use its buffer again. */
const COPY_BYTES = 16 * 1024
/** Pieces up to this size are gathered while they wait. */
const SMALL_BYTES = 2048
/** A UTF-16 unit is at most three bytes of UTF-8. */
const MAX_BYTES_PER_UNIT = 3
/** Strings up to this length fit Node's stack buffer for UTF-8 (16 KiB). */
const SHORT_UNITS = 5461
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

  /** Strings written this turn, joined; `''` when there are none. */
  #text = ''
  #textEncoding: 'utf8' | 'latin1' = 'utf8'
  /** The exact size of `#text`, or -1 while nobody has needed to know. */
  #textBytes = -1
  #parts: Buffer[] = []
  /** The block of the last part, when small writes are gathered in it, and how full it is. */
  #gather: Buffer | undefined
  #gathered = 0
  #counted = 0
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
    return this.#counted + (this.#text === '' ? 0 : this.#sizeOfText())
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
    if (this.#counted + this.#text.length * MAX_BYTES_PER_UNIT >= this.#cap) this.#checkCap()
    if (typeof data === 'string') this.#appendText(data, encoding)
    else if (data instanceof Uint8Array) this.#appendBytes(data)
    else throw new TypeError(`data must be a string or a Uint8Array, not ${typeName(data)}`)
    if (!this.#isScheduled) this.#schedule()
  }

  /** Writes each chunk, as one write: all are taken, or none. (asyncio: `writelines`.) @throws as `write` */
  writeAll(chunks: Iterable<Chunk>): void {
    if (this.#refusal !== undefined) throw this.#refuse()
    const all = [...chunks]
    // What was iterated over may have written, or ended the connection.
    if (this.isClosing) throw this.#refuse()
    if (this.#counted + this.#text.length * MAX_BYTES_PER_UNIT >= this.#cap) this.#checkCap()
    for (const chunk of all) {
      if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
        throw new TypeError(`each chunk must be a string or a Uint8Array, not ${typeName(chunk)}`)
      }
    }
    for (const chunk of all) {
      if (typeof chunk === 'string') this.#appendText(chunk, 'utf8')
      else this.#appendBytes(chunk)
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
    return watchUnawaited(this.#drain(options), 'StreamWriter.drain()')
  }

  #drain(options: WaitOptions | undefined): Promise<void> {
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
    return watchUnawaited(this.#pipeFrom(source, options), 'StreamWriter.pipeFrom()')
  }

  async #pipeFrom(
    source: AsyncIterable<Chunk> | Iterable<Chunk>,
    options: WaitOptions,
  ): Promise<void> {
    const iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
    const pile = hasTryGet(source) ? source : undefined
    let waitsForSource = false
    try {
      for (;;) {
        options.signal?.throwIfAborted()
        if (this.#refusal !== undefined) throw this.#refuse()
        waitsForSource = true
        const next = await this.#waiting.unlessEnded(
          Promise.resolve(iterator.next()),
          options.signal,
        )
        waitsForSource = false
        if (next.done === true) return
        this.write(next.value)
        if (pile !== undefined) this.#writeUpToMark(pile)
        await this.#drain(options)
      }
    } catch (error) {
      const closed = closeSource(source, iterator)
      // A generator that is waited for cannot be closed before it goes on.
      if (!waitsForSource) await closed
      throw error
    }
  }

  /** A promise for each message would cost more than the message. */
  #writeUpToMark(pile: Pile): void {
    while (!this.isOverMark) {
      const chunk = pile.tryGet()
      if (chunk == null) return
      this.write(chunk)
    }
  }

  // ---- the side of the connection

  /**
   * Whether `drain()` would wait. It may say so a little early, and costs nothing.
   * @internal
   */
  get isOverMark(): boolean {
    return this.#counted + this.#text.length * MAX_BYTES_PER_UNIT > this.#highMark
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
    this.#text = ''
    this.#textBytes = -1
    this.#parts = []
    this.#gather = undefined
    this.#counted = 0
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

  // ---- taking

  #appendText(data: string, encoding: 'utf8' | 'latin1'): void {
    if (data === '') return
    if (this.#text === '') {
      this.#text = data
      this.#textEncoding = encoding
      return
    }
    if (encoding !== this.#textEncoding) {
      this.#turnTextIntoPart()
      this.#text = data
      this.#textEncoding = encoding
      return
    }
    this.#text += data
    if (this.#textBytes < 0) return
    // Looked at only where it is counted: it would flatten the string, which is still to be joined to others.
    // A pair of surrogates that two writes share is one character once they are joined.
    const endsPair = (data.charCodeAt(0) & 0xfc00) === 0xdc00
    this.#textBytes = endsPair ? -1 : this.#textBytes + Buffer.byteLength(data, encoding)
  }

  #appendBytes(data: Uint8Array): void {
    if (data.length === 0) return
    if (this.#text !== '') this.#turnTextIntoPart()
    if (data.length > COPY_BYTES) {
      this.#addPart(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
    } else if (this.#parts.length > 0 && data.length <= SMALL_BYTES) {
      this.#gatherSmall(data)
    } else {
      this.#addPart(Buffer.from(data))
    }
  }

  #turnTextIntoPart(): void {
    const part = Buffer.from(this.#text, this.#textEncoding)
    this.#text = ''
    this.#textBytes = -1
    if (this.#parts.length > 0 && part.length <= SMALL_BYTES) this.#gatherSmall(part)
    else this.#addPart(part)
  }

  #addPart(part: Buffer): void {
    this.#gather = undefined
    this.#parts.push(part)
    this.#counted += part.length
  }

  /** Copies behind the last part, so that many small writes are not as many objects. */
  #gatherSmall(data: Uint8Array): void {
    if (this.#gather === undefined || this.#gathered + data.length > this.#gather.length) {
      this.#gather = Buffer.allocUnsafeSlow(COPY_BYTES)
      this.#gathered = 0
    } else {
      this.#parts.length--
    }
    this.#gather.set(data, this.#gathered)
    this.#gathered += data.length
    this.#parts.push(this.#gather.subarray(0, this.#gathered))
    this.#counted += data.length
  }

  #sizeOfText(): number {
    if (this.#textBytes < 0) {
      this.#textBytes = Buffer.byteLength(this.#text, this.#textEncoding)
    }
    return this.#textBytes
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
    if (this.#counted + this.#text.length >= SLICE_BYTES && !this.#awaitsCallback) {
      this.#flushNow()
      if (this.#text === '' && this.#parts.length === 0) return
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
    if (this.#text === '' && this.#parts.length === 0) {
      this.#sendEnd()
      return
    }
    if (this.#parts.length === 0 && this.#text.length <= SLICE_BYTES) {
      const size = this.#sizeOfText()
      if (size <= SLICE_BYTES) {
        this.#sendText(this.#text, size)
        return
      }
    }
    if (this.#text !== '') this.#turnTextIntoPart()
    this.#sendBytes(this.#takeSlice())
  }

  #sendText(text: string, size: number): void {
    this.#text = ''
    this.#textBytes = -1
    this.#counted += size
    const isNarrow =
      this.#textEncoding === 'latin1' || (text.length > SHORT_UNITS && size === text.length)
    this.#beforeSend(size)
    this.#transport.write(text, isNarrow ? 'latin1' : 'utf8', this.#onWritten)
    this.#afterSend()
  }

  #sendBytes(slice: Buffer): void {
    this.#beforeSend(slice.length)
    this.#transport.write(slice, this.#onWritten)
    this.#afterSend()
  }

  #beforeSend(size: number): void {
    this.#inFlight = size
    this.#awaitsCallback = true
  }

  #afterSend(): void {
    // A transport that was destroyed from outside takes everything, and delivers nothing; its `close` tells.
    if (this.#failure !== undefined || this.#transport.destroyed) return
    if (this.#transport.writableLength === 0) this.#handedOver()
    else this.#deadlines.writeStalls()
    // The FIN queues behind the slice, so it need not wait for the callback.
    if (this.#isEnding && this.#text === '' && this.#parts.length === 0) this.#sendEnd()
  }

  /** Takes up to a slice off the front of the parts: joined when they are small, a view when the first is large. */
  #takeSlice(): Buffer {
    const parts = this.#parts
    const first = parts[0] as Buffer
    if (first.length > SLICE_BYTES) {
      parts[0] = first.subarray(SLICE_BYTES)
      return first.subarray(0, SLICE_BYTES)
    }
    let count = 0
    let size = 0
    while (count < parts.length && size + (parts[count] as Buffer).length <= SLICE_BYTES) {
      size += (parts[count++] as Buffer).length
    }
    const taken = parts.splice(0, count)
    // What is handed over must not grow.
    if (parts.length === 0) this.#gather = undefined
    return taken.length === 1 ? first : Buffer.concat(taken, size)
  }

  #handedOver(): void {
    const size = this.#inFlight
    if (size === 0) return
    this.#inFlight = 0
    this.#counted -= size
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
    if (this.#parts.length > 0 || this.#isEnding || (this.#text !== '' && !this.#isScheduled)) {
      this.#flushNow()
    }
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

/** A source that has what is at hand without a promise: `undefined` for nothing now, `null` for the end. */
interface Pile {
  tryGet(): Chunk | undefined | null
}

function hasTryGet(source: object): source is Pile {
  return 'tryGet' in source && typeof source.tryGet === 'function'
}

/** Closes what `pipeFrom` reads from: a Node stream by itself, since its iterator may be waiting. */
async function closeSource(
  source: object,
  iterator: AsyncIterator<Chunk> | Iterator<Chunk>,
): Promise<void> {
  if ('destroy' in source && typeof source.destroy === 'function') source.destroy()
  try {
    await iterator.return?.()
  } catch {
    // The first error is the one that counts.
  }
}
