/**
 * A request head as places in the bytes that it came in. Text is made of what is asked for, since most requests are
 * answered without most of it.
 */
import { HttpHeaders } from './http-headers.js'
import type { RequestTarget } from './request-target.js'

/** The length of a chunked body, which is not known. */
export const CHUNKED = -1

/** What its fields say of the message itself. */
export interface Framing {
  /** The length of the body in bytes, or {@link CHUNKED}. */
  readonly bodyLength: number
  /** Whether the client takes another answer on this connection. */
  readonly persists: boolean
  /** `Expect: 100-continue`. */
  readonly expectsContinue: boolean
  /** Where the value of Host is; the same twice when there is none. */
  readonly hostStart: number
  readonly hostEnd: number
}

export class RequestHead {
  readonly method: string
  /** 0 for HTTP/1.0, 1 for 1.1 and everything above it. */
  readonly minor: 0 | 1
  readonly bodyLength: number
  readonly persists: boolean
  readonly expectsContinue: boolean
  readonly #bytes: Buffer
  /** Where the head begins in them; all other places are counted from there. */
  readonly #base: number
  readonly #targetStart: number
  readonly #targetEnd: number
  readonly #target: RequestTarget
  readonly #hostStart: number
  readonly #hostEnd: number
  readonly #places: readonly number[]
  #headers: HttpHeaders | undefined

  constructor(
    method: string,
    minor: 0 | 1,
    bytes: Buffer,
    base: number,
    targetStart: number,
    targetEnd: number,
    target: RequestTarget,
    framing: Framing,
    places: readonly number[],
  ) {
    this.method = method
    this.minor = minor
    this.bodyLength = framing.bodyLength
    this.persists = framing.persists
    this.expectsContinue = framing.expectsContinue
    this.#bytes = bytes
    this.#base = base
    this.#targetStart = targetStart
    this.#targetEnd = targetEnd
    this.#target = target
    const isAbsolute = target.hostEnd > target.hostStart
    this.#hostStart = isAbsolute ? target.hostStart : framing.hostStart
    this.#hostEnd = isAbsolute ? target.hostEnd : framing.hostEnd
    this.#places = places
  }

  /** As it came. */
  get target(): string {
    return this.#textOf(this.#targetStart, this.#targetEnd)
  }

  get path(): string {
    const { pathStart, pathEnd } = this.#target
    if (pathStart < pathEnd) return this.#textOf(pathStart, pathEnd)
    // RFC 9112 3.2.4: an absolute form without a path is, with OPTIONS, about the server as a whole.
    return this.method === 'OPTIONS' && this.queryString === '' ? '*' : '/'
  }

  get queryString(): string {
    const { queryStart, queryEnd } = this.#target
    return queryStart === queryEnd ? '' : this.#textOf(queryStart, queryEnd)
  }

  /** Of the target, or of Host. */
  get host(): string | undefined {
    if (this.#hostStart === this.#hostEnd) return undefined
    return this.#textOf(this.#hostStart, this.#hostEnd)
  }

  get headers(): HttpHeaders {
    this.#headers ??= new HttpHeaders(this.#bytes, this.#places, this.#base)
    return this.#headers
  }

  #textOf(start: number, end: number): string {
    return this.#bytes.toString('latin1', this.#base + start, this.#base + end)
  }
}
