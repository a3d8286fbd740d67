/**
 * The four forms of a request target (RFC 9112 3.2): which one it is, and where in it host, path and query lie.
 *
 * Nothing is decoded, and no dot segment or slash taken away: what came is what the application sees.
 */
import { HttpError } from './http-error.js'
import { isEncodedOctet, isHostValue } from './host-value.js'
import { isSameName, PATH, QUERY, QUESTION, SLASH } from './octets.js'

/** Where its parts are, counted from the beginning of the message; an end that is its start means that there is none. */
export interface RequestTarget {
  /** Of the path: empty where an absolute form has none, which stands for `/` (or for `*`, with OPTIONS). */
  readonly pathStart: number
  readonly pathEnd: number
  readonly queryStart: number
  readonly queryEnd: number
  /** Of the authority of an absolute form. */
  readonly hostStart: number
  readonly hostEnd: number
}

const ASTERISK = 0x2a
const SCHEMES = ['http://', 'https://']

/**
 * Finds the parts of the target that lies from `start` to `end`, in a message that begins at `base`.
 *
 * @throws HttpError 400 for what is none, 501 for CONNECT
 */
export function readTarget(
  bytes: Buffer,
  start: number,
  end: number,
  method: string,
  base: number,
): RequestTarget {
  if (method === 'CONNECT') throw refuseConnect(bytes, start, end)
  if (bytes[start] === SLASH) return readPath(bytes, start, end, base, base, base)
  if (bytes[start] === ASTERISK && end - start === 1) {
    if (method !== 'OPTIONS') throw badTarget('* is for OPTIONS alone')
    return targetOf(base, start, end, end, end, base, base)
  }
  for (const scheme of SCHEMES) {
    const hostStart = start + scheme.length
    if (hostStart > end || !isSameName(bytes, start, hostStart, scheme)) continue
    let hostEnd = hostStart
    while (hostEnd < end && bytes[hostEnd] !== SLASH && bytes[hostEnd] !== QUESTION) hostEnd++
    if (!isHostValue(bytes, hostStart, hostEnd)) throw badTarget('its host is none')
    return readPath(bytes, hostEnd, end, base, hostStart, hostEnd)
  }
  throw badTarget('it is neither a path nor an http or https URI')
}

function readPath(
  bytes: Buffer,
  start: number,
  end: number,
  base: number,
  hostStart: number,
  hostEnd: number,
): RequestTarget {
  const pathEnd = skip(bytes, start, end, PATH)
  if (pathEnd === end) return targetOf(base, start, end, end, end, hostStart, hostEnd)
  const queryStart = pathEnd + 1
  if (bytes[pathEnd] !== QUESTION || skip(bytes, queryStart, end, QUERY) !== end) {
    throw badTarget('it has a character that must be percent-encoded')
  }
  return targetOf(base, start, pathEnd, queryStart, end, hostStart, hostEnd)
}

/** Where the octets of a kind and those that are encoded end. */
function skip(bytes: Buffer, start: number, end: number, octets: Uint8Array): number {
  let at = start
  for (;;) {
    while (at < end && octets[bytes[at] as number] === 1) at++
    if (at === end || !isEncodedOctet(bytes, at, end)) return at
    at += 3
  }
}

function targetOf(
  base: number,
  pathStart: number,
  pathEnd: number,
  queryStart: number,
  queryEnd: number,
  hostStart: number,
  hostEnd: number,
): RequestTarget {
  return {
    pathStart: pathStart - base,
    pathEnd: pathEnd - base,
    queryStart: queryStart - base,
    queryEnd: queryEnd - base,
    hostStart: hostStart - base,
    hostEnd: hostEnd - base,
  }
}

/** This is no proxy (RFC 9110 9.3.6); still, what is no authority is a bad request before it is anything else. */
function refuseConnect(bytes: Buffer, start: number, end: number): HttpError {
  const text = bytes.toString('latin1', start, end)
  if (!/:\d+$/.test(text) || !isHostValue(bytes, start, end)) {
    return badTarget('CONNECT takes a host and a port')
  }
  return new HttpError(501, 'CONNECT is not implemented: this is no proxy')
}

function badTarget(why: string): HttpError {
  return new HttpError(400, `bad request target: ${why}`)
}
