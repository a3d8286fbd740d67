/**
 * The body of a request, as a reader: what is not read of it stays in the socket, and holds the client up.
 *
 * It ends where the message does, takes a client to a minimum rate, and asks for the body with `100 Continue` when somebody
 * waits for it. The bytes behind it are not its own.
 */
import { isUtf8 } from 'node:buffer'
import { checkTimeout, type WaitOptions } from '../concurrency/abort.js'
import type { Clock } from '../concurrency/clock.js'
import { unobserved } from '../concurrency/deferred.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import { ClosedError, IncompleteReadError, TimeoutError } from '../errors.js'
import { ReceiveBuffer } from '../protocol/receive-buffer.js'
import type { StreamReader } from '../protocol/stream-reader.js'
import { ChunkDecoder } from './chunk-decoder.js'
import { HttpError } from './http-error.js'
import type { HttpHeaders } from './http-headers.js'
import type { ResolvedHttpLimits } from './http-limits.js'
import { CHUNKED } from './request-head.js'

/** What reads of a whole body take. */
export interface ReadBodyOptions extends WaitOptions {
  /** The longest body that is taken, in bytes. @default `maxBytes` of the body */
  maxBytes?: number | undefined
}

/** Who the body belongs to, as the body sees it. */
export interface BodyHost {
  readonly reader: StreamReader
  readonly clock: Clock
  readonly httpLimits: ResolvedHttpLimits
  /** How long a body may be waited for, and how many bytes a millisecond earn it more. */
  readonly bodyMs: number
  readonly bodyBytesPerMs: number
  /** Somebody begins to wait for bytes of a body; `asksForIt` when the client waits to be told to send it. */
  bodyIsAwaited(asksForIt: boolean): void
}

const EMPTY = Buffer.alloc(0)
const UTF8_CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii'])
const LATIN1_CHARSETS = new Set(['iso-8859-1', 'latin1'])

export class RequestBody implements AsyncIterable<Buffer> {
  readonly #host: BodyHost
  readonly #headers: HttpHeaders
  readonly #decoder: ChunkDecoder | undefined
  /** What is to come of a body of known length. */
  #left: number
  #expectsContinue: boolean
  #receivedBytes = 0
  #waitedMs = 0
  #maxBytes: number
  #isEnded: boolean
  /** Whether what is left of it is the connection's to read. */
  #isAnswered = false
  /** Every read gives it. */
  #failure: Error | undefined
  #trailers: HttpHeaders | undefined

  /** @internal */
  constructor(host: BodyHost, headers: HttpHeaders, length: number, expectsContinue: boolean) {
    this.#host = host
    this.#headers = headers
    this.#maxBytes = host.httpLimits.bodyBytes
    this.#decoder = length === CHUNKED ? new ChunkDecoder(host.httpLimits) : undefined
    this.#left = length === CHUNKED ? 0 : length
    this.#isEnded = length === 0
    this.#expectsContinue = expectsContinue && length !== 0
  }

  /** The longest body that is taken, in bytes: it can be set before the first read. @default `limits.bodyBytes` */
  get maxBytes(): number {
    return this.#maxBytes
  }

