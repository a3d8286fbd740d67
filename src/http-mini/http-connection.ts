/**
 * HTTP/1.1 on one connection of the kit: reads a head, calls the application, sends its answer, and goes on with the next,
 * one at a time and in order (RFC 9112 9.3.2).
 *
 * What has come is answered in one go, without a promise where the application gives none, and the writer sends the
 * answers of a turn as one. It parses nothing and frames nothing itself.
 *
 * Invariants: after a refusal, or when it is not certain where a body ends, no byte is looked at as a request; an answer that
 * failed half-way never looks whole.
 */
import type { Clock } from '../concurrency/clock.js'
import { legible } from '../concurrency/legible.js'
import { IncompleteReadError, type TimeoutError } from '../errors.js'
import type { Connection, Guard } from '../protocol/connection.js'
import type { DeadlineLimits, DeadlinePhase } from '../protocol/deadlines.js'
import type { StreamReader } from '../protocol/stream-reader.js'
import type { StreamWriter } from '../protocol/stream-writer.js'
import { AnswerTeller, UNANSWERED, type OnAnswer } from './answer-info.js'
import { FramedSource, letGo } from './framed-source.js'
import { HeadParser } from './head-parser.js'
import { HttpError } from './http-error.js'
import type { ResolvedHttpLimits } from './http-limits.js'
import type { UpgradeOptions } from './http-request.js'
import {
  BYTES,
  HttpResponse,
  isSource,
  JSON_TYPE,
  TEXT,
  text,
  toJson,
  toResponse,
  type HandlerResult,
  type HttpHandler,
} from './http-response.js'
import { IncomingRequest, type RequestHost } from './incoming-request.js'
import type { RequestHead } from './request-head.js'
import { plainHead, planResponse, type AnswerTo, type PlannedResponse } from './response-head.js'
import { streamAnswer, type CutShort } from './stream-answer.js'
import { planUpgrade } from './upgrade.js'

/** What all connections of a server share. */
export interface HttpSettings {
  readonly app: HttpHandler
  readonly httpLimits: ResolvedHttpLimits
  /** While a head is waited for. */
  readonly headDeadlines: DeadlineLimits
  /** While a handler reads a body, which keeps its own time. */
  readonly bodyDeadlines: DeadlineLimits
  readonly bodyMs: number
  readonly bodyBytesPerMs: number
  readonly onAnswer: OnAnswer | undefined
}

/** So much of a body that nobody read is read and dropped, to use the connection again. */
const MAX_PASSED_BYTES = 256 * 1024
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const INTERNAL = 'Internal Server Error\n'

export class HttpConnection implements RequestHost, Guard {
  readonly connection: Connection
  readonly reader: StreamReader
  readonly #writer: StreamWriter
  readonly #settings: HttpSettings
  readonly #parser: HeadParser
  /** There when somebody asks for it. */
  readonly #teller: AnswerTeller | undefined
  #isInBody = false
  /** Whether the latest request has something of its answer. */
  #hasBegunAnswer = false
  #count = 0
  /** Read ahead, to know whether an answer is the last. */
  #next: RequestHead | undefined
  /** Ended by a deadline of HTTP's: the read that waits need not tell of it. */
  #isOver = false

  constructor(connection: Connection, settings: HttpSettings) {
    this.connection = connection
    this.reader = connection.reader
    this.#writer = connection.writer
    this.#settings = settings
    this.#parser = new HeadParser(settings.httpLimits)
    const { onAnswer } = settings
    this.#teller = onAnswer === undefined ? undefined : new AnswerTeller(connection, onAnswer)
    connection.guard = this
  }

  get clock(): Clock {
    return this.connection.clock
  }

  get httpLimits(): ResolvedHttpLimits {
    return this.#settings.httpLimits
  }

  get bodyMs(): number {
    return this.#settings.bodyMs
  }

  get bodyBytesPerMs(): number {
    return this.#settings.bodyBytesPerMs
  }

  /** The deadlines that hold now. */
  get limits(): DeadlineLimits {
    const { bodyDeadlines, headDeadlines } = this.#settings
    return this.#isInBody ? bodyDeadlines : headDeadlines
  }

