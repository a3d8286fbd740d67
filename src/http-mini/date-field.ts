/** The Date of answers (RFC 9110 6.6.1): one text a second serves them all. */

let second = -1
let field = ''

/** `Date: Tue, 15 Nov 1994 08:12:31 GMT` and its CRLF. */
export function dateField(): string {
  const now = Math.floor(Date.now() / 1000)
  if (now !== second) {
    second = now
    field = `Date: ${new Date(now * 1000).toUTCString()}\r\n`
  }
  return field
}
