/**
 * Request heads out of bytes: strict, incremental and linear, without I/O. It scans the received block itself, keeps places,
 * and makes no text but the method.
 *
 * Lines end in CRLF and in nothing else, there is no white space where the grammar has none, and what is refused is refused
 * at the same octet however the bytes were cut. What the fields mean is for `message-framing.ts`.
 */
import type { FrameSource, Framing } from '../protocol/framing.js'
import { FieldSection, hasOther } from './field-section.js'
import { HttpError } from './http-error.js'
import type { ResolvedHttpLimits } from './http-limits.js'
import { readFraming } from './message-framing.js'
import { CR, isDigit, LF, SPACE, TOKEN, VISIBLE } from './octets.js'
import { RequestHead } from './request-head.js'
import { readTarget, type RequestTarget } from './request-target.js'

/** No method that is in use has 30 letters. */
const MAX_METHOD_BYTES = 64
/** `HTTP/1.1` and its CRLF. */
const VERSION_BYTES = 10
const VERSION = Buffer.from('HTTP/')
const DOT = 0x2e
/** Empty lines before a request are passed over (RFC 9112 2.2), but not for ever. */
const MAX_EMPTY_LINES = 64

export class HeadParser implements Framing<RequestHead> {
  /** The limits are its own. */
  readonly maxBytes = Infinity
  readonly isTimedAsLine = true
  readonly #limits: ResolvedHttpLimits
  /** How many bytes were looked at of a head that is not whole. */
  #seen = 0
  /** Where the head begins, behind empty lines. */
  #start = 0
  #method = ''
  #minor: 0 | 1 = 1
  /** How far the target may reach, once the method has ended. */
  #longest = 0
  #targetStart = 0
  #targetEnd = 0
  #target: RequestTarget | undefined
  /** The octets that go on with the request line and tell nothing new; undefined where every octet does. */
  #plain: Uint8Array | undefined
  /** There from the end of the request line on. */
  #section: FieldSection | undefined

  constructor(limits: ResolvedHttpLimits) {
    this.#limits = limits
  }

  /** Whether something has come of a head that is not whole, besides empty lines. */
  get hasBegun(): boolean {
    return this.#seen > this.#start
  }

  /**
   * @throws HttpError 400, 414, 417, 431, 501 or 505 for what cannot be answered otherwise. The bytes stay, and no request
   *   may be looked for in them.
   */
  decode(source: FrameSource): RequestHead | undefined {
    const { size } = source
    const limit = this.#start + this.#limits.headBytes
    if (this.#seen > 0 && size < limit && !this.#needsLook(source)) {
      this.#seen = size
      return undefined
    }
    const { front, frontStart } = source
    let length = this.#parse(front, frontStart, front.length)
    let bytes = front
    let base = frontStart
    if (length === 0 && front.length - frontStart < size) {
      bytes = source.peek(Math.min(size, limit + MAX_EMPTY_LINES * 2))
      base = 0
      length = this.#parse(bytes, 0, bytes.length)
    }
    if (length === 0) {
      this.#seen = size
      return undefined
    }
    const head = this.#finish(bytes, base)
    source.skip(length)
    return head
  }

  encode(): never {
    throw new TypeError('a HeadParser reads requests and writes none')
  }

