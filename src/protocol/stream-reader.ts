/**
 * The reading half of a stream: asyncio's StreamReader.
 *
 * Bytes are fed in (`feedData`, `feedEof`, `setError`) by a connection or by hand; reads take them out, each
 * in a waiting form and in a `try…` form that gives undefined where the other would wait. One read at a time.
 * The reader parses no protocol, touches no socket, and closes nothing.
 *
 * Invariants: bytes that arrived are delivered before the end or the error that followed them; a read that is
 * aborted or timed out has consumed nothing; at most twice the limit and one chunk are stored unless a waiting
 * read has asked for more.
 */
import { checkTimeout, onAbort, type WaitOptions } from '../concurrency/abort.js'
import { unobserved } from '../concurrency/deferred.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import { BusyError, TimeoutError } from '../errors.js'
import { CLIENT_DEADLINES, Deadlines, type Begun } from './deadlines.js'
import type { Framing } from './framing.js'
import {
  DEFAULT_MAX_BYTES,
  Input,
  toSearch,
  type InputHost,
  type Line,
  type Separators,
  type SeparatorSearch,
} from './input.js'
import type { LateError } from './late-error.js'
import {
  DEFAULT_LIMIT,
  DEFAULT_STYLE,
  LineStyle,
  type InvalidText,
  type LineBytesOptions,
  type LineOptions,
  type PartialLine,
} from './line-style.js'
import { ReadIterator, toResult } from './read-iterator.js'
import { systemClock, type Clock } from '../concurrency/clock.js'

export interface StreamReaderOptions {
  /** The longest line in bytes, its terminator not counted. Reading pauses above twice this. @default 65536 */
  limit?: number | undefined
  /** @default 'error' */
  partial?: PartialLine | undefined
  /** @default 'error' */
  invalidText?: InvalidText | undefined
  /** For the `timeoutMs` of a call. @default the clock of the process */
  clock?: Clock | undefined
}

export interface ReadAllOptions extends WaitOptions {
  /** The most that may be read, in bytes. @default 8 MiB */
  maxBytes?: number | undefined
}

/** Who feeds a reader, as the reader sees it. */
export interface ReaderHost extends InputHost {
  /** More is stored than the mark allows: feed nothing until told. */
  pauseReading(): void
  /** There is room again, or a read waits. */
  resumeReading(): void
}

const enum Op {
  None,
  Line,
  LineBatch,
  Until,
  Exactly,
  Read,
  All,
  Peek,
  Frame,
}

const NOT_NOW = (): undefined => undefined

/**
 * The limit and the style of lines that the options stand for.
 * @throws RangeError when `limit` is not a whole number above 0
 * @throws TypeError when `partial` or `invalidText` is none of its words
 */
export function checkReaderOptions(options: StreamReaderOptions): {
  limit: number
  style: LineStyle
} {
  const { limit = DEFAULT_LIMIT, partial, invalidText } = options
  if (!Number.isInteger(limit) || limit <= 0) {
    throw new RangeError(`limit must be a whole number of bytes above 0, not ${limit}`)
  }
  const isDefault = partial === undefined && invalidText === undefined
  return { limit, style: isDefault ? DEFAULT_STYLE : new LineStyle({ partial, invalidText }) }
}

export class StreamReader {
  readonly #limit: number
  readonly #style: LineStyle
  readonly #clock: Clock
  #host: ReaderHost | undefined
  #deadlines: Deadlines | undefined
  readonly #input: Input
  #isPaused = false

  /** The read that waits. */
  #op: Op = Op.None
  #argument: unknown
  #promise: Promise<unknown> | undefined
  #resolve: ((value: unknown) => void) | undefined
  #reject: ((reason: unknown) => void) | undefined
  /** Whether an iterator waits, which takes results: a `then` that makes them would cost a second promise for each. */
  #isIteration = false
  #stopListening: (() => void) | undefined
  #callMs = 0

  /** How many bytes have been fed, and how many were consumed when a read last gave up; -1 when none has. */
  #fedBytes = 0
  #gaveUpAt = -1

  /** @throws RangeError, TypeError when an option has no meaning */
  constructor(options: StreamReaderOptions = {}) {
    const { limit, style } = checkReaderOptions(options)
    this.#limit = limit
    this.#style = style
    this.#clock = options.clock ?? systemClock
    this.#input = new Input(limit)
  }

  // ---- the side that feeds

