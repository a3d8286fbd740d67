/**
 * What requests there are in some bytes: RFC 9110 and 9112 read a second time, whole, slowly and with regular
 * expressions, so that it shares neither code nor method with the server. It is what fuzzing and the table of cases are
 * compared with.
 *
 * It knows the house's choices where the RFC leaves one (no Transfer-Encoding beside Content-Length, no empty Host,
 * chunked alone), the limits as they are by default, and the status of nothing: a refusal is a refusal.
 */

export interface ModelRequest {
  readonly method: string
  /** Of the origin form; `*` for the asterisk form. */
  readonly path: string
  readonly query: string
  readonly version: '1.0' | '1.1'
  readonly host: string | undefined
  /** Undefined when it is not whole, or none. */
  readonly body: string | undefined
}

export interface Reading {
  readonly requests: readonly ModelRequest[]
  /**
   * How it goes on after them: `waits` for more, `ends` (nothing is answered any more), `refuses` (one answer of 4xx or
   * 5xx, to the last request where that has no body, then the end), `either` (what is there is no request, but
   * whether that has been noticed yet is open).
   */
  readonly next: 'waits' | 'ends' | 'refuses' | 'either'
}

export interface ModelOptions {
  /** Whether the client has ended its half behind the bytes. */
  ended?: boolean
  headBytes?: number
  fields?: number
  targetBytes?: number
  bodyBytes?: number
  trailerBytes?: number
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([!-~]+) HTTP/(\\d)\\.(\\d)$`)
const FIELD_LINE = new RegExp(`^(${TOKEN}):([\\t\\x20-\\x7e\\x80-\\xff]*)$`)
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"'
const CHUNK_LINE = new RegExp(
  `^0*([0-9A-Fa-f]{1,8})((?:[\\t ]*;[\\t ]*${TOKEN}(?:[\\t ]*=[\\t ]*(?:${TOKEN}|${QUOTED}))?)*)$`,
)
const HEX_16 = '[0-9A-Fa-f]{1,4}'
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`
const PCT = '%[0-9A-Fa-f]{2}'
const UNRESERVED = 'A-Za-z0-9\\-._~'
const SUB_DELIMS = "!$&'()*+,;="
const REG_NAME = new RegExp(`^(?:[${UNRESERVED}${SUB_DELIMS}]|${PCT})+$`)
/** What the URL Standard leaves as it is, and RFC 3986 has not. */
const OF_URL = '[\\]|^'
const PATH_AND_QUERY = new RegExp(
  `^(/(?:[${UNRESERVED}${SUB_DELIMS}:@/${OF_URL}]|${PCT})*)(?:\\?((?:[${UNRESERVED}${SUB_DELIMS}:@/?${OF_URL}{}\`\\\\]|${PCT})*))?$`,
)
const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)$/i
/** No method that is in use is half as long; what is longer is no request. */
const MAX_METHOD_BYTES = 64
const MAX_EMPTY_LINES = 64
const MAX_EXTENSION_BYTES = 256
const MAX_EXTENSIONS_BYTES = 16 * 1024
const FRAMING_NAMES = new Set(['content-length', 'transfer-encoding', 'host', 'trailer'])

/** Reads latin-1 text to its end. */
export function readRequests(text: string, options: ModelOptions = {}): Reading {
  const requests: ModelRequest[] = []
  let at = 0
  for (;;) {
    const start = at
    while (text.startsWith('\r\n', at)) at += 2
    if (at - start > 2 * MAX_EMPTY_LINES) return { requests, next: 'refuses' }
    const rest = text.slice(at)
    // Half of an empty line is no request either.
    if (rest === '' || rest === '\r')
      return { requests, next: options.ended === true ? 'ends' : 'waits' }
    const headEnd = rest.indexOf('\r\n\r\n')
    if (headEnd < 0) return { requests, next: options.ended === true ? 'refuses' : 'either' }
    const head = readHead(rest.slice(0, headEnd), options)
    if (head === undefined) return { requests, next: 'refuses' }
    const body = readBody(rest.slice(headEnd + 4), head.framing, options)
    const { framing: _framing, persists, ...request } = head
    if (body.state !== 'whole') {
      requests.push({ ...request, body: undefined })
      if (body.state === 'bad' || options.ended === true) return { requests, next: 'refuses' }
      return { requests, next: body.state === 'waits' ? 'waits' : 'either' }
    }
    requests.push({ ...request, body: body.text })
    if (!persists) return { requests, next: 'ends' }
    at += headEnd + 4 + body.length
  }
}

type Framing = number | 'chunked'

interface Head extends Omit<ModelRequest, 'body'> {
  readonly framing: Framing
  readonly persists: boolean
}

/** Undefined for a head that has to be refused. */
function readHead(text: string, options: ModelOptions): Head | undefined {
  const [requestLine = '', ...fieldLines] = text.split('\r\n')
  const match = REQUEST_LINE.exec(requestLine)
  if (match === null || match[3] !== '1') return undefined
  const [, method = '', target = '', , minor = ''] = match
  const version = minor === '0' ? '1.0' : '1.1'
  if (method.length > MAX_METHOD_BYTES) return undefined
  if (target.length > (options.targetBytes ?? 8192)) return undefined
  if (text.length + 4 > (options.headBytes ?? 16_384)) return undefined
  if (fieldLines.length > (options.fields ?? 100)) return undefined
  const fields = readFields(fieldLines)
  if (fields === undefined) return undefined

  const hosts = valuesOf(fields, 'host')
  if (hosts.length > 1 || (hosts.length === 0 && version === '1.1')) return undefined
  if (hosts.length === 1 && !isHost(hosts[0] as string)) return undefined
  const where = readTarget(method, target)
  if (where === undefined) return undefined

  const framing = readFraming(fields, version)
  if (framing === undefined) return undefined
  const expectation = valuesOf(fields, 'expect').join(', ').toLowerCase()
  if (version === '1.1' && expectation !== '' && expectation !== '100-continue') return undefined

  const connection = members(valuesOf(fields, 'connection').join(',').toLowerCase())
  const persists =
    !connection.includes('close') && (version === '1.1' || connection.includes('keep-alive'))
  return {
    method,
    version,
    path: where.path,
    query: where.query,
    host: where.host ?? hosts[0],
    framing,
    persists,
  }
}

