/**
 * Frames with their length in front, as a fixed number of bytes. The length is judged as soon as it is there:
 * no byte of a payload that is too long is waited for.
 */
import { ProtocolError } from '../errors.js'
import type { FrameSource, Framing } from './framing.js'
import { checkByteLimit, checkLength, describe, overrun, toBuffer } from './frame-value.js'
import { DEFAULT_MAX_BYTES } from './input.js'

export interface LengthPrefixFramingOptions {
  /** How many bytes the length has. */
  bytes: 1 | 2 | 4 | 8
  /** `big`: the most significant byte first, as in network protocols. */
  endian: 'big' | 'little'
  /**
   * What is added to the length that is read to get that of the payload: -4 where a length of four bytes
   * counts itself. @default 0
   */
  adjustment?: number | undefined
  /** The longest payload in bytes. @default 8 MiB */
  maxBytes?: number | undefined
}

/**
 * Frames of a length and so many bytes.
 *
 * A read is a LimitOverrunError for a payload over the limit, and a ProtocolError for one whose length would
 * be below 0; nothing is taken in either case, since where the next frame begins is then unknown. `encode`
 * refuses a payload that is over the limit or whose length does not fit.
 *
 * The Buffer may be a view of a received block of up to 64 KiB, which stays in memory as long as the view does.
 *
 * @throws RangeError, TypeError for an option that is none
 */
export function lengthPrefixFraming(options: LengthPrefixFramingOptions): Framing<Buffer> {
  const { bytes, endian, adjustment = 0 } = options
  if (bytes !== 1 && bytes !== 2 && bytes !== 4 && bytes !== 8) {
    throw new RangeError(`bytes must be 1, 2, 4 or 8, not ${describe(bytes)}`)
  }
  if (endian !== 'big' && endian !== 'little') {
    throw new TypeError(`endian must be one of big, little, not ${describe(endian)}`)
  }
  if (!Number.isSafeInteger(adjustment)) {
    throw new RangeError(`adjustment must be a whole number of bytes, not ${describe(adjustment)}`)
  }
  const maxBytes = checkByteLimit(options.maxBytes ?? DEFAULT_MAX_BYTES, 'maxBytes')
  const isBig = endian === 'big'

  return {
    maxBytes: bytes + maxBytes,

    decode(source) {
      if (source.size < bytes) return undefined
      const length = readLength(source, bytes, isBig) + adjustment
      if (length < 0) {
        throw new ProtocolError(
          `the length of a frame is ${length - adjustment}, which with the adjustment of ${adjustment} is below 0`,
        )
      }
      if (length > maxBytes) throw overrun(source, 'a frame', maxBytes, bytes + length)
      if (source.size < bytes + length) return undefined
      source.skip(bytes)
      return source.take(length)
    },

    encode(value) {
      const payload = toBuffer(value)
      checkLength(payload.length, maxBytes, 'a frame')
      const length = payload.length - adjustment
      if (length < 0 || length > Math.min(2 ** (8 * bytes) - 1, Number.MAX_SAFE_INTEGER)) {
        throw new RangeError(`a length of ${length} does not fit ${bytes} bytes`)
      }
      return [writeLength(length, bytes, isBig), payload]
    },
  }
}

/** Above Number.MAX_SAFE_INTEGER the result is not exact, and over any limit. */
function readLength(source: FrameSource, bytes: number, isBig: boolean): number {
  let length = 0
  for (let i = 0; i < bytes; i++) {
    length = length * 256 + source.byteAt(isBig ? i : bytes - 1 - i)
  }
  return length
}

function writeLength(length: number, bytes: number, isBig: boolean): Buffer {
  const prefix = Buffer.alloc(bytes)
  let rest = length
  for (let i = 0; i < bytes; i++) {
    prefix[isBig ? bytes - 1 - i : i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return prefix
}
