/**
 * The value of Host, and the authority of an absolute target: `uri-host [":" port]` (RFC 9110 7.2, RFC 3986 3.2.2), with
 * no user and no empty name.
 */
import { isIPv6 } from 'node:net'
import { COLON, HEX, isDigit, PERCENT, REG_NAME } from './octets.js'

const BRACKET_OPEN = 0x5b
const BRACKET_CLOSE = 0x5d

/** Whether the octets from `start` to `end` are a host and perhaps a port. */
export function isHostValue(bytes: Buffer, start: number, end: number): boolean {
  if (start === end) return false
  let at = start
  if (bytes[start] === BRACKET_OPEN) {
    const close = bytes.indexOf(BRACKET_CLOSE, start)
    if (close < 0 || close >= end) return false
    const address = bytes.toString('latin1', start + 1, close)
    // Node takes a zone, which RFC 3986 has not.
    if (address.includes('%') || !isIPv6(address)) return false
    at = close + 1
  } else {
    while (at < end) {
      const octet = bytes[at] as number
      if (REG_NAME[octet] === 1) at++
      else if (isEncodedOctet(bytes, at, end)) at += 3
      else break
    }
    if (at === start) return false
  }
  if (at === end) return true
  if (bytes[at++] !== COLON) return false
  while (at < end && isDigit(bytes[at] as number)) at++
  return at === end
}

/** Whether `%` and two hex digits begin at `at`. */
export function isEncodedOctet(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    bytes[at] === PERCENT &&
    at + 2 < end &&
    HEX[bytes[at + 1] as number] !== 255 &&
    HEX[bytes[at + 2] as number] !== 255
  )
}
