/**
 * The chunked coding, read (RFC 9112 7.1): data as it comes, and behind the last chunk the trailers. Without I/O, and in time
 * linear in the bytes.
 *
 * Extensions are checked and dropped, they and the trailers are bounded, and trailers that would change how the message is
 * read are refused (RFC 9110 6.5.1).
 */
import type { FrameSource, Framing } from '../protocol/framing.js'
import { FieldSection, hasOther } from './field-section.js'
import { HttpError } from './http-error.js'
import { HttpHeaders, NUMBERS_PER_FIELD } from './http-headers.js'
import type { ResolvedHttpLimits } from './http-limits.js'
import {
  BACKSLASH,
  CR,
  EQUALS,
  FIELD_VALUE,
  HEX,
  isSameName,
  LF,
  QUOTE,
  SEMICOLON,
  SPACE,
  TAB,
  TOKEN,
} from './octets.js'

const MAX_SIZE_DIGITS = 8
const MAX_EXTENSION_BYTES = 256
const MAX_EXTENSIONS_BYTES = 16 * 1024
/** Leading zeros are allowed, and need not be many. */
const MAX_LINE_BYTES = 2 * MAX_EXTENSION_BYTES
/** They say how a message is framed or where it goes: behind it they come too late. */
const FORBIDDEN_TRAILERS = ['content-length', 'transfer-encoding', 'host', 'trailer']

const enum State {
  Size,
  Data,
  DataEnd,
  Trailers,
}

export class ChunkDecoder implements Framing<Buffer | HttpHeaders> {
  /** The limits are its own. */
  readonly maxBytes = Infinity
  readonly readsPastCut = true
  readonly #limits: ResolvedHttpLimits
  /** The most that the data of all chunks may come to, in bytes. */
  maxBodyBytes: number
  /** The longest piece of data that is given, in bytes. */
  maxPieceBytes = Infinity
  #state = State.Size
  /** What is left of the chunk. */
  #left = 0
  /** How much of a line, or of the trailers, was looked at. */
  #seen = 0
  #bodyBytes = 0
  #extensionBytes = 0
  #section: FieldSection | undefined

  constructor(limits: ResolvedHttpLimits) {
    this.#limits = limits
    this.maxBodyBytes = limits.bodyBytes
  }

  /**
   * A piece of the data, or the trailers when it has ended.
   *
   * @throws HttpError 400 for what is no chunk, 413 as soon as a chunk would pass `maxBodyBytes`, 431 for trailers that pass
   *   their limits
   */
  decode(source: FrameSource): Buffer | HttpHeaders | undefined {
    for (;;) {
      switch (this.#state) {
        case State.Size:
          if (!this.#size(source)) return undefined
          break
        case State.Data:
          return this.#data(source)
        case State.DataEnd:
          if (!this.#dataEnd(source)) return undefined
          break
        case State.Trailers:
        default:
          return this.#trailers(source)
      }
    }
  }

  encode(): never {
    throw new TypeError('a ChunkDecoder reads bodies and writes none')
  }

  /** False when the line is not whole. */
  #size(source: FrameSource): boolean {
    const end = this.#lineEnd(source)
    if (end === 0) return false
    const line = source.peek(end)
    let at = 0
    let digits = 0
    let size = 0
    while (HEX[line[at] as number] !== 255) {
      const digit = HEX[line[at++] as number] as number
      if (digits > 0 || digit > 0) digits++
      if (digits > MAX_SIZE_DIGITS) throw badChunk('its size has more than 8 digits')
      size = size * 16 + digit
    }
    if (at === 0) throw badChunk('its size is not hexadecimal')
    const extensionsEnd = readExtensions(line, at)
    if (extensionsEnd !== end - 2) throw badChunk('there is something behind its size')
    const extensionBytes = extensionsEnd - at
    this.#extensionBytes += extensionBytes
    if (extensionBytes > MAX_EXTENSION_BYTES || this.#extensionBytes > MAX_EXTENSIONS_BYTES) {
      throw badChunk('its extensions are too long')
    }
    if (size > 0 && this.#bodyBytes + size > this.maxBodyBytes) {
      throw new HttpError(413, `the body is longer than ${this.maxBodyBytes} bytes`)
    }
    source.skip(end)
    this.#bodyBytes += size
    this.#left = size
    this.#state = size === 0 ? State.Trailers : State.Data
    return true
  }

  /** The length of the line that ends in CRLF, or 0. */
  #lineEnd(source: FrameSource): number {
    const { size } = source
    for (let i = this.#seen; i < size; i++) {
      const octet = source.byteAt(i)
      if (octet === LF && i > 0 && source.byteAt(i - 1) === CR) {
        this.#seen = 0
        return i + 1
      }
      const isAfterCr = i > 0 && source.byteAt(i - 1) === CR
      const isControl = FIELD_VALUE[octet] === 0 && octet !== CR
      if (isAfterCr || isControl) throw badChunk('its line does not end in CRLF')
      if (i >= MAX_LINE_BYTES) throw badChunk('its line is too long')
    }
    this.#seen = size
    return 0
  }