  /**
   * Who pauses and resumes the source, and who keeps the deadlines: a connection calls this once, at its start.
   * @internal
   */
  attach(host: ReaderHost, deadlines: Deadlines): void {
    this.#host = host
    this.#input.host = host
    this.#deadlines = deadlines
  }

  /**
   * Gives bytes to the reader; they belong to it from here on. (asyncio: `feed_data`.)
   * After `feedEof`, `setError` or `close` they are ignored.
   */
  feedData(chunk: Buffer): void {
    const input = this.#input
    if (input.isOver) return
    this.#fedBytes += chunk.length
    input.push(chunk)
    if (this.#op !== Op.None) {
      this.#wake()
      return
    }
    this.#deadlines?.bytesCame()
    if (!this.#isPaused && input.roughSize > this.mark) this.#pauseWhenFull()
  }

  /** Says that no more bytes will come. (asyncio: `feed_eof`.) */
  feedEof(): void {
    if (this.#input.isOver) return
    this.#input.sawEof = true
    this.#wake()
  }

  /**
   * Says that the stream broke: what arrived before is still delivered, afterwards every read gives this same
   * error. The first one stays. (asyncio: `set_exception`.)
   */
  setError(error: Error): void {
    if (this.#input.isOver) return
    this.#input.fail(error)
    this.#wake()
  }

  /**
   * Ends the reader at once: what is stored is dropped, and every read gives this error.
   * @internal
   */
  close(error: LateError): void {
    this.#input.close(error)
    this.#wake()
  }

  /**
   * The cut of a stop: lines, frames and `readUntil` end with null after the last message that is whole by
   * now; reads of raw bytes go on.
   * @internal
   */
  cut(): void {
    this.#input.cut()
    this.#wake()
  }

  /**
   * How many bytes may be stored before reading is paused.
   * @internal
   */
  get mark(): number {
    return 2 * this.#limit
  }

  /**
   * Whether more is stored than the mark allows, so that reading is paused.
   * @internal
   */
  get isPaused(): boolean {
    return this.#isPaused
  }

  // ---- the side that reads

  /** Whether the end of the input was read: every byte before it has been taken. (asyncio: `at_eof()`.) */
  get atEof(): boolean {
    return this.#input.sawEof && this.#input.size === 0
  }

  /** How the input ended for the read that gave null: by the peer's FIN, or by a stop of the server. */
  get endedBy(): 'peer' | 'stop' | undefined {
    return this.#input.endedBy
  }

  /** How many bytes have arrived and are unread. */
  get bufferedBytes(): number {
    return this.#input.size
  }

  /**
   * Reads what is at hand: at least one byte and at most `maxBytes`, without a copy where the bytes lie in one
   * received block; null at the end of input. `read(0)` gives an empty Buffer at once. (asyncio: `read(n)`.)
   *
   * The Buffer may be a view of a received block of up to 64 KiB, which stays in memory as long as the view does.
   *
   * @throws BusyError while another read waits
   * @throws BrokenError, TimeoutError, ClosedError when the connection ended so
   * @throws RangeError when `maxBytes` is negative or not a whole number
   */
  read(maxBytes?: number, options?: WaitOptions): Promise<Buffer | null> {
    const read = this.#start<Buffer | null>(Op.Read, maxBytes ?? Infinity, options)
    return watchUnawaited(read, 'StreamReader.read()')
  }

  /** `read` without waiting: undefined when nothing is at hand. */
  tryRead(maxBytes?: number): Buffer | null | undefined {
    return this.#try(Op.Read, checkSize(maxBytes ?? Infinity))
  }

  /**
   * Reads exactly `count` bytes. (asyncio: `readexactly`.)
   *
   * @throws IncompleteReadError when the input ends before, also with 0 bytes; `partial` has what there was
   * @throws the errors of {@link StreamReader.read}
   */
  readExactly(count: number, options?: WaitOptions): Promise<Buffer> {
    return watchUnawaited(
      this.#start<Buffer>(Op.Exactly, count, options),
      'StreamReader.readExactly()',
    )
  }

  /** `readExactly` without waiting: undefined when less is at hand. */
  tryReadExactly(count: number): Buffer | undefined {
    return this.#try(Op.Exactly, checkSize(count))
  }

  /**
   * Reads up to and with the first of the separators (the one whose match ends first); null at the end of
   * input. (asyncio: `readuntil`, whose end of input is an error.)
   *
   * @throws LimitOverrunError when more than the limit lies before the separator. The bytes stay where they
   *   are; `found` says whether the separator was seen, and `consumed` how many bytes can be skipped.
   * @throws IncompleteReadError when the input ends before the separator; the bytes are consumed
   * @throws the errors of {@link StreamReader.read}
   */
  readUntil(separator: Separators, options?: WaitOptions): Promise<Buffer | null> {
    const read = this.#start<Buffer | null>(Op.Until, separator, options)
    return watchUnawaited(read, 'StreamReader.readUntil()')
  }

  /** `readUntil` without waiting: undefined when no separator is at hand. */
  tryReadUntil(separator: Separators): Buffer | null | undefined {
    return this.#try(Op.Until, toSearch(separator))
  }

  /**
   * Reads a line as text, without its LF or CRLF; null at the end of input. On Node 20 and 22 a reset right
   * behind data may be reported as an end. (asyncio: `readline`, which keeps the terminator.)
   *
   * @throws LimitOverrunError once for a line longer than the limit; the rest of that line is thrown away as it
   *   comes, and the next read gives the next line
   * @throws IncompleteReadError for a last line without terminator, unless `partial` says otherwise
   * @throws DecodeError for a line that is not valid UTF-8, unless `invalidText` says otherwise; the line is consumed
   * @throws the errors of {@link StreamReader.read}
   */
  readLine(options?: LineOptions): Promise<string | null>
  /** Reads a line as bytes. */
  readLine(options: LineBytesOptions): Promise<Buffer | null>
  readLine(options?: LineOptions | LineBytesOptions): Promise<Line | null> {
    return watchUnawaited(this.#readLine(options), 'StreamReader.readLine()')
  }

  #readLine(options: LineOptions | LineBytesOptions | undefined): Promise<Line | null> {
    if (options !== undefined) return this.#start(Op.Line, options, options)
    let line: Line | null | undefined
    try {
      line = this.#tryLine()
    } catch (error) {
      return Promise.reject(error)
    }
    return line === undefined ? this.#wait(Op.Line, this.#style) : Promise.resolve(line)
  }

  /** `readLine` without waiting: undefined when no whole line is at hand. */
  tryReadLine(options?: LineOptions): string | null | undefined
  tryReadLine(options: LineBytesOptions): Buffer | null | undefined
  tryReadLine(options?: LineOptions | LineBytesOptions): Line | null | undefined {
    return this.#try(
      Op.Line,
      options === undefined ? this.#style : new LineStyle(options, this.#style),
    )
  }

  /**
   * Reads everything up to the end of input. (asyncio: `read(-1)`.)
   *
   * @throws LimitOverrunError past `maxBytes`; the bytes stay where they are
   * @throws the errors of {@link StreamReader.read}
   */
  readAll(options: ReadAllOptions = {}): Promise<Buffer> {
    const read = this.#start<Buffer>(Op.All, options.maxBytes ?? DEFAULT_MAX_BYTES, options)
    return watchUnawaited(read, 'StreamReader.readAll()')
  }

  /**
   * Gives the next `count` bytes and leaves them where they are; fewer only at the end of input, null when
   * there are none.
   *
   * @throws the errors of {@link StreamReader.read}
   */
  peek(count: number, options?: WaitOptions): Promise<Buffer | null> {
    const read = this.#start<Buffer | null>(Op.Peek, count, options)
    return watchUnawaited(read, 'StreamReader.peek()')
  }

  /**
   * Reads one frame; null at the end of input.
   *
   * @throws IncompleteReadError when the input ends inside a frame
   * @throws LimitOverrunError when the framing's `maxBytes` have come and no frame is whole; the bytes stay
   * @throws what the framing throws: ProtocolError, DecodeError
   * @throws the errors of {@link StreamReader.read}
   */
  readFrame<Value>(framing: Framing<Value>, options?: WaitOptions): Promise<Value | null> {
    const read = this.#start<Value | null>(Op.Frame, framing, options)
    return watchUnawaited(read, 'StreamReader.readFrame()')
  }

  /** `readFrame` without waiting: undefined when no whole frame is at hand. */
  tryReadFrame<Value>(framing: Framing<Value>): Value | null | undefined {
    return this.#try(Op.Frame, framing)
  }

  /**
   * The lines up to the end of input, each as `readLine` gives it. Leaving the loop leaves the stream open, and
   * after an error that is not the stream's own a new loop goes on with the next line.
   */
  lines(options?: LineOptions): AsyncIterableIterator<string>
  lines(options: LineBytesOptions): AsyncIterableIterator<Buffer>
  lines(options?: LineOptions | LineBytesOptions): AsyncIterableIterator<Line> {
    const style = options === undefined ? this.#style : new LineStyle(options, this.#style)
    return this.#iterate<Line>(Op.Line, style, options)
  }

  /**
   * The lines that are at hand, at least one, as an array at a time: cheaper than one by one. An error of a
   * line comes after the lines before it.
   */
  lineBatches(options?: LineOptions): AsyncIterableIterator<string[]>
  lineBatches(options: LineBytesOptions): AsyncIterableIterator<Buffer[]>
  lineBatches(options?: LineOptions | LineBytesOptions): AsyncIterableIterator<Line[]> {
    const style = options === undefined ? this.#style : new LineStyle(options, this.#style)
    return this.#iterate<Line[]>(Op.LineBatch, style, options)
  }

  /** The bytes up to the end of input, as they come. */
  chunks(options?: WaitOptions): AsyncIterableIterator<Buffer> {
    return this.#iterate<Buffer>(Op.Read, Infinity, options)
  }

  /** The frames up to the end of input. */
  frames<Value>(framing: Framing<Value>, options?: WaitOptions): AsyncIterableIterator<Value> {
    return this.#iterate<Value>(Op.Frame, framing, options)
  }

  /** The same as `lines()`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<string> {
    return this.lines()
  }

  // ---- starting, waiting, waking

  /** `#try` for the read that everything hangs on: without the way through `#attempt`. */
  #tryLine(): Line | null | undefined {
    if (this.#op !== Op.None) throw busy()
    const line = this.#input.line(this.#style)
    if (this.#isPaused) this.#resumeWhenRoom()
    return line
  }

  #try<T>(op: Op, argument: unknown): T {
    if (this.#op !== Op.None) throw busy()
    const value = this.#attempt(op, argument)
    if (this.#isPaused) this.#resumeWhenRoom()
    return value as T
  }

  #start<T>(op: Op, argument: unknown, options?: WaitOptions): Promise<T> {
    try {
      if (options !== undefined) {
        checkTimeout(options.timeoutMs)
        options.signal?.throwIfAborted()
      }
      argument = this.#prepare(op, argument)
      const value = this.#try<T | undefined>(op, argument)
      if (value !== undefined) return Promise.resolve(value)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#wait(op, argument, options)
  }

  /** Turns what the caller gave into what `#attempt` takes. @throws TypeError, RangeError */
  #prepare(op: Op, argument: unknown): unknown {
    switch (op) {
      case Op.Line:
        return argument instanceof LineStyle
          ? argument
          : new LineStyle(argument as LineOptions, this.#style)
      case Op.Until:
        return toSearch(argument as Separators)
      case Op.Exactly:
      case Op.Read:
      case Op.All:
      case Op.Peek:
        return checkSize(argument as number)
      case Op.LineBatch:
      case Op.Frame:
      case Op.None:
      default:
        return argument
    }
  }

  #wait<T>(op: Op, argument: unknown, options?: WaitOptions): Promise<T> {
    this.#op = op
    this.#argument = argument
    const promise = new Promise<unknown>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#promise = promise
    if (this.#isPaused) this.#resume()
    // What a read that gave up has waited for may have been taken since, without a wait.
    if (this.#gaveUpAt >= 0 && this.#consumedBytes !== this.#gaveUpAt) this.#deadlines?.newMessage()
    if (options === undefined) {
      this.#deadlines?.readWaits(this.#begun(), this.#input.roughSize)
    } else {
      this.#waitBounded(options)
    }
    return promise as Promise<T>
  }

  #waitBounded(options: WaitOptions): void {
    const { signal, timeoutMs } = options
    if (timeoutMs !== undefined) {
      this.#callMs = timeoutMs
      this.#deadlines ??= new Deadlines(CLIENT_DEADLINES, this.#clock, {
        deadlinePassed: () => {
          this.callTimedOut()
        },
      })
    }
    this.#deadlines?.readWaits(this.#begun(), this.#input.roughSize, timeoutMs)
    if (signal !== undefined) {
      this.#stopListening = onAbort(signal, () => {
        this.#giveUp(signal.reason)
      })
    }
  }

