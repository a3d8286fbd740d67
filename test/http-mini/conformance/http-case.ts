/**
 * What a case of the conformance table is, and short ways to write one.
 *
 * A case is bytes and what must come of them, nothing else: the same outcome whole, cut anywhere, and byte by byte.
 */

/** What came, or must come, of some bytes. */
export interface Outcome {
  /** What the application saw, in order: `METHOD path?query body`; `…` for a body that it still waits for, `!` for one that failed. */
  readonly seen: readonly string[]
  /** The statuses of the final answers, in order. */
  readonly replies: readonly number[]
  /** Whether the server still waits for more, or has ended the connection. */
  readonly left: 'open' | 'closed'
}

/** The limits that a case may need smaller than they are by default. */
export interface CaseLimits {
  readonly headBytes?: number
  readonly fields?: number
  readonly targetBytes?: number
  readonly bodyBytes?: number
  readonly trailerBytes?: number
  readonly maxRequestsPerConnection?: number
}

export interface HttpCase extends Outcome {
  readonly name: string
  /** Where the rule stands: `RFC 9112 3.2`, `CVE-2019-15605`. */
  readonly clause: string
  /** Latin-1: one character is one byte. */
  readonly bytes: string
  /** What follows the bytes: the client's FIN, or so many milliseconds of silence. */
  readonly after?: 'end' | number
  readonly limits?: CaseLimits
  /** The body of the last answer, where it is not the echo. */
  readonly lastBody?: string
  /** Fields that the last answer must have (a value) or must not have (undefined), names in lower case. */
  readonly lastFields?: Readonly<Record<string, string | undefined>>
}

type Extra = Pick<HttpCase, 'after' | 'limits' | 'lastBody' | 'lastFields'>

/** Joins lines, each ended by CRLF. */
export function lines(...all: readonly string[]): string {
  return all.map((line) => `${line}\r\n`).join('')
}

/** A whole head: the lines, and the empty one. */
export function head(...all: readonly string[]): string {
  return lines(...all, '')
}

/** The head of `GET /` with the Host `a` and more fields. */
export function get(...fields: readonly string[]): string {
  return head('GET / HTTP/1.1', 'Host: a', ...fields)
}

/** The head of `POST /` with the Host `a` and more fields. */
export function post(...fields: readonly string[]): string {
  return head('POST / HTTP/1.1', 'Host: a', ...fields)
}

/** Every request is answered with 200, and the connection goes on. */
export function accepted(
  name: string,
  clause: string,
  bytes: string,
  seen: string | readonly string[] = 'GET /',
  extra: Extra = {},
): HttpCase {
  const all = typeof seen === 'string' ? [seen] : seen
  return { name, clause, bytes, seen: all, replies: all.map(() => 200), left: 'open', ...extra }
}

/** Every request is answered with 200, and the last answer ends the connection. */
export function answeredAndClosed(
  name: string,
  clause: string,
  bytes: string,
  seen: string | readonly string[] = 'GET /',
  extra: Extra = {},
): HttpCase {
  return { ...accepted(name, clause, bytes, seen, extra), left: 'closed' }
}

/** The application sees nothing; one answer, and the end. */
export function refused(
  name: string,
  clause: string,
  bytes: string,
  status = 400,
  extra: Extra = {},
): HttpCase {
  return { name, clause, bytes, seen: [], replies: [status], left: 'closed', ...extra }
}

/** The application sees a request whose body then turns out to be none. */
export function refusedInBody(
  name: string,
  clause: string,
  bytes: string,
  status = 400,
  extra: Extra = {},
): HttpCase {
  return {
    name,
    clause,
    bytes,
    seen: ['POST / !'],
    replies: [status],
    left: 'closed',
    ...extra,
  }
}

/** Good requests, and then one that is refused: the good answers come first, in order. */
export function goodThenRefused(
  name: string,
  clause: string,
  bytes: string,
  seen: string | readonly string[] = 'GET /',
  status = 400,
  extra: Extra = {},
): HttpCase {
  const all = typeof seen === 'string' ? [seen] : seen
  return {
    name,
    clause,
    bytes,
    seen: all,
    replies: [...all.map(() => 200), status],
    left: 'closed',
    ...extra,
  }
}
