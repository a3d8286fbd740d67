/**
 * Reads what an HTTP/1.1 server has sent, and forgives nothing: a second reading of RFC 9110 and 9112 that shares no
 * code with the server. It takes all bytes at once, slowly, and says what is wrong with them in words.
 *
 * Refused here although a client might shrug: a line that ends in anything but CRLF, a body where the status or the
 * method forbids one, two framings, a chunked answer to an HTTP/1.0 request, a final answer without a valid Date.
 */

/** One answer. */
export interface HttpReply {
  readonly status: number
  readonly reason: string
  /** In order, with names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** How its end was found. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close'
  readonly body: Buffer
  readonly trailers: readonly (readonly [name: string, value: string])[]
  /** The statuses of the interim answers (1xx) before it. */
  readonly interim: readonly number[]
}

export interface HttpReplies {
  readonly replies: readonly HttpReply[]
  /** Interim answers after the last final one. */
  readonly interim: readonly number[]
  /** The beginning of an answer that is not whole yet, or what follows a 101. */
  readonly rest: Buffer
}

/** What the answers answer. */
export interface Asked {
  readonly method: string
  readonly version: string
}

export class MalformedReply extends Error {
  override name = 'MalformedReply'
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) ([\t -~\u0080-\u00ff]*)$/
const FIELD_LINE =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?|)[\t ]*$/
const IMF_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/

/**
 * Parses answers.
 *
 * @param asked the requests in their order; answers beyond them are taken as answers to a GET of HTTP/1.1
 * @param ended whether the server has ended its half
 * @throws MalformedReply for bytes that are no answer, or break a rule of the RFC
 */
export function parseReplies(bytes: Buffer, asked: readonly Asked[], ended: boolean): HttpReplies {
  const replies: HttpReply[] = []
  let interim: number[] = []
  let at = 0
  while (at < bytes.length) {
    const headEnd = bytes.indexOf('\r\n\r\n', at)
    if (headEnd < 0) {
      checkBegun(bytes.subarray(at))
      break
    }
    const head = parseHead(bytes.toString('latin1', at, headEnd))
    const bodyAt = headEnd + 4
    if (head.status < 200 && head.status !== 101) {
      checkInterim(head, asked[replies.length])
      interim.push(head.status)
      at = bodyAt
      continue
    }
    const body = parseBody(bytes.subarray(bodyAt), head, asked[replies.length], ended)
    if (body === undefined) break
    checkFinal(head)
    const { length, ...rest } = body
    replies.push({ ...head, ...rest, interim })
    interim = []
    at = bodyAt + length
    if (head.status === 101) break
  }
  return { replies, interim, rest: bytes.subarray(at) }
}

/** The values of a field, joined as the RFC joins them; undefined where there is none. */
export function fieldOf(reply: Pick<HttpReply, 'fields'>, name: string): string | undefined {
  const values = reply.fields.filter(([other]) => other === name).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}

type Head = Pick<HttpReply, 'status' | 'reason' | 'fields'>

function parseHead(text: string): Head {
  const [statusLine = '', ...lines] = text.split('\r\n')
  const match = STATUS_LINE.exec(statusLine)
  if (match === null) throw new MalformedReply(`no status line: ${JSON.stringify(statusLine)}`)
  return { status: Number(match[1]), reason: match[2] as string, fields: lines.map(parseField) }
}

function parseField(line: string): readonly [string, string] {
  const match = FIELD_LINE.exec(line)
  if (match === null) throw new MalformedReply(`no field line: ${JSON.stringify(line)}`)
  return [(match[1] as string).toLowerCase(), match[2] as string]
}

/** A beginning must at least be one that can become a status line. */
function checkBegun(bytes: Buffer): void {
  const begun = bytes.toString('latin1', 0, 9)
  if (!'HTTP/1.1 '.startsWith(begun) && begun !== 'HTTP/1.1 ') {
    throw new MalformedReply(
      `bytes that begin no answer: ${JSON.stringify(bytes.toString('latin1'))}`,
    )
  }
}

function checkInterim(head: Head, asked: Asked | undefined): void {
  if (asked?.version === '1.0') {
    throw new MalformedReply(`${head.status} to HTTP/1.0 (RFC 9110 15.2)`)
  }
  for (const name of ['content-length', 'transfer-encoding']) {
    if (fieldOf(head, name) !== undefined) throw new MalformedReply(`${name} in ${head.status}`)
  }
}

function checkFinal(head: Head): void {
  const date = fieldOf(head, 'date')
  if (head.status === 101) return
  if (date === undefined || !IMF_DATE.test(date)) {
    throw new MalformedReply(`${head.status} with the Date ${date} (RFC 9110 6.6.1)`)
  }
}

type Body = Pick<HttpReply, 'framing' | 'body' | 'trailers'> & { readonly length: number }

const NO_BODY: Body = { framing: 'none', body: Buffer.alloc(0), trailers: [], length: 0 }

/** The body's bytes, or undefined while they are not whole: RFC 9112 6.3, rule by rule. */
function parseBody(
  bytes: Buffer,
  head: Head,
  asked: Asked | undefined,
  ended: boolean,
): Body | undefined {
  const coding = fieldOf(head, 'transfer-encoding')
  const length = fieldOf(head, 'content-length')
  if (coding !== undefined && length !== undefined) throw new MalformedReply('two framings')
  if (coding !== undefined && coding !== 'chunked') throw new MalformedReply(`coding ${coding}`)
  if (coding !== undefined && asked?.version === '1.0') {
    throw new MalformedReply('a chunked answer to HTTP/1.0 (RFC 9112 6.1)')
  }
  if (length !== undefined && !/^\d+$/.test(length)) {
    throw new MalformedReply(`Content-Length ${JSON.stringify(length)}`)
  }
  if (head.status === 204 || head.status === 101) {
    if (coding !== undefined || length !== undefined) {
      throw new MalformedReply(`${head.status} with a framing (RFC 9110 8.6, RFC 9112 6.1)`)
    }
    return NO_BODY
  }
  if (head.status === 304 || asked?.method === 'HEAD') return NO_BODY
  if (coding !== undefined) return parseChunked(bytes)
  if (length !== undefined) {
    const wanted = Number(length)
    if (bytes.length < wanted) return undefined
    return { framing: 'length', body: bytes.subarray(0, wanted), trailers: [], length: wanted }
  }
  if (!ended) return undefined
  return { framing: 'close', body: bytes, trailers: [], length: bytes.length }
}

function parseChunked(bytes: Buffer): Body | undefined {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const line = bytes.toString('latin1', at, lineEnd)
    if (!/^[0-9a-fA-F]{1,8}$/.test(line))
      throw new MalformedReply(`chunk line ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = lineEnd + 2
    if (size === 0) break
    if (bytes.length < at + size + 2) return undefined
    parts.push(bytes.subarray(at, at + size))
    at += size
    if (bytes.toString('latin1', at, at + 2) !== '\r\n')
      throw new MalformedReply('a chunk too long')
    at += 2
  }
  const trailers: (readonly [string, string])[] = []
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const line = bytes.toString('latin1', at, lineEnd)
    at = lineEnd + 2
    if (line === '') {
      return { framing: 'chunked', body: Buffer.concat(parts), trailers, length: at }
    }
    trailers.push(parseField(line))
  }
}