  #needsLook(source: FrameSource): boolean {
    // A method or a target without an end has no octet that would tell.
    const { size } = source
    const isLong =
      this.#section === undefined &&
      (this.#longest === 0 ? size - this.#start > MAX_METHOD_BYTES : size > this.#longest)
    const plain = this.#section === undefined ? this.#plain : this.#section.plain
    return isLong || plain === undefined || hasOther(source, this.#seen, plain)
  }

  /** The length of the whole head that begins at `base`, or 0 when it has not come yet. */
  #parse(bytes: Buffer, base: number, end: number): number {
    if (this.#section === undefined) {
      if (!this.#skipEmptyLines(bytes, base, end)) return 0
      const next = this.#requestLine(bytes, base, end)
      if (next === 0) return 0
      this.#section = new FieldSection(next - base, this.#limits.fields)
    }
    return this.#section.read(bytes, base, end, base + this.#start + this.#limits.headBytes)
  }

  #skipEmptyLines(bytes: Buffer, base: number, end: number): boolean {
    let at = base + this.#start
    while (at < end && bytes[at] === CR) {
      if (at + 1 === end) return false
      if (bytes[at + 1] !== LF) throw badLine('a CR without its LF')
      at += 2
      this.#start += 2
      if (this.#start > MAX_EMPTY_LINES * 2) throw badLine('too many empty lines')
    }
    return at < end
  }

  /** Where the line ends, or 0 when it has not come yet. */
  #requestLine(bytes: Buffer, base: number, end: number): number {
    const start = base + this.#start
    let at = start
    while (at < end && TOKEN[bytes[at] as number] === 1) at++
    if (at - start > MAX_METHOD_BYTES) throw badLine('the method is too long')
    this.#plain = TOKEN
    if (at === end) return 0
    if (at === start || bytes[at] !== SPACE) throw badLine('it begins with no method')
    const methodEnd = at
    const targetStart = ++at
    const longest = targetStart + this.#limits.targetBytes
    this.#longest = longest - base
    while (at < end && at <= longest && isVisible(bytes[at] as number)) at++
    if (at > longest) {
      throw new HttpError(
        414,
        `the request target is longer than ${this.#limits.targetBytes} bytes`,
      )
    }
    this.#plain = VISIBLE
    if (at === end) return 0
    if (at === targetStart || bytes[at] !== SPACE) throw badLine('no target stands alone in it')
    const targetEnd = at++
    this.#plain = undefined
    if (!this.#version(bytes, at, end)) return 0

    this.#method = methodOf(bytes, start, methodEnd)
    this.#target = readTarget(bytes, targetStart, targetEnd, this.#method, base)
    this.#targetStart = targetStart - base
    this.#targetEnd = targetEnd - base
    return at + VERSION_BYTES
  }

  /** False when it is not whole. RFC 9112 2.3; a higher minor version is taken as 1.1 (RFC 9110 2.5). */
  #version(bytes: Buffer, at: number, end: number): boolean {
    for (let i = 0; i < VERSION_BYTES; i++) {
      if (at + i === end) return false
      const octet = bytes[at + i] as number
      const fits =
        i < 5
          ? octet === VERSION[i]
          : i === 6
            ? octet === DOT
            : i < 8
              ? isDigit(octet)
              : octet === (i === 8 ? CR : LF)
      if (!fits) throw badLine('it ends in no HTTP version')
    }
    if (bytes[at + 5] !== 0x31) throw new HttpError(505, 'only HTTP/1 is spoken here')
    this.#minor = bytes[at + 7] === 0x30 ? 0 : 1
    return true
  }

  #finish(bytes: Buffer, base: number): RequestHead {
    const places = (this.#section as FieldSection).places
    const head = new RequestHead(
      this.#method,
      this.#minor,
      bytes,
      base,
      this.#targetStart,
      this.#targetEnd,
      this.#target as RequestTarget,
      readFraming(bytes, base, places, this.#minor),
      places,
    )
    this.#seen = 0
    this.#start = 0
    this.#longest = 0
    this.#plain = undefined
    this.#target = undefined
    this.#section = undefined
    return head
  }
}

function isVisible(octet: number): boolean {
  return octet > SPACE && octet < 0x7f
}

/** The text of a method: that of nearly all requests is at hand. */
function methodOf(bytes: Buffer, start: number, end: number): string {
  const first = bytes[start]
  if (
    end - start === 3 &&
    first === 0x47 &&
    bytes[start + 1] === 0x45 &&
    bytes[start + 2] === 0x54
  ) {
    return 'GET'
  }
  return bytes.toString('latin1', start, end)
}

function badLine(why: string): HttpError {
  return new HttpError(400, `bad request line: ${why}`)
}
