/**
 * The answer with which a connection goes over to another protocol (RFC 9110 7.8). It goes over only to one that the client
 * has asked for, and only once the request has been read to its end.
 */
import { HttpError } from './http-error.js'
import type { UpgradeOptions } from './http-request.js'
import type { IncomingRequest } from './incoming-request.js'
import { splitList } from './message-framing.js'
import { trimWhite } from './octets.js'
import { ResponseHeaders } from './response-headers.js'

/** A name, and perhaps a version. */
const PROTOCOL = /^[!#$%&'*+.^_`|~\w-]+(?:\/[!#$%&'*+.^_`|~\w-]+)?$/
/** They are set by the change itself, or would frame what has no body (RFC 9112 6.1, RFC 9110 8.6). */
const NOT_IN_101 = new Set(['connection', 'content-length', 'transfer-encoding', 'upgrade'])

/**
 * The head of the 101 that answers this request.
 *
 * @throws HttpError 426 (400 without a `protocol`) when the client does not ask for it, 400 when the body was not read
 * @throws TypeError for a protocol or a field that cannot be sent
 */
export function planUpgrade(
  request: IncomingRequest,
  { protocol, headers }: UpgradeOptions,
): string {
  if (protocol !== undefined && !PROTOCOL.test(protocol)) {
    throw new TypeError(`a protocol must be a token, not ${JSON.stringify(protocol)}`)
  }
  const chosen = chooseProtocol(request, protocol)
  if (chosen === undefined) {
    if (protocol === undefined) throw new HttpError(400, 'no other protocol is asked for')
    throw new HttpError(426, `this needs ${protocol}`, { headers: { Upgrade: protocol } })
  }
  if (request.head.bodyLength !== 0 && !request.body.isEnded) {
    throw new HttpError(400, 'the body must be read before the protocol is changed')
  }
  let fields = `Connection: upgrade\r\nUpgrade: ${chosen}\r\n`
  for (const [name, value] of new ResponseHeaders(headers)) {
    if (NOT_IN_101.has(name.toLowerCase())) {
      throw new TypeError(`${name} is not for an application to set when a protocol is changed`)
    }
    fields += `${name}: ${value}\r\n`
  }
  return `HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`
}

/** The protocol to go on with: `protocol` where the client asks for it, else the first that it asks for. */
function chooseProtocol(
  { headers, version }: IncomingRequest,
  protocol: string | undefined,
): string | undefined {
  const isAsked = splitList(headers.get('connection') ?? '').includes('upgrade')
  if (version === '1.0' || !isAsked) return undefined
  const asked = (headers.get('upgrade') ?? '').split(',').map(trimWhite)
  if (protocol === undefined) return asked.find((one) => PROTOCOL.test(one))
  const lower = protocol.toLowerCase()
  return asked.some((one) => one.toLowerCase() === lower) ? protocol : undefined
}
