/**
 * What a handler answers: a response, or something that stands for one. It is a plain description; how it is framed and sent
 * is for `response-head.ts` and `http-connection.ts`.
 */
import type { HttpFields } from './http-error.js'
import type { HttpRequest } from './http-request.js'
import { ResponseHeaders } from './response-headers.js'

/** Bytes that are given one after the other: each text or bytes, none of them empty of meaning. */
export type BodySource = AsyncIterable<string | Uint8Array>

/** A source that says how many bytes it gives, and gives just as many. */
export interface SizedBody extends BodySource {
  /** In bytes. */
  readonly length: number
}

/** What a response can carry. */
export type ResponseBody = undefined | null | string | Uint8Array | BodySource | SizedBody

/** What becomes of a stream when the client ends its half: it counts as gone, or as one that still listens. */
export type OnPeerEnd = 'abort' | 'continue'

/** Of every response. */
export interface ResponseInit {
  /** 200 to 599. @default 200 */
  status?: number | undefined
  headers?: HttpFields | undefined
}

/** Of a response that is given bit by bit. */
export interface StreamInit extends ResponseInit {
  /** @default 'abort' for `stream()` and `sse()`, 'continue' for all others */
  onPeerEnd?: OnPeerEnd | undefined
}

/** A response: a middleware may change all of it, until it is sent. */
export class HttpResponse {
  status: number
  readonly headers: ResponseHeaders
  body: ResponseBody
  /** @internal */
  onPeerEnd: OnPeerEnd = 'continue'

  /**
   * @throws RangeError for a status that is not from 200 to 599: those of 1xx are no final answers (RFC 9110 15.2)
   * @throws TypeError for a field that could not be sent
   */
  constructor(body?: ResponseBody, { status = 200, headers }: ResponseInit = {}) {
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new RangeError(`a status must be a whole number from 200 to 599, not ${status}`)
    }
    this.status = status
    this.headers = new ResponseHeaders(headers)
    this.body = body
  }
}

/**
 * What a handler may return: a text (`text/plain`), bytes (`application/octet-stream`), an async iterable (chunked),
 * `null` (204), any other object or array (JSON), or a response. `undefined` is a fault of the handler.
 */
export type HandlerResult = HttpResponse | string | Uint8Array | BodySource | object | null

/** Answers a request. What it throws is the answer too: see {@link HttpError}. */
export type HttpHandler<Params extends object = Record<string, string>> = (
  request: HttpRequest<Params>,
) => HandlerResult | Promise<HandlerResult>

/** Answers a request, or lets `next()` do it and changes what that gives. */
export type Middleware = (
  request: HttpRequest,
  next: () => Promise<HttpResponse>,
) => HandlerResult | Promise<HandlerResult>

export const TEXT = 'text/plain; charset=utf-8'
const HTML = 'text/html; charset=utf-8'
export const JSON_TYPE = 'application/json'
export const BYTES = 'application/octet-stream'

/** A response with any body, or none; without a `Content-Type` unless `headers` has one. */
export function response(body?: ResponseBody, init?: ResponseInit): HttpResponse {
  return new HttpResponse(body, init)
}

/** A text. */
export function text(body: string, init?: ResponseInit): HttpResponse {
  return withType(new HttpResponse(body, init), TEXT)
}

/** A page. */
export function html(body: string, init?: ResponseInit): HttpResponse {
  return withType(new HttpResponse(body, init), HTML)
}

/** A value as JSON. @throws TypeError for what has no JSON, such as a function, a cycle or a BigInt */
export function json(value: unknown, init?: ResponseInit): HttpResponse {
  return withType(new HttpResponse(toJson(value), init), JSON_TYPE)
}

/**
 * Sends the client elsewhere.
 *
 * @param location A URI reference; it is sent as it is, and must be ASCII: `new URL(…).href` is.
 * @param status 301, 302, 303, 307 or 308. @default 302
 */
export function redirect(location: string, status = 302): HttpResponse {
  if (![301, 302, 303, 307, 308].includes(status)) {
    throw new RangeError(`a redirect has the status 301, 302, 303, 307 or 308, not ${status}`)
  }
  return new HttpResponse(undefined, { status, headers: { Location: location } })
}

/**
 * A body that is given bit by bit, as the client takes it; chunked where that is known. The source is closed (`return()`)
 * when the client leaves, which it has when it ends its half, unless `onPeerEnd` is `'continue'`.
 */
export function stream(
  body: BodySource,
  { onPeerEnd = 'abort', ...init }: StreamInit = {},
): HttpResponse {
  const made = withType(new HttpResponse(body, init), BYTES)
  made.onPeerEnd = onPeerEnd
  return made
}

/**
 * The response that a result stands for.
 *
 * @throws TypeError for undefined and everything else that stands for none
 */
export function toResponse(result: HandlerResult): HttpResponse {
  if (result instanceof HttpResponse) return result
  if (typeof result === 'string') return text(result)
  if (result === null) return new HttpResponse(undefined, { status: 204 })
  if (result instanceof Uint8Array) return withType(new HttpResponse(result), BYTES)
  if (isSource(result)) return withType(new HttpResponse(result), BYTES)
  return json(result)
}

/** @throws TypeError when it has none */
export function toJson(value: unknown): string {
  const made = JSON.stringify(value) as string | undefined
  if (made === undefined) {
    throw new TypeError(
      `a handler must return an answer, not ${value === undefined ? 'undefined' : typeof value}`,
    )
  }
  return made
}

export function isSource(value: unknown): value is BodySource {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function withType(made: HttpResponse, type: string): HttpResponse {
  made.headers.setTypeUnlessSet(type)
  return made
}
