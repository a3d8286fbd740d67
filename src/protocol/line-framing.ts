/**
 * Lines as frames: ended by LF or CRLF, written with LF. For programs that take any framing; a program that
 * wants lines alone is better served by `readLine`, which also gets back in step after an over-long line.
 */
import type { Framing } from './framing.js'
import {
  checkByteLimit,
  checkEncoding,
  checkLength,
  overrun,
  toBytes,
  toValue,
  type FrameValue,
} from './frame-value.js'
import { DEFAULT_LIMIT } from './line-style.js'

const LF = 10
const CR = 13

export interface LineFramingOptions {
  /** The longest line in bytes, its terminator not counted. @default 65536 */
  limit?: number | undefined
  /** `latin1` maps each byte to one character: exact for any bytes. @default 'utf8' */
  encoding?: 'utf8' | 'latin1' | undefined
  /** Leaves the LF or CRLF on the value, as it came; `encode` then wants it there. @default false */
  keepTerminator?: boolean | undefined
}

/** Lines as bytes. */
export interface LineBytesFramingOptions extends Omit<LineFramingOptions, 'encoding'> {
  encoding: 'buffer'
}

/**
 * Frames that are lines.
 *
 * A read is a LimitOverrunError for a line over the limit (nothing is taken), a DecodeError for one that is
 * not valid UTF-8 (it is taken, and the next read gives the next line). `encode` refuses what would be read as
 * another value: a LF inside, a CR at the end.
 *
 * @throws RangeError, TypeError for an option that is none
 */
export function lineFraming(options?: LineFramingOptions): Framing<string>
export function lineFraming(options: LineBytesFramingOptions): Framing<Buffer>
export function lineFraming(
  options: LineFramingOptions | LineBytesFramingOptions = {},
): Framing<FrameValue> {
  const limit = checkByteLimit(options.limit ?? DEFAULT_LIMIT, 'limit')
  const encoding = checkEncoding(options.encoding)
  const keepTerminator = options.keepTerminator === true

  return {
    maxBytes: limit + 2,

    decode(source) {
      const at = source.indexOf(LF)
      const whole = at < 0 ? source.size : at
      // Without a LF yet, a CR at the end may be the first half of the terminator.
      const length = whole > limit && source.byteAt(whole - 1) === CR ? whole - 1 : whole
      if (length > limit) throw overrun(source, 'a line', limit, at < 0 ? undefined : at + 1)
      if (at < 0) return undefined
      const bytes = source.take(at + 1)
      return toValue(keepTerminator ? bytes : bytes.subarray(0, lineEnd(bytes)), encoding, 'a line')
    },

    encode(value) {
      const bytes = toBytes(value, encoding)
      const line = keepTerminator ? bytes : Buffer.concat([bytes, TERMINATOR])
      if (line.indexOf(LF) !== line.length - 1 || line.length === 0) {
        const rule = keepTerminator ? 'must have one LF, at its end' : 'must not have a LF'
        throw new TypeError(`the value of a line ${rule}`)
      }
      const end = lineEnd(line)
      if (!keepTerminator && end < bytes.length) {
        throw new TypeError('the value of a line must not end in a CR: it would be read as its end')
      }
      checkLength(end, limit, 'a line')
      return line
    },
  }
}

const TERMINATOR = Buffer.of(LF)

/** Where the CRLF or LF begins that ends this line. */
function lineEnd(line: Buffer): number {
  const at = line.length - 1
  return line[at - 1] === CR ? at - 1 : at
}
