/**
 * Frames with a separator behind each, such as NUL, `\r\n\r\n` or a record separator. The separator is no part
 * of the value, and cannot occur in it: there is no escaping.
 */
import type { Framing } from './framing.js'
import {
  checkByteLimit,
  checkEncoding,
  checkLength,
  describe,
  overrun,
  toBuffer,
  toBytes,
  toValue,
  type FrameValue,
} from './frame-value.js'
import { DEFAULT_MAX_BYTES } from './input.js'

export interface SeparatorFramingOptions {
  /** The longest value in bytes. @default 8 MiB */
  maxBytes?: number | undefined
  /** Of the value, and of a separator that is text. @default 'utf8' */
  encoding?: 'utf8' | 'latin1' | undefined
}

/** The same with values that are bytes. */
export interface SeparatorBytesFramingOptions extends Omit<SeparatorFramingOptions, 'encoding'> {
  encoding: 'buffer'
}

/**
 * Frames that end with a separator.
 *
 * A read is a LimitOverrunError for a value over the limit (nothing is taken), a DecodeError for one that is
 * not valid UTF-8 (it is taken, and the next read gives the next frame). `encode` refuses a value in which, or
 * across whose end, the separator would be found too soon.
 *
 * @throws RangeError when the separator is empty
 * @throws RangeError, TypeError for an option that is none
 */
export function separatorFraming(
  separator: string | Uint8Array,
  options?: SeparatorFramingOptions,
): Framing<string>
export function separatorFraming(
  separator: string | Uint8Array,
  options: SeparatorBytesFramingOptions,
): Framing<Buffer>
export function separatorFraming(
  separator: string | Uint8Array,
  options: SeparatorFramingOptions | SeparatorBytesFramingOptions = {},
): Framing<FrameValue> {
  const encoding = checkEncoding(options.encoding)
  const maxBytes = checkByteLimit(options.maxBytes ?? DEFAULT_MAX_BYTES, 'maxBytes')
  const needle = toSeparator(separator, encoding === 'latin1' ? 'latin1' : 'utf8')

  return {
    maxBytes: maxBytes + needle.length,

    decode(source) {
      const at = source.indexOf(needle)
      if (at < 0) {
        // The last bytes may be the beginning of the separator.
        const seen = source.size - (needle.length - 1)
        if (seen > maxBytes) throw overrun(source, 'a frame', maxBytes, undefined)
        return undefined
      }
      if (at > maxBytes) throw overrun(source, 'a frame', maxBytes, at + needle.length)
      const bytes = source.take(at)
      source.skip(needle.length)
      return toValue(bytes, encoding, 'a frame')
    },

    encode(value) {
      const bytes = toBytes(value, encoding)
      checkLength(bytes.length, maxBytes, 'a frame')
      const frame = Buffer.concat([bytes, needle])
      // In `xa` + `aa` the separator `aa` would be found one byte too soon.
      if (frame.indexOf(needle) !== bytes.length) {
        throw new TypeError('the value has the separator in it, or begins one at its end')
      }
      return frame
    },
  }
}

/** A copy, so that it cannot change under the framing. */
function toSeparator(separator: string | Uint8Array, encoding: 'utf8' | 'latin1'): Buffer {
  if (typeof separator !== 'string' && !(separator instanceof Uint8Array)) {
    throw new TypeError(
      `the separator must be a string or a Uint8Array, not ${describe(separator)}`,
    )
  }
  const bytes =
    typeof separator === 'string' ? toBytes(separator, encoding) : Buffer.from(toBuffer(separator))
  if (bytes.length === 0) throw new RangeError('the separator must have at least one byte, not 0')
  return bytes
}
