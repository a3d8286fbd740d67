/** What a handler sees of a request. The connection makes it; `path` and the like are made when they are asked for. */
import type { Connection } from '../protocol/connection.js'
import type { HttpFields } from './http-error.js'
import type { HttpHeaders } from './http-headers.js'
import type { ReadBodyOptions, RequestBody } from './request-body.js'

/** How a connection is taken over. */
export interface UpgradeOptions {
  /** The protocol to go over to, which the client must ask for. @default the first that it asks for */
  protocol?: string | undefined
  /** More fields of the answer. */
  headers?: HttpFields | undefined
}

/**
 * A request.
 *
 * @typeParam Params Those of the route's pattern: `{ id: string }` for `/users/:id`.
 */
export interface HttpRequest<Params extends object = Record<string, string>> {
  /** No other request of this process has it; log records name it. */
  readonly id: string
  /** As it came: methods are told apart by their case (RFC 9110 9.1). */
  readonly method: string
  /** The request target as it came. */
  readonly target: string
  /** The path of the target as it came, still percent-encoded and without the query; `*` for the asterisk form. */
  readonly path: string
  /** The query as it came, without its `?`; '' when there is none. */
  readonly queryString: string
  /** The query as a form is encoded; made when it is first asked for. */
  readonly query: URLSearchParams
  readonly version: '1.0' | '1.1'
  /** Of an absolute target, else of Host: `example.org:8080`. Undefined in HTTP/1.0 alone. */
  readonly host: string | undefined
  readonly headers: HttpHeaders
  /** The fields behind a chunked body, when that was read to its end. */
  readonly trailers: HttpHeaders | undefined
  /** The params of the route, decoded; an object without a prototype. */
  params: Params
  /** The body as a reader; of no body the end is at hand. */
  readonly body: RequestBody
  /** Aborts when there is nobody to answer any more: see `Connection.signal`; and when a stream's client has left. */
  readonly signal: AbortSignal
  /** The connection that it came on. What is written to it by hand gets between the answers. */
  readonly connection: Connection
  /** The same as `body.bytes()`. */
  bytes(options?: ReadBodyOptions): Promise<Buffer>
  /** The same as `body.text()`. */
  text(options?: ReadBodyOptions): Promise<string>
  /** The same as `body.json()`. */
  json<T = unknown>(options?: ReadBodyOptions): Promise<T>
  /**
   * Takes the connection over (RFC 9110 7.8): answers 101, ends HTTP's deadlines and gives the connection, what came behind
   * the request in its reader. The connection ends when the handler does, and a stop of the server still holds it to the
   * grace. Without this call `Upgrade` means nothing.
   *
   * @throws HttpError 426 when the client does not ask for `protocol`, or 400 for any at all; 400 when its body was not
   *   read to the end
   * @throws TypeError when it was called before, or an answer was begun; for a protocol or a field that cannot be sent
   */
  upgrade(options?: UpgradeOptions): Connection
}
