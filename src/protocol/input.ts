/**
 * What a read makes of the bytes that have arrived: every read of a reader without its waiting.
 *
 * Each read gives a value, `null` at the end of input, undefined while more bytes are needed, or throws. None
 * of them knows of promises, sockets or time.
 *
 * Invariant: a read that gives undefined has consumed nothing.
 */
import { isUtf8 } from 'node:buffer'
import { DecodeError, IncompleteReadError, LimitOverrunError } from '../errors.js'
import type { Framing } from './framing.js'
import { madeNow, type LateError } from './late-error.js'
import type { LineStyle } from './line-style.js'
import { ReceiveBuffer } from './receive-buffer.js'

const LF = 10
const CR = 13

/** 8 MiB: what `readAll` and frames may hold unless told otherwise. */
export const DEFAULT_MAX_BYTES = 8 * 1024 * 1024
/** An over-long line is thrown away up to so many times the limit; past it the stream is given up. */
const DISCARD_FACTOR = 16

export type Line = string | Buffer

/** What `readUntil` takes: one separator, or several. */
export type Separators = string | Uint8Array | readonly (string | Uint8Array)[]

export interface SeparatorSearch {
  readonly separators: readonly Buffer[]
  readonly longest: number
  /** No separator begins before this index. */
  searched: number
}

const EMPTY = Buffer.alloc(0)

/** The connection, as its input sees it. */
export interface InputHost {
  /** A line passed the limit; its error goes to the read. `gaveUp` when even discarding it has passed its cap. */
  lineOverran(error: LimitOverrunError, gaveUp: boolean): void
}

export class Input {
  readonly #limit: number
  readonly #buffer = new ReceiveBuffer()
  /** What came after the cut of a stop: only reads of raw bytes get at it. */
  #afterCut: ReceiveBuffer | undefined
  /** Whether a read of raw bytes has gone past the cut. */
  #isPastCut = false
  #discarded = 0
  /** Whether the last byte that was thrown away is a CR, perhaps that of the terminator. */
  #discardedCr = false
  /** Whether the rest of an over-long line is being thrown away. */
  isDiscarding = false
  /** Whether the peer has ended its half. */
  sawEof = false
  #error: LateError | undefined
  /** How the input ended for the read that gave null. */
  endedBy: 'peer' | 'stop' | undefined

  /** Who is told of lines over the limit. */
  host: InputHost | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes that are stored. */
  get size(): number {
    return this.#buffer.size + (this.#afterCut?.size ?? 0)
  }

  /** The same, perhaps too high by one block; free of cost. */
  get roughSize(): number {
    return this.#buffer.roughSize + (this.#afterCut?.roughSize ?? 0)
  }

  /** Whether no byte, end or error is expected any more. */
  get isOver(): boolean {
    return this.sawEof || this.#error !== undefined
  }