  /** Answers requests until there are no more. The connection is to be closed then. */
  async serve(): Promise<void> {
    const writer = this.#writer
    for (;;) {
      let head = this.#next ?? this.#tryHead()
      if (head === undefined) {
        this.#leaveBody()
        // Waited for here: a function of its own would cost every idle connection its frame, and every request a turn.
        try {
          head = await this.reader.readFrame(this.#parser)
        } catch (error) {
          head = this.#refuse(error)
        }
      }
      if (head === null) return
      this.#next = undefined
      let answered = this.#answerTo(head)
      if (typeof answered !== 'boolean') answered = await answered
      if (!answered) return
      if (writer.isOverMark) await writer.drain()
    }
  }

  /** A head that is at hand; null when there will be none, undefined when it has to be waited for. */
  #tryHead(): RequestHead | null | undefined {
    try {
      return this.reader.tryReadFrame(this.#parser)
    } catch (error) {
      return this.#refuse(error)
    }
  }

  /** The deadlines of heads hold again. */
  #leaveBody(): void {
    if (!this.#isInBody) return
    this.#isInBody = false
    this.connection.guard = this
  }

  /** Answers what is no request. @throws what is not for a client to know of */
  #refuse(error: unknown): null {
    if (this.#isOver) return null
    if (error instanceof HttpError) this.#sendRefusal(error)
    else if (error instanceof IncompleteReadError) {
      // Empty lines are no request.
      if (/[^\r\n]/.test(error.partial.toString('latin1'))) {
        this.#sendRefusal(new HttpError(400, 'the request ended in its head'))
      }
    } else throw error
    return null
  }

  #sendRefusal(error: HttpError): void {
    this.connection.log.debug({ err: error, status: error.status }, 'a request was refused')
    const { head, body } = planResponse(toErrorResponse(error), {
      isHead: false,
      minor: 1,
      persists: false,
    })
    this.#writer.write(head + (body as string))
  }

  // ---- a request

  /** Whether another request can follow. */
  #answerTo(head: RequestHead): boolean | Promise<boolean> {
    const request = new IncomingRequest(this, head, ++this.#count)
    this.#hasBegunAnswer = false
    this.#teller?.begin()
    let result: HandlerResult | Promise<HandlerResult>
    try {
      result = this.#settings.app(request)
      if (result instanceof Promise) return this.#awaitAnswer(request, result)
      if (isThenable(result)) return this.#awaitAnswer(request, Promise.resolve(result))
      return this.#answer(request, result)
    } catch (error) {
      return this.#fail(request, error)
    }
  }

