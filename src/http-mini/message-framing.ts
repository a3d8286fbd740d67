/**
 * What the fields of a request say of the message itself: its Host, the length of its body, whether the connection goes on
 * (RFC 9112 3.2, 6 and 9.3, RFC 9110 10.1.1). Of what the RFC permits it takes the safest: what two readers could take for
 * two things is refused.
 */
import { HttpError } from './http-error.js'
import { NUMBERS_PER_FIELD } from './http-headers.js'
import { isHostValue } from './host-value.js'
import { isDigit, isSameName, trimWhite } from './octets.js'
import { CHUNKED, type Framing } from './request-head.js'

/** A longer number could be more than 2^53, and no body is that long. */
const MAX_LENGTH_DIGITS = 15

/**
 * Looks through all fields of a request of HTTP/1.`minor`.
 *
 * @throws HttpError 400 for a Host or a length that is missing, double or none, 413 for a length past all bounds; 417 for an expectation that is unknown; 501
 *   for a transfer coding that is
 */
export function readFraming(
  bytes: Buffer,
  base: number,
  places: readonly number[],
  minor: 0 | 1,
): Framing {
  let hostStart = 0
  let hostEnd = 0
  let hosts = 0
  let bodyLength = 0
  let hasLength = false
  let codingStart = -1
  let codingEnd = 0
  let saysClose = false
  let saysKeepAlive = false
  let expectation: string | undefined
  for (let i = 0; i < places.length; i += NUMBERS_PER_FIELD) {
    const start = base + (places[i] as number)
    const end = base + (places[i + 1] as number)
    const valueStart = base + (places[i + 2] as number)
    const valueEnd = base + (places[i + 3] as number)
    switch (end - start) {
      case 4:
        if (!isSameName(bytes, start, end, 'host')) break
        if (++hosts > 1) throw new HttpError(400, 'more than one Host')
        if (!isHostValue(bytes, valueStart, valueEnd)) throw new HttpError(400, 'bad Host')
        hostStart = valueStart - base
        hostEnd = valueEnd - base
        break
      case 6:
        if (!isSameName(bytes, start, end, 'expect')) break
        {
          const value = bytes.toString('latin1', valueStart, valueEnd).toLowerCase()
          expectation = expectation === undefined ? value : `${expectation}, ${value}`
        }
        break
      case 10:
        if (!isSameName(bytes, start, end, 'connection')) break
        // What nearly all clients say needs no list.
        if (isSameName(bytes, valueStart, valueEnd, 'keep-alive')) saysKeepAlive = true
        else {
          const options = listMembers(bytes, valueStart, valueEnd)
          saysClose ||= options.includes('close')
          saysKeepAlive ||= options.includes('keep-alive')
        }
        break
      case 14:
        if (!isSameName(bytes, start, end, 'content-length')) break
        if (hasLength) throw new HttpError(400, 'more than one Content-Length')
        hasLength = true
        bodyLength = readLength(bytes, valueStart, valueEnd)
        break
      case 17:
        if (!isSameName(bytes, start, end, 'transfer-encoding')) break
        if (codingStart >= 0) throw new HttpError(400, 'more than one Transfer-Encoding')
        codingStart = valueStart
        codingEnd = valueEnd
        break
      default:
    }
  }
  if (hosts === 0 && minor === 1) throw new HttpError(400, 'no Host')
  if (codingStart >= 0) {
    if (minor === 0) throw new HttpError(400, 'HTTP/1.0 has no Transfer-Encoding')
    if (hasLength) throw new HttpError(400, 'both Transfer-Encoding and Content-Length')
    checkCoding(listMembers(bytes, codingStart, codingEnd))
    bodyLength = CHUNKED
  }
  if (minor === 1 && expectation !== undefined && expectation !== '') {
    if (expectation !== '100-continue') throw new HttpError(417, 'unknown expectation')
  }
  return {
    bodyLength,
    persists: !saysClose && (minor === 1 || saysKeepAlive),
    expectsContinue: minor === 1 && expectation === '100-continue',
    hostStart,
    hostEnd,
  }
}

function readLength(bytes: Buffer, start: number, end: number): number {
  let length = 0
  for (let i = start; i < end; i++) {
    const octet = bytes[i] as number
    if (!isDigit(octet)) throw new HttpError(400, 'bad Content-Length: it takes digits alone')
    length = length * 10 + (octet - 0x30)
  }
  if (start === end) throw new HttpError(400, 'an empty Content-Length')
  if (end - start > MAX_LENGTH_DIGITS) throw new HttpError(413, 'a body of that length is too long')
  return length
}

/** RFC 9112 6.1 and 6.3: chunked must be the last, and is the only one that is known here. */
function checkCoding(codings: readonly string[]): void {
  if (codings.length === 1 && codings[0] === 'chunked') return
  if (codings.at(-1) !== 'chunked') {
    throw new HttpError(400, 'bad Transfer-Encoding: chunked must be the last coding')
  }
  if (codings.includes('chunked') && codings.indexOf('chunked') < codings.length - 1) {
    throw new HttpError(400, 'bad Transfer-Encoding: chunked twice')
  }
  throw new HttpError(501, 'a transfer coding other than chunked is not implemented')
}

/** The members of a list, in lower case and without the white space around them; empty ones are none (RFC 9110 5.6.1). */
function listMembers(bytes: Buffer, start: number, end: number): string[] {
  return splitList(bytes.toString('latin1', start, end))
}

/** The same of a value that is text. */
export function splitList(value: string): string[] {
  const members: string[] = []
  for (const part of value.toLowerCase().split(',')) {
    const member = trimWhite(part)
    if (member !== '') members.push(member)
  }
  return members
}
