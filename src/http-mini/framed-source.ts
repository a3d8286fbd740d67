/**
 * What a source gives, with the framing of the message around it: as chunks (RFC 9112 7.1), or as just so many bytes, or as
 * it is. The end of a chunked body is not its own: it must not come when the source has failed.
 */
import type { Chunk } from '../protocol/framing.js'
import { isSource, type BodySource } from './http-response.js'

/** Chunked, a length in bytes, or up to the end of the connection. */
export type BodyFraming = 'chunked' | 'to-end' | number

/** Larger data is handed on as it is, between two small pieces, and smaller data joined to its frame. */
const JOIN_BYTES = 16 * 1024
const CRLF = '\r\n'
const END: IteratorReturnResult<undefined> = { done: true, value: undefined }

export class FramedSource implements AsyncIterableIterator<Chunk, undefined> {
  readonly #iterator: AsyncIterator<string | Uint8Array>
  readonly #tryGet: (() => string | Uint8Array | null | undefined) | undefined
  readonly #framing: BodyFraming
  /** What is left of a body of known length. */
  #left: number
  /** What of one piece was not yet given. */
  #waiting: Chunk[] = []
  #isOverlong = false
  #isClosed = false

  constructor(source: BodySource, framing: BodyFraming) {
    this.#iterator = source[Symbol.asyncIterator]()
    this.#framing = framing
    this.#left = typeof framing === 'number' ? framing : Infinity
    if ('tryGet' in source && typeof source.tryGet === 'function') {
      this.#tryGet = source.tryGet.bind(source) as () => string | Uint8Array | null | undefined
    }
  }

  /** Whether the source had more than the length that was said; that was not sent. */
  get isOverlong(): boolean {
    return this.#isOverlong
  }

  /** @throws TypeError for what is neither text nor bytes, Error when the source gives too little, and its own errors */
  async next(): Promise<IteratorResult<Chunk, undefined>> {
    for (;;) {
      const waiting = this.#waiting.shift()
      if (waiting !== undefined) return { done: false, value: waiting }
      const { done, value } = await this.#iterator.next()
      if (done === true) {
        if (this.#left > 0 && this.#left !== Infinity) {
          throw new Error(`the body ended ${this.#left} bytes before the length that was said`)
        }
        return END
      }
      const chunk = this.#frame(value)
      if (this.#isOverlong) await this.return()
      if (chunk !== undefined) return { done: false, value: chunk }
      if (this.#isOverlong) return END
    }
  }

  /** For sources that have what is at hand without a promise: see `StreamWriter.pipeFrom`. */
  tryGet(): Chunk | null | undefined {
    for (;;) {
      const waiting = this.#waiting.shift()
      if (waiting !== undefined) return waiting
      const value = this.#isOverlong ? null : this.#tryGet?.()
      if (value == null) return value
      const chunk = this.#frame(value)
      if (chunk !== undefined) return chunk
    }
  }

  /** Closes the source, once. */
  async return(): Promise<IteratorResult<Chunk, undefined>> {
    if (this.#isClosed) return END
    this.#isClosed = true
    await this.#iterator.return?.()
    return END
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Undefined for what would be an empty chunk, which is the last one. */
  #frame(data: unknown): Chunk | undefined {
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw new TypeError(
        `a body is made of text and bytes, not ${data === null ? 'null' : typeof data}`,
      )
    }
    const size = typeof data === 'string' ? Buffer.byteLength(data) : data.length
    if (size === 0) return undefined
    if (this.#framing !== 'chunked') return this.#count(data, size)
    const head = size.toString(16) + CRLF
    if (typeof data === 'string') return head + data + CRLF
    if (size <= JOIN_BYTES) return Buffer.concat([Buffer.from(head), data, Buffer.from(CRLF)])
    this.#waiting.push(data, CRLF)
    return head
  }

  #count(data: Chunk, size: number): Chunk | undefined {
    if (size <= this.#left) {
      this.#left -= size
      return data
    }
    this.#isOverlong = true
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    const fits = bytes.subarray(0, this.#left)
    this.#left = 0
    return fits.length === 0 ? undefined : fits
  }
}

/** Closes a source that is not sent: it may hold a file, and nobody waits for it. */
export function letGo(body: unknown): void {
  if (!isSource(body)) return
  try {
    void new FramedSource(body, 'to-end').return().catch(ignore)
  } catch {
    // One that cannot even be begun holds nothing.
  }
}

function ignore(): void {}