  async #awaitAnswer(request: IncomingRequest, answer: Promise<HandlerResult>): Promise<boolean> {
    try {
      return await this.#answer(request, await answer)
    } catch (error) {
      return await this.#fail(request, error)
    }
  }

  /** @throws TypeError for what is no answer, before anything was sent of it */
  #answer(request: IncomingRequest, result: HandlerResult): boolean | Promise<boolean> {
    if (request.isUpgraded) return false
    const { head } = request
    const to: AnswerTo = {
      isHead: head.method === 'HEAD',
      minor: head.minor,
      persists: this.#persists(request),
    }
    if (typeof result === 'string') return this.#sendWhole(request, to, TEXT, result)
    if (result !== null && typeof result === 'object') {
      if (result instanceof HttpResponse) return this.#sendResponse(request, to, result)
      if (result instanceof Uint8Array) return this.#sendWhole(request, to, BYTES, result)
      if (!isSource(result)) return this.#sendWhole(request, to, JSON_TYPE, toJson(result))
    }
    return this.#send(request, to, toResponse(result))
  }

  /** Most responses are what `json()` and its like make, and say no more than a plain result does. */
  #sendResponse(
    request: IncomingRequest,
    to: AnswerTo,
    response: HttpResponse,
  ): boolean | Promise<boolean> {
    const { status, body } = response
    const type = status === 200 ? response.headers.onlyType : undefined
    return type !== undefined && (typeof body === 'string' || body instanceof Uint8Array)
      ? this.#sendWhole(request, to, type, body)
      : this.#send(request, to, response)
  }

  #beginAnswer(request: IncomingRequest): void {
    request.isAnswered = true
    this.#hasBegunAnswer = true
  }

  #sendWhole(
    request: IncomingRequest,
    to: AnswerTo,
    type: string,
    body: string | Uint8Array,
  ): boolean | Promise<boolean> {
    this.#beginAnswer(request)
    if (typeof body === 'string') {
      const length = Buffer.byteLength(body)
      const head = plainHead(type, length, to)
      // A character is a byte in nearly all answers; then there is nothing to encode.
      if (to.isHead) this.#writer.write(head, 'latin1')
      else this.#writer.write(head + body, length === body.length ? 'latin1' : 'utf8')
    } else {
      this.#writer.write(plainHead(type, body.length, to))
      if (!to.isHead) this.#writer.write(body)
    }
    return this.#finish(request, 200, to.persists)
  }

  #send(
    request: IncomingRequest,
    to: AnswerTo,
    response: HttpResponse,
  ): boolean | Promise<boolean> {
    let planned: PlannedResponse
    let source: FramedSource | undefined
    try {
      planned = planResponse(response, to)
      if (isSource(planned.body)) source = new FramedSource(planned.body, planned.framing)
    } catch (error) {
      letGo(response.body)
      throw error
    }
    if (source !== undefined) return this.#stream(request, response, planned, source)
    const { head, body, framing, persists } = planned
    this.#beginAnswer(request)
    if (typeof body === 'string') {
      this.#writer.write(head + body, framing === body.length ? 'latin1' : 'utf8')
    } else {
      this.#writer.write(head, 'latin1')
      if (body instanceof Uint8Array) this.#writer.write(body)
    }
    letGo(response.body)
    return this.#finish(request, response.status, persists)
  }

  async #stream(
    request: IncomingRequest,
    response: HttpResponse,
    planned: PlannedResponse,
    source: FramedSource,
  ): Promise<boolean> {
    this.#beginAnswer(request)
    const onLeave =
      response.onPeerEnd === 'abort'
        ? (reason: Error): void => {
            request.abandon(reason)
          }
        : undefined
    const cutShort = await streamAnswer(this.connection, planned, source, onLeave)
    if (cutShort !== undefined) {
      this.#streamFailed(request, cutShort, planned.framing === 'to-end')
      this.#teller?.tell(request, response.status, false)
      return false
    }
    if (source.isOverlong) {
      this.#log(request, new Error(`the body is longer than the length that was said`))
      return await this.#finish(request, response.status, false)
    }
    return await this.#finish(request, response.status, planned.persists)
  }

  /** An answer that was begun and not ended: the client must not take it for whole. */
  #streamFailed(
    request: IncomingRequest,
    { error, hasLeft }: CutShort,
    endsWithConnection: boolean,
  ): void {
    const { connection } = this
    request.finish()
    if (hasLeft || connection.signal.aborted) return
    // What is wrong with the request's body is the client's doing.
    const isTheirs = error instanceof HttpError && error.status < 500
    if (isTheirs) connection.tellEnd(error)
    else this.#log(request, error)
    connection.markTold()
    const reason = { kind: isTheirs ? 'closed-here' : 'handler-failed' } as const
    // An end of the connection is the end of such a body: only a reset is none.
    if (endsWithConnection) connection.cut(reason, error)
    else connection.closeBecause(reason, error)
  }

  /** Answers what a handler threw. */
  #fail(request: IncomingRequest, thrown: unknown): boolean | Promise<boolean> {
    const { connection } = this
    const error = legible(thrown)
    if (request.isUpgraded || this.#isOver) throw error
    // There is nobody to answer any more.
    if (connection.signal.aborted || connection.writer.isClosing) {
      this.#teller?.tell(request, UNANSWERED, false)
      request.finish()
      if (!(error instanceof HttpError)) throw error
      connection.tellEnd(error)
      return false
    }
    if (request.isAnswered) {
      this.#log(request, error)
      connection.markTold()
      request.finish()
      connection.cut({ kind: 'handler-failed' }, error)
      return false
    }
    const to: AnswerTo = {
      isHead: request.method === 'HEAD',
      minor: request.head.minor,
      persists: this.#persists(request),
    }
    let fault = error
    if (error instanceof HttpError) {
      try {
        return this.#send(request, to, toErrorResponse(error))
      } catch (refusal) {
        if (request.isAnswered) throw refusal
        // Its fields cannot be sent.
        fault = refusal
      }
    }
    this.#log(request, fault)
    return this.#send(request, to, text(INTERNAL, { status: 500 }))
  }

  /** Whether another request can follow, as far as can be known before the answer. */
  #persists(request: IncomingRequest): boolean {
    const { head } = request
    if (!head.persists || this.#count >= this.httpLimits.maxRequestsPerConnection) return false
    if (head.bodyLength !== 0 && !request.body.isEnded) {
      const { body } = request
      if (!body.canBePassed) return false
      if (body.leftBytes !== Infinity && body.leftBytes > MAX_PASSED_BYTES) return false
    }
    return !this.connection.isDraining || this.#hasNext(request)
  }

  /** At a stop: what was accepted is answered, and the last answer says that it is. */
  #hasNext(request: IncomingRequest): boolean {
    if (request.head.bodyLength !== 0 && !request.body.isEnded) return false
    try {
      this.#next ??= this.reader.tryReadFrame(this.#parser) ?? undefined
    } catch {
      // It will be refused when it is its turn.
      return true
    }
    return this.#next !== undefined
  }

  #finish(request: IncomingRequest, status: number, persists: boolean): boolean | Promise<boolean> {
    this.#teller?.tell(request, status, true)
    if (!persists || request.head.bodyLength === 0 || request.body.isEnded) {
      request.finish()
      return persists
    }
    const passed = request.body.pass(MAX_PASSED_BYTES)
    if (typeof passed === 'boolean') {
      request.finish()
      return passed
    }
    return passed.finally(() => {
      request.finish()
    })
  }

  // ---- the sides of body, request and deadlines

  bodyIsAwaited(asksForIt: boolean): void {
    if (!this.#isInBody) {
      this.#isInBody = true
      this.connection.guard = this
    }
    // Within an answer it would be a part of it.
    if (asksForIt && !this.#hasBegunAnswer) this.#writer.write(CONTINUE)
  }

  /** Takes HTTP off the connection. */
  upgrade(request: IncomingRequest, options: UpgradeOptions): Connection {
    const { connection } = this
    if (request.isUpgraded) throw new TypeError('upgrade() was called before')
    if (request.isAnswered) throw new TypeError('upgrade() was called after the answer')
    const head = planUpgrade(request, options)
    request.isUpgraded = true
    connection.guard = undefined
    this.#writer.write(head)
    this.#teller?.tell(request, 101, true)
    return connection
  }

  /** A deadline has passed: says so where there is a request to answer, and ends cleanly. */
  passed(phase: DeadlinePhase, error: TimeoutError): boolean {
    const { connection } = this
    if (phase !== 'message' && phase !== 'idle') return false
    this.#isOver = true
    if (phase === 'message' && this.#parser.hasBegun) {
      this.#sendRefusal(new HttpError(408, 'the request did not come in time'))
      connection.closeBecause({ kind: 'timed-out', phase }, error)
    } else {
      // A connection that is kept for a next request and is given none: nothing is wrong with it.
      connection.closeBecause({ kind: 'closed-here' })
    }
    return true
  }

  #log(request: IncomingRequest, error: unknown): void {
    const { id, method, path } = request
    this.connection.log.error({ err: error, request: id, method, path }, 'the handler failed')
  }
}

function toErrorResponse(error: HttpError): HttpResponse {
  const { status, message, headers } = error
  return text(`${message}\n`, { status, headers })
}

function isThenable(result: unknown): result is PromiseLike<HandlerResult> {
  return (
    typeof result === 'object' &&
    result !== null &&
    'then' in result &&
    typeof result.then === 'function'
  )
}
