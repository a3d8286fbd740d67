/**
 * The head of an answer, and how its body is framed (RFC 9112 6, RFC 9110 6.4.1 and 8.6): always so that the client knows
 * where it ends. What would make two answers of one, or an answer that says two lengths, is refused before a byte is sent.
 */
import { dateField } from './date-field.js'
import type { BodyFraming } from './framed-source.js'
import { isSource, type HttpResponse, type ResponseBody } from './http-response.js'
import { splitList } from './message-framing.js'
import { statusLine } from './reason-phrases.js'

/** What is known of the request and the connection when an answer begins. */
export interface AnswerTo {
  readonly isHead: boolean
  /** The minor version of the request. */
  readonly minor: 0 | 1
  /** Whether another request can follow. */
  readonly persists: boolean
}

/** An answer that can be sent. */
export interface PlannedResponse {
  readonly head: string
  /** What is to be sent behind the head; undefined for nothing. */
  readonly body: ResponseBody
  readonly framing: BodyFraming
  /** Whether another request can follow it. */
  readonly persists: boolean
}

/** Heads that were made in this second, by their length, of the type that was asked for last: most answers are alike. */
const made = new Map<number, string>()
let madeOf = ''
let madeAt = ''
/** Arbitrary: a server of answers of more lengths than this in a second has more to do than to make heads. */
const MAX_MADE = 256

/** The head of an answer with status 200 and a body of this type and length: nearly all of them. */
export function plainHead(type: string, length: number, to: AnswerTo): string {
  if (!to.persists || to.minor === 0) return makePlainHead(type, length, to)
  const date = dateField()
  if (date !== madeAt || type !== madeOf || made.size >= MAX_MADE) {
    made.clear()
    madeAt = date
    madeOf = type
  }
  let head = made.get(length)
  if (head === undefined) {
    // Through bytes: as one piece, and not as the many that it was put together from, each time it is written.
    head = Buffer.from(makePlainHead(type, length, to), 'latin1').toString('latin1')
    made.set(length, head)
  }
  return head
}

function makePlainHead(type: string, length: number, { persists, minor }: AnswerTo): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n${dateField()}${connectionField(persists, minor)}\r\n`
}

function connectionField(persists: boolean, minor: 0 | 1, status = 200): string {
  // RFC 9110 15.5.22: it has an Upgrade, which is of this connection alone.
  if (status === 426) return `Connection: ${persists ? 'upgrade' : 'close, upgrade'}\r\n`
  if (!persists) return 'Connection: close\r\n'
  return minor === 0 ? 'Connection: keep-alive\r\n' : ''
}

/**
 * Plans an answer.
 *
 * @throws TypeError for fields that are not the application's to set, and for a length that is none or not that of the body
 * @throws RangeError for a status that a middleware has made none of
 */
export function planResponse(response: HttpResponse, to: AnswerTo): PlannedResponse {
  const { status } = response
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(
      `a status must be a whole number from 200 to 599, not ${JSON.stringify(status)}`,
    )
  }
  // RFC 9110 15.3.6: 205 has no content, and says so, since it is framed as any other.
  const body = status === 205 ? undefined : response.body
  let { persists } = to
  let fields = ''
  let declared: number | undefined
  let hasDate = false
  for (const [name, value] of response.headers) {
    switch (name.toLowerCase()) {
      case 'content-length':
        if (declared !== undefined) throw new TypeError('an answer has one Content-Length')
        declared = toLength(value)
        continue
      case 'transfer-encoding':
        throw new TypeError('Transfer-Encoding is not for an application to set')
      case 'connection':
        if (saysClose(value)) persists = false
        continue
      case 'date':
        hasDate = true
        break
      default:
    }
    fields += `${name}: ${value}\r\n`
  }
  const length = lengthOf(body)
  const isBodiless = status === 204 || status === 304
  let framing: BodyFraming = length ?? declared ?? 'chunked'
  if (isBodiless) {
    // RFC 9110 8.6: none with 204; with 304 that which 200 would have had.
    if (status === 304 && declared !== undefined) fields += `Content-Length: ${declared}\r\n`
  } else if (to.isHead && (body === undefined || body === null) && declared !== undefined) {
    fields += `Content-Length: ${declared}\r\n`
  } else if (length !== undefined && declared !== undefined && declared !== length) {
    throw new TypeError(`Content-Length says ${declared}, and the body has ${length} bytes`)
  } else if (typeof framing === 'number') {
    fields += `Content-Length: ${framing}\r\n`
  } else if (to.minor === 0) {
    framing = 'to-end'
    if (!to.isHead) persists = false
  } else if (!to.isHead) {
    fields += 'Transfer-Encoding: chunked\r\n'
  }
  const date = hasDate ? '' : dateField()
  return {
    head: `${statusLine(status)}${fields}${date}${connectionField(persists, to.minor, status)}\r\n`,
    body: isBodiless || to.isHead ? undefined : body,
    framing,
    persists,
  }
}

/** Undefined when it is not known before it is given. */
function lengthOf(body: ResponseBody): number | undefined {
  if (body === undefined || body === null) return 0
  if (typeof body === 'string') return Buffer.byteLength(body)
  if (body instanceof Uint8Array) return body.length
  if (!isSource(body)) throw new TypeError(`a body cannot be ${typeof body}`)
  if (!('length' in body)) return undefined
  if (!Number.isSafeInteger(body.length) || body.length < 0) {
    throw new TypeError(`the length of a body must be a whole number of bytes, not ${body.length}`)
  }
  return body.length
}

function toLength(value: string): number {
  if (!/^\d{1,15}$/.test(value)) {
    throw new TypeError(`Content-Length must be 1 to 15 digits, not ${JSON.stringify(value)}`)
  }
  return Number(value)
}

/** RFC 9110 7.6.1. `upgrade` is answered by `request.upgrade()`. */
function saysClose(value: string): boolean {
  let closes = false
  for (const option of splitList(value)) {
    if (option === 'close') closes = true
    else if (option !== 'keep-alive') {
      throw new TypeError(`Connection can be set to close, not ${JSON.stringify(value)}`)
    }
  }
  return closes
}
