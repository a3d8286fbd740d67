/**
 * Newline-delimited JSON: a value a line, in UTF-8. Blank lines are skipped. A last line without its newline is
 * incomplete, as every line is: it may be the beginning of another value (`12` of `123`).
 */
import { isUtf8 } from 'node:buffer'
import { DecodeError, ProtocolError } from '../errors.js'
import type { Framing } from './framing.js'
import { checkByteLimit, checkLength, describe, overrun } from './frame-value.js'
import { DEFAULT_MAX_BYTES } from './input.js'

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32

export interface NdjsonFramingOptions {
  /** The longest line in bytes, its LF not counted. @default 8 MiB */
  maxBytes?: number | undefined
}

/**
 * Frames that are lines of JSON. `T` is what the caller knows of the peer: nothing checks it.
 *
 * A read is a ProtocolError for a line that is not JSON or is a bare `null` (which means the end of input
 * here), and a DecodeError for one that is not valid UTF-8; the line is taken, and the next read gives the
 * next value. It is a LimitOverrunError for a line over the limit; nothing is taken. `encode` refuses what JSON
 * cannot say or says as `null`.
 *
 * @throws RangeError when `maxBytes` is not a whole number above 0
 */
export function ndjsonFraming<T = unknown>(options: NdjsonFramingOptions = {}): Framing<T> {
  const maxBytes = checkByteLimit(options.maxBytes ?? DEFAULT_MAX_BYTES, 'maxBytes')

  return {
    maxBytes: maxBytes + 1,

    decode(source) {
      for (;;) {
        const at = source.indexOf(LF)
        const length = at < 0 ? source.size : at
        if (length > maxBytes) {
          throw overrun(source, 'a line of JSON', maxBytes, at < 0 ? undefined : at + 1)
        }
        if (at < 0) return undefined
        const line = source.take(at + 1)
        // A blank line is taken even when nothing follows it: it is no begun frame.
        if (!isBlank(line)) return parse(line.subarray(0, at)) as T
      }
    },

    encode(value) {
      const text = JSON.stringify(value) as string | undefined
      if (text === undefined || text === 'null') {
        throw new TypeError(
          `the value of a frame must not be null in JSON, as ${describe(value)} is`,
        )
      }
      checkLength(Buffer.byteLength(text), maxBytes, 'a line of JSON')
      return `${text}\n`
    },
  }
}

function parse(line: Buffer): unknown {
  if (!isUtf8(line)) {
    throw new DecodeError(`a line of ${line.length} bytes is not valid UTF-8`, line)
  }
  let value: unknown
  try {
    value = JSON.parse(line.toString())
  } catch (error) {
    // What the peer sent is in the cause alone: a message may end up in a log.
    throw new ProtocolError(`a line of ${line.length} bytes is not JSON`, { cause: error })
  }
  if (value === null) throw new ProtocolError('a line is a bare null, which is not a value here')
  return value
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === SPACE || byte === CR || byte === LF || byte === TAB)
}