  /**
   * The `timeoutMs` of the waiting read has passed.
   * @internal
   */
  callTimedOut(): void {
    if (this.#op === Op.None) return
    const ms = this.#callMs
    this.#giveUp(new TimeoutError(`the read did not end within ${ms} ms`, 'call', ms))
  }

  /** Ends the waiting read with nothing consumed. */
  #giveUp(reason: unknown): void {
    const reject = this.#reject
    this.#gaveUpAt = this.#consumedBytes
    this.#settle(false)
    reject?.(reason)
  }

  get #consumedBytes(): number {
    return this.#fedBytes - this.#input.size
  }

  #wake(): void {
    if (this.#op === Op.None) return
    let value: unknown
    try {
      value = this.#attempt(this.#op, this.#argument)
    } catch (error) {
      // The end of the connection is known elsewhere too, so that a read that nobody awaits is no crash.
      if (error === this.#input.error && this.#promise !== undefined) void unobserved(this.#promise)
      const reject = this.#reject
      this.#settle(true)
      reject?.(error)
      return
    }
    if (value === undefined) {
      this.#deadlines?.readProgresses(this.#begun(), this.#input.roughSize)
      return
    }
    const resolve = this.#resolve
    const result = this.#isIteration ? toResult(value) : value
    this.#settle(true)
    resolve?.(result)
  }

  #settle(consumed: boolean): void {
    this.#op = Op.None
    this.#argument = undefined
    this.#promise = undefined
    this.#resolve = undefined
    this.#reject = undefined
    this.#isIteration = false
    this.#deadlines?.readEnds(consumed)
    // Those of a reader without a connection are its own, and nobody else will ever stop them.
    if (this.#host === undefined) this.#deadlines?.disarm()
    if (this.#stopListening !== undefined) {
      this.#stopListening()
      this.#stopListening = undefined
    }
    this.#pauseWhenFull()
  }

  #begun(): Begun {
    if (this.#input.roughSize === 0 && !this.#input.isDiscarding) return 'nothing'
    switch (this.#op) {
      case Op.Line:
      case Op.LineBatch:
      case Op.Until:
        return 'message'
      case Op.Frame:
        return (this.#argument as Framing<unknown>).isTimedAsLine === true ? 'message' : 'frame'
      case Op.Exactly:
        return 'frame'
      case Op.Read:
      case Op.All:
      case Op.Peek:
      case Op.None:
      default:
        return 'nothing'
    }
  }

  #pauseWhenFull(): void {
    if (this.#input.roughSize <= this.mark) return
    if (this.#isPaused || this.#input.isOver) return
    if (this.bufferedBytes <= this.mark) return
    this.#isPaused = true
    this.#host?.pauseReading()
  }

  #resumeWhenRoom(): void {
    if (this.bufferedBytes <= this.#limit) this.#resume()
  }

  #resume(): void {
    this.#isPaused = false
    this.#host?.resumeReading()
  }

  // ---- the reads themselves: a value, null at the end, undefined while more is needed, or a throw

  #attempt(op: Op, argument: unknown): unknown {
    switch (op) {
      case Op.Line:
        return this.#input.line(argument as LineStyle)
      case Op.LineBatch:
        return this.#input.lineBatch(argument as LineStyle)
      case Op.Until:
        return this.#input.until(argument as SeparatorSearch)
      case Op.Frame:
        return this.#input.frame(argument as Framing<unknown>)
      case Op.Exactly:
        return this.#input.exactly(argument as number)
      case Op.Read:
        return this.#input.chunk(argument as number)
      case Op.All:
        return this.#input.all(argument as number)
      case Op.Peek:
        return this.#input.peek(argument as number)
      case Op.None:
      default:
        return undefined
    }
  }

  #iterate<T>(op: Op, argument: unknown, options?: WaitOptions): AsyncIterableIterator<T> {
    if (options?.signal !== undefined || options?.timeoutMs !== undefined) {
      return new ReadIterator<T>(NOT_NOW, () =>
        this.#start<T | null>(op, argument, options).then(toResult<T>),
      )
    }
    return new ReadIterator<T>(
      () => this.#try<T | null | undefined>(op, argument),
      () => {
        this.#isIteration = true
        return this.#wait<IteratorResult<T, undefined>>(op, argument)
      },
    )
  }
}

function checkSize(value: number): number {
  if (value < 0 || (!Number.isInteger(value) && value !== Infinity)) {
    throw new RangeError(`a size must be a whole number of bytes, 0 or above, not ${value}`)
  }
  return value
}

function busy(): BusyError {
  return new BusyError('another read of this reader is waiting; await it, or abort it, first')
}