  #data(source: FrameSource): Buffer | undefined {
    const { front, frontStart } = source
    const count = Math.min(this.#left, this.maxPieceBytes, front.length - frontStart)
    if (count === 0) return undefined
    this.#left -= count
    if (this.#left === 0) this.#state = State.DataEnd
    return source.take(count)
  }

  #dataEnd(source: FrameSource): boolean {
    const { size } = source
    if (size > 0 && source.byteAt(0) !== CR) throw badChunk('its data is longer than its size')
    if (size > 1 && source.byteAt(1) !== LF) throw badChunk('its data does not end in CRLF')
    if (size < 2) return false
    source.skip(2)
    this.#state = State.Size
    return true
  }

  #trailers(source: FrameSource): HttpHeaders | undefined {
    const { size } = source
    const { trailerBytes, fields } = this.#limits
    const plain = this.#section?.plain
    if (plain !== undefined && size < trailerBytes && !hasOther(source, this.#seen, plain)) {
      this.#seen = size
      return undefined
    }
    const bytes = source.peek(Math.min(size, trailerBytes))
    this.#section ??= new FieldSection(0, fields)
    const length = this.#section.read(bytes, 0, bytes.length, trailerBytes)
    if (length === 0) {
      this.#seen = size
      return undefined
    }
    const { places } = this.#section
    for (let i = 0; i < places.length; i += NUMBERS_PER_FIELD) {
      const [start = 0, end = 0] = [places[i], places[i + 1]]
      if (FORBIDDEN_TRAILERS.some((name) => isSameName(bytes, start, end, name))) {
        throw new HttpError(400, `bad trailer: ${bytes.toString('latin1', start, end)}`)
      }
    }
    source.skip(length)
    return new HttpHeaders(bytes, places)
  }
}

/** `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )` from `at` on: where it ends. */
function readExtensions(line: Uint8Array, start: number): number {
  let end = start
  for (;;) {
    let at = skipWhite(line, end)
    if (line[at] !== SEMICOLON) return end
    at = skipWhite(line, at + 1)
    const nameEnd = skipToken(line, at)
    if (nameEnd === at) return end
    end = nameEnd
    at = skipWhite(line, nameEnd)
    if (line[at] !== EQUALS) continue
    at = skipWhite(line, at + 1)
    const valueEnd = line[at] === QUOTE ? skipQuoted(line, at) : skipToken(line, at)
    if (valueEnd === at) return end
    end = valueEnd
  }
}

function skipWhite(line: Uint8Array, at: number): number {
  while (line[at] === SPACE || line[at] === TAB) at++
  return at
}

function skipToken(line: Uint8Array, at: number): number {
  while (TOKEN[line[at] as number] === 1) at++
  return at
}

/** Where the quoted string that begins at `start` ends; `start` when it does not. */
function skipQuoted(line: Uint8Array, start: number): number {
  let at = start + 1
  while (FIELD_VALUE[line[at] as number] === 1) {
    if (line[at] === QUOTE) return at + 1
    if (line[at] === BACKSLASH) at++
    if (FIELD_VALUE[line[at] as number] !== 1) return start
    at++
  }
  return start
}

function badChunk(why: string): HttpError {
  return new HttpError(400, `bad chunk: ${why}`)
}