  /** What broke or closed the stream. */
  get error(): Error | undefined {
    if (typeof this.#error === 'function') this.#error = madeNow(this.#error)
    return this.#error
  }

  /** Stores a chunk, or what of it does not belong to a line that is being thrown away. */
  push(chunk: Buffer): void {
    if (!this.isDiscarding) {
      ;(this.#afterCut ?? this.#buffer).push(chunk)
      return
    }
    const rest = this.#discard(chunk)
    if (rest !== undefined) this.push(rest)
  }

  /** What arrived stays readable; then this error. */
  fail(error: Error): void {
    this.#error = error
  }

  /** What arrived is dropped; from now on this error. */
  close(error: LateError): void {
    this.#error = error
    this.sawEof = false
    this.isDiscarding = false
    this.#buffer.clear()
    this.#afterCut = undefined
  }

  /** Messages end here: see `StreamReader.cut`. */
  cut(): void {
    if (this.#afterCut === undefined && !this.isOver) this.#afterCut = new ReceiveBuffer()
  }

  /** A line; the terminator stays on it only where the style says so. */
  line(style: LineStyle): Line | null | undefined {
    if (this.#isPastCut) return this.#end('stop')
    const { encoding } = style
    if (encoding !== 'buffer') {
      const line = this.#buffer.takeTextLine(encoding, style.keepTerminator)
      if (line !== undefined) {
        if (this.#buffer.fits(line, this.#limit)) return line
        // Only a terminator that was kept can make a line of the limit's length look longer.
        const length = Buffer.byteLength(line, encoding)
        const terminator = style.keepTerminator ? terminatorLength(line) : 0
        if (length - terminator <= this.#limit) return line
        throw this.#wholeLineOverran(length - terminator)
      }
    }
    return this.#lineOfBytes(style)
  }

  /** A line that lies in several blocks, is wanted as bytes, cannot be decoded, or is not there. */
  #lineOfBytes(style: LineStyle): Line | null | undefined {
    const buffer = this.#buffer
    const at = buffer.indexOf(LF)
    if (at < 0) return this.#lineWithoutEnd(style)
    const bytes = buffer.take(at + 1)
    const end = at > 0 && bytes[at - 1] === CR ? at - 1 : at
    if (end > this.#limit) throw this.#wholeLineOverran(end)
    return this.#toLine(style.keepTerminator ? bytes : bytes.subarray(0, end), style)
  }

  #lineWithoutEnd(style: LineStyle): Line | null | undefined {
    const buffer = this.#buffer
    if (this.#afterCut !== undefined) return this.#end('stop')
    const size = buffer.size
    // A CR at the end may be the first half of the terminator, while more can come.
    const endsInCr = size > 0 && buffer.lastByte() === CR
    const mayBeTerminator = endsInCr && !this.isOver
    if (size - (mayBeTerminator ? 1 : 0) > this.#limit) {
      buffer.clear()
      const isHopeless = size - (endsInCr ? 1 : 0) > this.#discardCap
      if (!isHopeless && !this.isOver) {
        this.isDiscarding = true
        this.#discarded = size
        this.#discardedCr = endsInCr
      }
      throw this.#overrun(size, false, isHopeless)
    }
    if (!this.#isEnded()) return undefined
    if (size === 0 || style.partial === 'drop') {
      buffer.clear()
      return this.#end('peer')
    }
    const bytes = buffer.take(size)
    if (style.partial === 'yield') return this.#toLine(bytes, style)
    throw new IncompleteReadError(bytes, undefined, 'a line')
  }

  #toLine(bytes: Buffer, style: LineStyle): Line {
    if (style.encoding === 'buffer') return bytes
    if (style.encoding === 'utf8' && style.invalidText === 'error' && !isUtf8(bytes)) {
      throw new DecodeError(`a line of ${bytes.length} bytes is not valid UTF-8`, bytes)
    }
    return bytes.toString(style.encoding)
  }

  /** Every line that is at hand, up to one that is an error: that line is left for the next read. */
  lineBatch(style: LineStyle): Line[] | null | undefined {
    const decoded = this.#decodedLines(style)
    if (decoded !== undefined) return decoded
    const first = this.line(style)
    if (first === undefined || first === null) return first
    const lines = [first, ...(this.#decodedLines(style) ?? [])]
    while (this.#nextLineIsGood(style)) lines.push(this.line(style) as Line)
    return lines
  }

  #decodedLines({ encoding, keepTerminator }: LineStyle): Line[] | undefined {
    if (this.#isPastCut || encoding === 'buffer') return undefined
    return this.#buffer.takeTextLines(encoding, keepTerminator, this.#limit)
  }

  /** Whether a line is at hand that `line` gives without an error. */
  #nextLineIsGood({ encoding, invalidText }: LineStyle): boolean {
    const buffer = this.#buffer
    const at = buffer.indexOf(LF)
    if (at < 0) return false
    const end = at > 0 && buffer.byteAt(at - 1) === CR ? at - 1 : at
    if (end > this.#limit) return false
    return encoding !== 'utf8' || invalidText === 'replace' || isUtf8(buffer.peek(end))
  }

  /**
   * Makes and tells the error of a line over the limit. Whoever is told may throw, or close: by then the line must be
   * out of the buffer, and what is still to come of it marked, or its tail would be the next line.
   */
  #overrun(seen: number, found: boolean, isHopeless: boolean): LimitOverrunError {
    const error = new LimitOverrunError(
      `a line is longer than the limit of ${this.#limit} bytes (${seen} seen); raise limit, or send shorter lines`,
      { limit: this.#limit, consumed: seen, found },
    )
    try {
      this.host?.lineOverran(error, false)
    } finally {
      if (isHopeless) this.#giveUp(error)
    }
    return error
  }

  /** A line over the limit of which the end is here too; past the cap the stream is given up, as if it had dripped in. */
  #wholeLineOverran(length: number): LimitOverrunError {
    const isHopeless = length > this.#discardCap
    if (isHopeless) this.#buffer.clear()
    return this.#overrun(length, true, isHopeless)
  }

  /** Throws away what belongs to an over-long line; gives what follows it. */
  #discard(chunk: Buffer): Buffer | undefined {
    const at = chunk.indexOf(LF)
    const end = at < 0 ? chunk.length : at
    const endsInCr = end > 0 ? chunk[end - 1] === CR : this.#discardedCr
    this.#discarded += end
    this.#discardedCr = endsInCr
    // The CR of a terminator does not count, and the last byte may be one.
    const length = this.#discarded - (endsInCr ? 1 : 0)
    if (length > this.#discardCap) {
      const error = new LimitOverrunError(
        `a line has no end after ${length} bytes, ${DISCARD_FACTOR} times the limit of ${this.#limit}`,
        { limit: this.#limit, consumed: length, found: false },
      )
      this.#giveUp(error)
      return undefined
    }
    if (at < 0) return undefined
    this.isDiscarding = false
    return at + 1 < chunk.length ? chunk.subarray(at + 1) : undefined
  }

  get #discardCap(): number {
    return DISCARD_FACTOR * this.#limit
  }

  /** More of one line was thrown away than may be: the stream ends with this error. */
  #giveUp(error: LimitOverrunError): void {
    this.isDiscarding = false
    if (this.#error === undefined) this.fail(error)
    this.host?.lineOverran(error, true)
  }

  /** Up to and with a separator. */
  until(search: SeparatorSearch): Buffer | null | undefined {
    if (this.#isPastCut) return this.#end('stop')
    const buffer = this.#buffer
    let start = -1
    let end = Infinity
    for (const separator of search.separators) {
      const needle = separator.length === 1 ? (separator[0] as number) : separator
      const at = buffer.indexOf(needle, search.searched)
      if (at >= 0 && at + separator.length < end) {
        start = at
        end = at + separator.length
      }
    }
    if (start >= 0) {
      if (start > this.#limit) throw this.#untilOverrun(start, true)
      return buffer.take(end)
    }
    if (this.#afterCut !== undefined) return this.#end('stop')
    const size = buffer.size
    // The last bytes may be the beginning of the separator.
    const searched = size - (search.longest - 1)
    if (searched > this.#limit) throw this.#untilOverrun(searched, false)
    search.searched = Math.max(0, searched)
    if (!this.#isEnded()) return undefined
    if (size === 0) return this.#end('peer')
    throw new IncompleteReadError(buffer.take(size), undefined, 'input up to a separator')
  }

  #untilOverrun(seen: number, found: boolean): LimitOverrunError {
    return new LimitOverrunError(
      `${seen} bytes lie before ${found ? 'the separator' : 'any separator'}, the limit is ${this.#limit}; they are still there to be read`,
      { limit: this.#limit, consumed: seen, found },
    )
  }

  /** One frame. */
  frame(framing: Framing<unknown>): unknown {
    if (framing.readsPastCut === true) this.#reachPastCut()
    else if (this.#isPastCut) return this.#end('stop')
    const buffer = this.#buffer
    const before = buffer.size
    if (before > 0) {
      const value = framing.decode(buffer)
      if (value !== undefined) {
        if (value === null || buffer.size === before) {
          throw new TypeError(
            'a framing must take at least one byte for each frame, and no frame may be null',
          )
        }
        return value
      }
    }
    if (this.#afterCut !== undefined && framing.readsPastCut !== true) return this.#end('stop')
    const size = buffer.size
    const maxBytes = framing.maxBytes ?? DEFAULT_MAX_BYTES
    if (size > maxBytes) {
      throw new LimitOverrunError(
        `a frame is not whole after ${size} bytes, its limit is ${maxBytes}`,
        {
          limit: maxBytes,
          consumed: size,
          found: false,
        },
      )
    }
    if (!this.#isEnded()) return undefined
    if (size === 0) return this.#end('peer')
    throw new IncompleteReadError(buffer.take(size), undefined, 'a frame')
  }

  /** So many bytes and no fewer. */
  exactly(count: number): Buffer | undefined {
    if (count === 0) return EMPTY
    if (this.#buffer.size >= count) return this.#buffer.take(count)
    const isShort = this.size < count
    if (isShort && !this.#isEnded()) return undefined
    this.#reachPastCut()
    if (!isShort) return this.#buffer.take(count)
    this.endedBy = 'peer'
    throw new IncompleteReadError(this.#buffer.take(count), count, 'readExactly')
  }

  /** What the first block holds, at most `maxBytes`. */
  chunk(maxBytes: number): Buffer | null | undefined {
    if (maxBytes === 0) return EMPTY
    if (this.#buffer.size === 0) this.#reachPastCut()
    if (this.#buffer.size > 0) return this.#buffer.takeBlock(maxBytes)
    return this.#isEnded() ? this.#end('peer') : undefined
  }

  /** Everything up to the end. */
  all(maxBytes: number): Buffer | undefined {
    const { size } = this
    if (size > maxBytes) {
      throw new LimitOverrunError(
        `more than ${maxBytes} bytes have come before the end; they are still there to be read`,
        { limit: maxBytes, consumed: size, found: false },
      )
    }
    if (!this.#isEnded()) return undefined
    this.#reachPastCut()
    this.endedBy = 'peer'
    return this.#buffer.take(size)
  }

  /** The next bytes, left where they are. */
  peek(count: number): Buffer | null | undefined {
    if (count === 0) return EMPTY
    const { size } = this
    if (size < count && !this.#isEnded()) return undefined
    if (size === 0) return this.#end('peer')
    const bytes = this.#buffer.peek(count)
    if (bytes.length === count || this.#afterCut === undefined) return bytes
    return Buffer.concat([bytes, this.#afterCut.peek(count - bytes.length)])
  }

  /** Lets a read of raw bytes take what came after the cut; from there on messages have ended. */
  #reachPastCut(): void {
    if (this.#afterCut === undefined || this.#afterCut.size === 0) return
    this.#isPastCut = true
    this.#buffer.absorb(this.#afterCut)
  }

  /** Whether no more bytes will come. @throws the error that ended the stream */
  #isEnded(): boolean {
    if (this.error !== undefined) throw this.error
    return this.sawEof
  }

  #end(by: 'peer' | 'stop'): null {
    if (this.error !== undefined && by === 'stop') throw this.error
    this.endedBy = by
    return null
  }
}

/** Checks and prepares what `readUntil` takes. @throws RangeError for no separator, or an empty one */
export function toSearch(separators: Separators): SeparatorSearch {
  const list =
    typeof separators === 'string' || separators instanceof Uint8Array ? [separators] : separators
  const buffers = list.map((one) => Buffer.from(one as string))
  if (buffers.length === 0 || buffers.some((one) => one.length === 0)) {
    throw new RangeError('a separator must have at least one byte')
  }
  return {
    separators: buffers,
    longest: Math.max(...buffers.map((one) => one.length)),
    searched: 0,
  }
}

function terminatorLength(line: string): number {
  return line.endsWith('\r\n') ? 2 : line.endsWith('\n') ? 1 : 0
}
