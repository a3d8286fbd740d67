/**
 * An answer of 4xx or 5xx, as an error: what parsers and handlers throw in place of answering.
 *
 * Its message is sent to the client, its cause is not. It imports nothing of HTTP, so that every part may throw it.
 */
import { StandpipeError } from '../errors.js'

/** Fields of a response: a name, and its value or, for several fields of that name, its values. */
export type HttpFields = Readonly<Record<string, string | readonly string[]>>

/** How an {@link HttpError} is made, besides its status and message. */
export interface HttpErrorOptions {
  /** What was behind it; it is not sent. */
  cause?: unknown
  /** Fields of the answer, such as `Allow` or `Retry-After`. */
  headers?: HttpFields | undefined
}

/**
 * Thrown by a handler or a middleware, it becomes the answer: its status, its fields, and its message as text.
 *
 * ```ts
 * router.get('/users/:id', ({ params }) => {
 *   const user = users.get(params.id)
 *   if (user === undefined) throw new HttpError(404, `there is no user ${params.id}`)
 *   return user
 * })
 * ```
 */
export class HttpError extends StandpipeError {
  /** The status of the answer, 400 to 599. */
  readonly status: number
  /** Fields of the answer. */
  readonly headers: HttpFields | undefined

  /**
   * @param message The client sees it.
   * @throws RangeError when `status` is not a whole number from 400 to 599
   */
  constructor(status: number, message: string, { cause, headers }: HttpErrorOptions = {}) {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`the status of an HttpError must be from 400 to 599, not ${status}`)
    }
    super('ERR_STANDPIPE_HTTP', message, {
      ...(cause === undefined ? {} : { cause }),
      retryable: status === 408 || status === 429 || status === 503,
    })
    this.status = status
    this.headers = headers
  }
}
