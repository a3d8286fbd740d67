/**
 * What the framings of the kit share: bytes to a value as its encoding says, a value to the bytes that are
 * read as the same value again, and checks of their arguments.
 *
 * Invariant: what cannot be given back exactly is refused, never repaired.
 */
import { isUtf8 } from 'node:buffer'
import { DecodeError, LimitOverrunError } from '../errors.js'
import type { FrameSource } from './framing.js'

/** What a framing makes of the bytes of a frame. `latin1` maps each byte to one character and cannot fail. */
export type FrameEncoding = 'utf8' | 'latin1' | 'buffer'

/** The value of a frame: text, or bytes for the encoding `buffer`. */
export type FrameValue = string | Buffer

/** @throws TypeError when it is none of the encodings */
export function checkEncoding(encoding: unknown = 'utf8'): FrameEncoding {
  if (encoding === 'utf8' || encoding === 'latin1' || encoding === 'buffer') return encoding
  throw new TypeError(`encoding must be one of utf8, latin1, buffer, not ${describe(encoding)}`)
}

/** @throws RangeError unless it is a whole number of bytes above 0 */
export function checkByteLimit(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw new RangeError(`${name} must be a whole number of bytes above 0, not ${describe(value)}`)
}

/** The value that the bytes of a frame stand for. @throws DecodeError when they are not valid UTF-8 */
export function toValue(bytes: Buffer, encoding: FrameEncoding, what: string): FrameValue {
  if (encoding === 'buffer') return bytes
  if (encoding === 'utf8' && !isUtf8(bytes)) {
    throw new DecodeError(`${what} of ${bytes.length} bytes is not valid UTF-8`, bytes)
  }
  return bytes.toString(encoding)
}

/** The bytes that `toValue` makes this value of. @throws TypeError when there are none */
export function toBytes(value: unknown, encoding: FrameEncoding): Buffer {
  if (encoding === 'buffer') return toBuffer(value)
  if (typeof value !== 'string') {
    throw new TypeError(`the value of a ${encoding} frame must be a string, not ${describe(value)}`)
  }
  const bytes = Buffer.from(value, encoding)
  if (bytes.toString(encoding) !== value) {
    const character = encoding === 'utf8' ? 'a lone surrogate' : 'a character above U+00FF'
    throw new TypeError(`the value has ${character}, which ${encoding} cannot say`)
  }
  return bytes
}

/** The same bytes as a Buffer, not copied. @throws TypeError when it is no Uint8Array */
export function toBuffer(value: unknown): Buffer {
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  }
  throw new TypeError(`the value of a frame of bytes must be a Uint8Array, not ${describe(value)}`)
}

/** @throws RangeError when a frame is longer than the framing itself would read */
export function checkLength(length: number, limit: number, what: string): void {
  if (length <= limit) return
  throw new RangeError(`${what} of ${length} bytes is longer than the limit of ${limit}`)
}

/** The error for a frame over its limit: none of its bytes are taken, so `consumed` of them can be skipped. */
export function overrun(
  source: FrameSource,
  what: string,
  limit: number,
  frameBytes: number | undefined,
): LimitOverrunError {
  const consumed = Math.min(source.size, frameBytes ?? Infinity)
  return new LimitOverrunError(
    `${what} is longer than its limit of ${limit} bytes; ${consumed} bytes of it are still there to be read`,
    { limit, consumed, found: frameBytes !== undefined && source.size >= frameBytes },
  )
}

/** A received value in a message, short whatever it is. */
export function describe(value: unknown): string {
  if (typeof value === 'string') {
    return value.length <= 20 ? JSON.stringify(value) : `a string of ${value.length} characters`
  }
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value)
  return Array.isArray(value) ? 'an array' : 'an object'
}
