/** A request on its connection: {@link HttpRequest} as handlers get it. */
import { onAbort } from '../concurrency/abort.js'
import type { Connection } from '../protocol/connection.js'
import type { HttpHeaders } from './http-headers.js'
import type { HttpRequest, UpgradeOptions } from './http-request.js'
import { RequestBody, type BodyHost, type ReadBodyOptions } from './request-body.js'
import type { RequestHead } from './request-head.js'

/** Whose requests they are. */
export interface RequestHost extends BodyHost {
  readonly connection: Connection
  upgrade(request: IncomingRequest, options: UpgradeOptions): Connection
}

const NO_PARAMS = Object.freeze(Object.create(null) as Record<string, string>)

export class IncomingRequest implements HttpRequest {
  params: Record<string, string> = NO_PARAMS
  /** @internal */
  readonly head: RequestHead
  /** Whether its connection was taken over. @internal */
  isUpgraded = false
  /** Whether an answer was begun. @internal */
  isAnswered = false
  readonly #host: RequestHost
  readonly #number: number
  #body: RequestBody | undefined
  #query: URLSearchParams | undefined
  #controller: AbortController | undefined
  #stopListening: (() => void) | undefined
  /** Whether what happens to the connection is no concern of it any more. */
  #isFinished = false

  constructor(host: RequestHost, head: RequestHead, number: number) {
    this.#host = host
    this.head = head
    this.#number = number
  }

  get id(): string {
    return `${this.connection.id}.${this.#number}`
  }

  get method(): string {
    return this.head.method
  }

  get target(): string {
    return this.head.target
  }

  get path(): string {
    return this.head.path
  }

  get queryString(): string {
    return this.head.queryString
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.head.queryString)
    return this.#query
  }

  get version(): '1.0' | '1.1' {
    return this.head.minor === 0 ? '1.0' : '1.1'
  }

  get host(): string | undefined {
    return this.head.host
  }

  get headers(): HttpHeaders {
    return this.head.headers
  }

  get trailers(): HttpHeaders | undefined {
    return this.#body?.trailers
  }

  get connection(): Connection {
    return this.#host.connection
  }

  get body(): RequestBody {
    const { headers, bodyLength, expectsContinue } = this.head
    if (this.#body === undefined) {
      this.#body = new RequestBody(this.#host, headers, bodyLength, expectsContinue)
      if (this.#isFinished) this.#body.close()
    }
    return this.#body
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController()
      const { signal } = this.connection
      this.#controller = controller
      if (this.#isFinished) return controller.signal
      this.#stopListening = onAbort(signal, () => {
        controller.abort(signal.reason)
      })
    }
    return this.#controller.signal
  }

  bytes(options?: ReadBodyOptions): Promise<Buffer> {
    return this.body.bytes(options)
  }

  text(options?: ReadBodyOptions): Promise<string> {
    return this.body.text(options)
  }

  json<T = unknown>(options?: ReadBodyOptions): Promise<T> {
    return this.body.json<T>(options)
  }

  upgrade(options: UpgradeOptions = {}): Connection {
    return this.#host.upgrade(this, options)
  }

  // ---- the side of the connection

  /** Its client has left. @internal */
  abandon(reason: unknown): void {
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }

  /** It has been answered. @internal */
  finish(): void {
    this.#isFinished = true
    this.#stopListening?.()
    this.#stopListening = undefined
    this.#body?.close()
  }
}