type Fields = readonly (readonly [name: string, value: string])[]

function readFields(fieldLines: readonly string[]): Fields | undefined {
  const fields: (readonly [string, string])[] = []
  for (const line of fieldLines) {
    const match = FIELD_LINE.exec(line)
    if (match === null) return undefined
    fields.push([(match[1] as string).toLowerCase(), trimmed(match[2] as string)])
  }
  return fields
}

function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([other]) => other === name).map(([, value]) => value)
}

/** White space of the RFC is space and tab, and nothing else that a language may call so. */
function trimmed(value: string): string {
  return value.replaceAll(/^[\t ]+|[\t ]+$/g, '')
}

function members(list: string): string[] {
  return list
    .split(',')
    .map(trimmed)
    .filter((member) => member !== '')
}

function isHost(value: string): boolean {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(value)
  if (match === null) return false
  const name = match[1] as string
  return name.startsWith('[') ? isIpv6(name.slice(1, -1)) : REG_NAME.test(name)
}

/** RFC 3986 3.2.2, its nine alternatives as counts of groups. */
function isIpv6(text: string): boolean {
  const dotted = new RegExp(`^(.*:)${IPV4}$`).exec(text)
  const groupsText = dotted === null ? text : `${dotted[1]}0:0`
  const halves = groupsText.split('::')
  if (halves.length > 2) return false
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')))
  if (!groups.flat().every((group) => new RegExp(`^${HEX_16}$`).test(group))) return false
  const count = groups.flat().length
  return halves.length === 2 ? count <= 7 : count === 8
}

function readTarget(
  method: string,
  target: string,
): { path: string; query: string; host?: string } | undefined {
  if (target === '*') return method === 'OPTIONS' ? { path: '*', query: '' } : undefined
  if (method === 'CONNECT') return undefined
  if (target.startsWith('/')) return readPath(target)
  const match = ABSOLUTE.exec(target)
  if (match === null) return undefined
  const host = match[1] as string
  const tail = match[2] as string
  if (!isHost(host)) return undefined
  const where = readPath(tail.startsWith('/') ? tail : `/${tail}`)
  return where === undefined ? undefined : { ...where, host }
}

function readPath(text: string): { path: string; query: string } | undefined {
  const match = PATH_AND_QUERY.exec(text)
  return match === null ? undefined : { path: match[1] as string, query: match[2] ?? '' }
}

function readFraming(fields: Fields, version: '1.0' | '1.1'): Framing | undefined {
  const lengths = valuesOf(fields, 'content-length')
  const codings = valuesOf(fields, 'transfer-encoding')
  if (codings.length > 0) {
    if (codings.length > 1 || lengths.length > 0 || version === '1.0') return undefined
    const coding = members((codings[0] as string).toLowerCase())
    return coding.length === 1 && coding[0] === 'chunked' ? 'chunked' : undefined
  }
  if (lengths.length === 0) return 0
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0] as string)) return undefined
  return Number(lengths[0])
}

type Body =
  | { readonly state: 'whole'; readonly text: string; readonly length: number }
  | { readonly state: 'waits' | 'bad' | 'either' }

function readBody(text: string, framing: Framing, options: ModelOptions): Body {
  const bodyBytes = options.bodyBytes ?? 1024 * 1024
  if (framing === 'chunked')
    return readChunked(text, bodyBytes, options.trailerBytes ?? 8192, options.fields ?? 100)
  if (framing > bodyBytes) return { state: 'bad' }
  if (text.length < framing) return { state: 'waits' }
  return { state: 'whole', text: text.slice(0, framing), length: framing }
}

function readChunked(
  text: string,
  bodyBytes: number,
  trailerBytes: number,
  maxTrailers: number,
): Body {
  let body = ''
  let extensions = 0
  let at = 0
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return { state: 'either' }
    const match = CHUNK_LINE.exec(text.slice(at, lineEnd))
    if (match === null) return { state: 'bad' }
    extensions += (match[2] as string).length
    if ((match[2] as string).length > MAX_EXTENSION_BYTES || extensions > MAX_EXTENSIONS_BYTES) {
      return { state: 'bad' }
    }
    const size = Number.parseInt(match[1] as string, 16)
    at = lineEnd + 2
    if (size === 0) break
    if (body.length + size > bodyBytes) return { state: 'bad' }
    body += text.slice(at, at + size)
    at += size
    const ending = text.slice(at, at + 2)
    if (ending !== '\r\n') return { state: '\r\n'.startsWith(ending) ? 'waits' : 'bad' }
    at += 2
  }
  if (text.startsWith('\r\n', at)) return { state: 'whole', text: body, length: at + 2 }
  const sectionEnd = text.indexOf('\r\n\r\n', at)
  if (sectionEnd < 0) return { state: 'either' }
  const trailerLines = text.slice(at, sectionEnd).split('\r\n')
  const trailers = readFields(trailerLines)
  if (trailers === undefined || trailers.some(([name]) => FRAMING_NAMES.has(name))) {
    return { state: 'bad' }
  }
  if (sectionEnd + 4 - at > trailerBytes || trailerLines.length > maxTrailers)
    return { state: 'bad' }
  return { state: 'whole', text: body, length: sectionEnd + 4 }
}
