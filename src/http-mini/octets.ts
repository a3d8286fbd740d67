/**
 * Which octets may stand where, as tables of 256: RFC 9110 5.6.2 (token), 5.5 (field values), RFC 3986 3.2.2, 3.3 and
 * 3.4 (hosts, paths, queries). Bytes are looked up in them, so that no text is made of what is not yet known to be good.
 */

export const TAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
export const PERCENT = 0x25
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const EQUALS = 0x3d
export const QUESTION = 0x3f
export const SLASH = 0x2f
export const QUOTE = 0x22
export const BACKSLASH = 0x5c

const ALPHA_DIGIT = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const UNRESERVED = `${ALPHA_DIGIT}-._~`
const SUB_DELIMS = "!$&'()*+,;="

function table(characters: string): Uint8Array {
  const octets = new Uint8Array(256)
  for (const character of characters) octets[character.charCodeAt(0)] = 1
  return octets
}

/** The octets of a token: methods, field names, names of extensions. */
export const TOKEN = table(`${ALPHA_DIGIT}!#$%&'*+-.^_\`|~`)

/** The octets of a field value: tab, space, visible ASCII and obs-text. */
export const FIELD_VALUE = new Uint8Array(256).fill(1, SPACE).fill(0, 0x7f, 0x80)
FIELD_VALUE[TAB] = 1

/**
 * The octets of a path but for `%`, which two hex digits follow. Three of them RFC 3986 has not, and yet browsers and `fetch`
 * send them as they are: the URL Standard does not encode them. They part nothing, and nobody takes them for anything else.
 */
export const PATH = table(`${UNRESERVED}${SUB_DELIMS}:@/[]|^`)

/** The octets of a query but for `%`, the same way: `?filter[name]=a` is how many a form is sent. */
export const QUERY = table(`${UNRESERVED}${SUB_DELIMS}:@/?[]|^{}\`\\`)

/** The octets of a registered name or an IPv4 address, but for `%`. */
export const REG_NAME = table(`${UNRESERVED}${SUB_DELIMS}`)

/** The value of a hex digit; 255 for every other octet. */
export const HEX = new Uint8Array(256).fill(255)
for (let value = 0; value < 16; value++) {
  HEX[value.toString(16).charCodeAt(0)] = value
  HEX[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/** Each octet with A to Z as a to z. */
export const LOWER = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
)

export function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39
}

/** Optional white space (RFC 9110 5.6.3): a space or a tab, and no other. */
export function isWhite(octet: number): boolean {
  return octet === SPACE || octet === TAB
}

/**
 * A text without the white space around it. `trim()` takes away obs-text too, and a regular expression needs the square of
 * the time for white space that is within.
 */
export function trimWhite(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isWhite(text.charCodeAt(start))) start++
  while (end > start && isWhite(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/** Whether the octets from `start` on are `lower` (ASCII in lower case), whatever their own case. */
export function isSameName(bytes: Uint8Array, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false
  for (let i = 0; i < lower.length; i++) {
    if (LOWER[bytes[start + i] as number] !== lower.charCodeAt(i)) return false
  }
  return true
}