  set maxBytes(maxBytes: number) {
    if (!(maxBytes >= 0)) throw new RangeError(`maxBytes must be 0 or above, not ${maxBytes}`)
    this.#maxBytes = maxBytes
    if (this.#decoder !== undefined) this.#decoder.maxBodyBytes = maxBytes
  }

  /** How many bytes of it were read. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** Whether it was read to its end. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** The fields behind a chunked body; undefined until its end was read, and for other bodies. */
  get trailers(): HttpHeaders | undefined {
    return this.#trailers
  }

  /**
   * What is at hand, at least a byte and at most `maxBytes`; null at the end of the body.
   *
   * @throws HttpError 413 when the body is longer than its limit, or says that it will be; 400 when it breaks the rules of
   *   its framing or the client ends within it; 408 when it comes too slowly. Unless the handler catches it, it is the
   *   answer.
   * @throws ClosedError when the request has been answered
   * @throws BusyError, BrokenError and the like of a read of the connection
   *
   * A rejection that nobody awaits does not end the process: no client can bring one about that does.
   */
  read(maxBytes = Infinity, options: WaitOptions = {}): Promise<Buffer | null> {
    return watchUnawaited(unobserved(this.#read(maxBytes, options)), 'RequestBody.read()')
  }

  /** The body piece by piece, as it comes. */
  async *chunks(options: WaitOptions = {}): AsyncIterableIterator<Buffer> {
    for (;;) {
      const chunk = await this.#read(Infinity, options)
      if (chunk === null) return
      yield chunk
    }
  }

  /** The same as `chunks()`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return this.chunks()
  }

  /** The whole body, or what was not yet read of it. @throws the errors of {@link RequestBody.read} */
  bytes(options: ReadBodyOptions = {}): Promise<Buffer> {
    return watchUnawaited(unobserved(this.#bytes(options)), 'RequestBody.bytes()')
  }

  /**
   * The whole body as text: UTF-8, unless `Content-Type` has another `charset`.
   *
   * @throws HttpError 415 for a charset or a content coding that is not known, 400 for text that is not valid UTF-8, and the
   *   errors of {@link RequestBody.read}
   */
  text(options: ReadBodyOptions = {}): Promise<string> {
    return watchUnawaited(unobserved(this.#text(options)), 'RequestBody.text()')
  }

  /**
   * The whole body, parsed as JSON, which is UTF-8 (RFC 8259 8.1). An empty body is no JSON.
   *
   * @throws HttpError 400 for malformed JSON, and the errors of {@link RequestBody.text}
   */
  json<T = unknown>(options: ReadBodyOptions = {}): Promise<T> {
    return watchUnawaited(unobserved(this.#json<T>(options)), 'RequestBody.json()')
  }

  // ---- the side of the connection

  /**
   * Whether what follows it can be looked at as a request: false once it has broken a rule, or while the client may or may
   * not send it.
   * @internal
   */
  get canBePassed(): boolean {
    return this.#isEnded || (this.#failure === undefined && !this.#expectsContinue)
  }

  /**
   * How many bytes of it are known to be still to come; Infinity when it is not known how many.
   * @internal
   */
  get leftBytes(): number {
    if (this.#isEnded) return 0
    return this.#decoder === undefined ? this.#left : Infinity
  }

  /**
   * Reads on to the end and drops it, so that the next request can be read; false when that is not to be had within so many
   * bytes. Synchronous where it is all there.
   * @internal
   */
  pass(maxBytes: number): boolean | Promise<boolean> {
    this.#isAnswered = true
    this.maxBytes = this.#receivedBytes + maxBytes
    try {
      return this.#tryPass() || this.#passRest()
    } catch {
      return false
    }
  }

  /** False when more bytes are needed. */
  #tryPass(): boolean {
    for (;;) {
      const chunk = this.#tryNext(Infinity)
      if (chunk === null) return true
      if (chunk === undefined) return false
    }
  }

  async #passRest(): Promise<boolean> {
    try {
      do await this.#more({})
      while (!this.#tryPass())
      return true
    } catch {
      return false
    }
  }

  /**
   * The request has been answered: nobody reads any more.
   * @internal
   */
  close(): void {
    this.#isAnswered = true
  }

  // ---- reading

  async #read(maxBytes: number, options: WaitOptions): Promise<Buffer | null> {
    if (!(maxBytes >= 0)) throw new RangeError(`maxBytes must be 0 or above, not ${maxBytes}`)
    checkTimeout(options.timeoutMs)
    options.signal?.throwIfAborted()
    for (;;) {
      const chunk = this.#tryRead(maxBytes)
      if (chunk !== undefined) return chunk
      await this.#more(options)
    }
  }

  /** The same as {@link RequestBody.#tryNext}, for the handler. */
  #tryRead(maxBytes: number): Buffer | null | undefined {
    if (this.#isAnswered && !this.#isEnded) {
      throw new ClosedError('the body of a request that has been answered')
    }
    return this.#tryNext(maxBytes)
  }

  /** A piece, null at the end, undefined while more bytes are needed. */
  #tryNext(maxBytes: number): Buffer | null | undefined {
    if (this.#isEnded) return null
    if (this.#failure !== undefined) throw this.#failure
    try {
      return this.#decoder === undefined ? this.#tryPlain(maxBytes) : this.#tryChunk(maxBytes)
    } catch (error) {
      throw this.#toFailure(error)
    }
  }

  #tryPlain(maxBytes: number): Buffer | null | undefined {
    if (this.#left + this.#receivedBytes > this.#maxBytes) {
      throw new HttpError(413, `the body is longer than ${this.#maxBytes} bytes`)
    }
    if (maxBytes === 0) return EMPTY
    const chunk = this.#host.reader.tryRead(Math.min(maxBytes, this.#left))
    if (chunk === undefined) return undefined
    if (chunk === null) throw endedEarly()
    this.#left -= chunk.length
    this.#receivedBytes += chunk.length
    if (this.#left === 0) this.#isEnded = true
    return chunk
  }

  #tryChunk(maxBytes: number): Buffer | null | undefined {
    const decoder = this.#decoder as ChunkDecoder
    if (maxBytes === 0) return EMPTY
    decoder.maxPieceBytes = maxBytes
    const frame = this.#host.reader.tryReadFrame(decoder)
    if (frame === undefined) return undefined
    if (frame === null) throw endedEarly()
    if (Buffer.isBuffer(frame)) {
      this.#receivedBytes += frame.length
      return frame
    }
    this.#trailers = frame
    this.#isEnded = true
    return null
  }

  /** Waits for a byte more than there is, for as long as the body and the caller have time. */
  async #more({ signal, timeoutMs = Infinity }: WaitOptions): Promise<void> {
    const { reader, clock, bodyMs, bodyBytesPerMs } = this.#host
    const hasBegun = this.#receivedBytes + reader.bufferedBytes > 0
    const asksForIt = this.#expectsContinue && !hasBegun
    this.#expectsContinue = false
    this.#host.bodyIsAwaited(asksForIt)
    const limitMs = bodyMs + this.#receivedBytes / bodyBytesPerMs
    const leftMs = limitMs - this.#waitedMs
    const isOurs = leftMs < timeoutMs
    const since = clock.now()
    const waitMs = Math.max(1, Math.min(leftMs, timeoutMs))
    try {
      await reader.peek(reader.bufferedBytes + 1, {
        signal,
        timeoutMs: waitMs === Infinity ? undefined : waitMs,
      })
    } catch (error) {
      if (error instanceof TimeoutError && error.phase === 'call' && isOurs) {
        const ms = Math.round(limitMs)
        throw this.#toFailure(new HttpError(408, `the body did not come within ${ms} ms`))
      }
      throw error
    } finally {
      this.#waitedMs += clock.now() - since
    }
  }

  #toFailure(error: unknown): unknown {
    const failure = error instanceof IncompleteReadError ? endedEarly() : error
    if (failure instanceof HttpError) this.#failure = failure
    return failure
  }

  async #bytes({ maxBytes, ...options }: ReadBodyOptions): Promise<Buffer> {
    if (maxBytes !== undefined) this.maxBytes = maxBytes
    checkTimeout(options.timeoutMs)
    options.signal?.throwIfAborted()
    // It copies what is small: a chunk of one byte would cost a hundred.
    const gathered = new ReceiveBuffer()
    for (;;) {
      const chunk = this.#tryRead(Infinity)
      if (chunk === undefined) await this.#more(options)
      else if (chunk === null) return gathered.take(Infinity)
      else gathered.push(chunk)
    }
  }

  async #text(options: ReadBodyOptions): Promise<string> {
    this.#refuseContentCoding()
    const charset = charsetOf(this.#headers.get('content-type')) ?? 'utf-8'
    if (LATIN1_CHARSETS.has(charset)) return (await this.#bytes(options)).toString('latin1')
    if (!UTF8_CHARSETS.has(charset)) throw new HttpError(415, `unknown charset: ${charset}`)
    return toUtf8(await this.#bytes(options))
  }

  async #json<T>(options: ReadBodyOptions): Promise<T> {
    this.#refuseContentCoding()
    const charset = charsetOf(this.#headers.get('content-type')) ?? 'utf-8'
    if (!UTF8_CHARSETS.has(charset)) throw new HttpError(415, 'JSON is UTF-8')
    const text = toUtf8(await this.#bytes(options))
    try {
      // A BOM may be passed over, RFC 8259 8.1.
      return JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text) as T
    } catch (error) {
      throw new HttpError(400, 'malformed JSON', { cause: error })
    }
  }

  #refuseContentCoding(): void {
    const coding = this.#headers.get('content-encoding')?.toLowerCase()
    if (coding === undefined || coding === '' || coding === 'identity') return
    throw new HttpError(415, `unknown content coding: ${coding}`)
  }
}

function endedEarly(): HttpError {
  return new HttpError(400, 'the body ended before it was whole')
}

function toUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new HttpError(400, 'the body is not valid UTF-8')
  return bytes.toString('utf8')
}

/** The parameter `charset` of a media type, in lower case. */
function charsetOf(contentType: string | undefined): string | undefined {
  if (contentType === undefined) return undefined
  const match = /;[\t ]*charset=(?:"([^"\\]*)"|([^\t ;"]+))/i.exec(contentType)
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}
