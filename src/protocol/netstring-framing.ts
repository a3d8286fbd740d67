/**
 * Netstrings (D. J. Bernstein, 1997): `5:hello,`. The length in decimal digits with no leading zero, a colon,
 * so many bytes, a comma. Read byte by byte from the left, so that the verdict never depends on what else has come.
 */
import { ProtocolError } from '../errors.js'
import type { FrameSource, Framing } from './framing.js'
import { checkByteLimit, checkLength, overrun, toBuffer } from './frame-value.js'
import { DEFAULT_MAX_BYTES } from './input.js'

const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const COMMA = 0x2c

export interface NetstringFramingOptions {
  /** The longest payload in bytes. @default 8 MiB */
  maxBytes?: number | undefined
}

/**
 * Frames that are netstrings.
 *
 * A read is a ProtocolError for anything else, and a LimitOverrunError for a payload over the limit, both as
 * soon as it shows; nothing is taken, since where the next frame begins is then unknown.
 *
 * The Buffer may be a view of a received block of up to 64 KiB, which stays in memory as long as the view does.
 *
 * @throws RangeError when `maxBytes` is not a whole number above 0
 */
export function netstringFraming(options: NetstringFramingOptions = {}): Framing<Buffer> {
  const maxBytes = checkByteLimit(options.maxBytes ?? DEFAULT_MAX_BYTES, 'maxBytes')

  return {
    maxBytes: String(maxBytes).length + 1 + maxBytes + 1,

    decode(source) {
      const header = readHeader(source, maxBytes)
      if (header === undefined) return undefined
      const { length, payloadAt } = header
      const end = payloadAt + length
      if (source.size <= end) return undefined
      if (source.byteAt(end) !== COMMA) {
        throw new ProtocolError(
          `a netstring of ${length} bytes must end with a comma, not ${hex(source.byteAt(end))}`,
        )
      }
      source.skip(payloadAt)
      const payload = source.take(length)
      source.skip(1)
      return payload
    },

    encode(value) {
      const payload = toBuffer(value)
      checkLength(payload.length, maxBytes, 'a netstring')
      return [`${payload.length}:`, payload, ',']
    },
  }
}

/** Undefined while the colon has not come. */
function readHeader(
  source: FrameSource,
  maxBytes: number,
): { length: number; payloadAt: number } | undefined {
  const { size } = source
  let length = 0
  for (let i = 0; i < size; i++) {
    const byte = source.byteAt(i)
    if (byte === COLON && i > 0) return { length, payloadAt: i + 1 }
    if (byte < ZERO || byte > NINE) {
      throw new ProtocolError(`the length of a netstring has ${hex(byte)} where a digit should be`)
    }
    if (i > 0 && length === 0) {
      throw new ProtocolError('the length of a netstring must not begin with a zero')
    }
    length = length * 10 + (byte - ZERO)
    if (length > maxBytes) throw overrun(source, 'a netstring', maxBytes, undefined)
  }
  return undefined
}

function hex(byte: number): string {
  return `the byte 0x${byte.toString(16).padStart(2, '0')}`
}
