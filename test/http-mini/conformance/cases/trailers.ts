/** The trailer section: RFC 9112 7.1.2 and RFC 9110 6.5. */
import { accepted, get, post, refusedInBody, type HttpCase } from '../http-case.js'

const TRAILER = 'RFC 9112 7.1.2'
const FORBIDDEN = 'RFC 9110 6.5.1'

const trailed = (section: string): string =>
  `${post('Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n${section}\r\n`

export const trailerCases: readonly HttpCase[] = [
  accepted('one', TRAILER, trailed('X-A: b\r\n'), 'POST / hello'),
  accepted('several', TRAILER, trailed('X-A: b\r\nX-B:\r\nX-C: \td \r\n'), 'POST / hello'),
  accepted(
    'a trailer that was announced',
    'RFC 9110 6.6.2',
    `${post('Transfer-Encoding: chunked', 'Trailer: X-A')}0\r\nX-A: b\r\n\r\n`,
    'POST /',
  ),
  accepted('what follows is the next request', TRAILER, `${trailed('X-A: b\r\n')}${get()}`, [
    'POST / hello',
    'GET /',
  ]),
  accepted(
    'a trailer that reads like a request line is a field',
    TRAILER,
    `${trailed('GET: / HTTP/1.1\r\n')}${get()}`,
    ['POST / hello', 'GET /'],
  ),
  ...[
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Host: b',
    'content-length: 0',
    'TRANSFER-ENCODING: x',
  ].map((field) => refusedInBody(`the field ${field}`, FORBIDDEN, trailed(`${field}\r\n`))),
  refusedInBody('a request line', TRAILER, trailed('GET / HTTP/1.1\r\nHost: a\r\n')),
  refusedInBody('no colon', 'RFC 9112 5', trailed('X-A\r\n')),
  refusedInBody('an empty name', 'RFC 9112 5', trailed(': b\r\n')),
  refusedInBody('a space before the colon', 'RFC 9112 5.1', trailed('X-A : b\r\n')),
  refusedInBody('a space before the name', 'RFC 9112 5.2', trailed(' X-A: b\r\n')),
  refusedInBody('a folded line', 'RFC 9112 5.2', trailed('X-A: b\r\n c\r\n')),
  refusedInBody('a line that ends in LF', 'RFC 9112 2.2', trailed('X-A: b\n')),
  refusedInBody('a line that ends in CR', 'RFC 9112 2.2', trailed('X-A: b\rX-B: c\r\n')),
  refusedInBody('NUL in a value', 'RFC 9110 5.5', trailed('X-A: \0\r\n')),
  refusedInBody('an octet above ASCII in a name', 'RFC 9110 5.1', trailed('X\xe9: b\r\n')),
  refusedInBody(
    'more than they may have',
    'RFC 9110 5.4',
    trailed(`X-A: ${'b'.repeat(9000)}\r\n`),
    431,
  ),
  refusedInBody('a name without an end', 'RFC 9110 5.4', trailed('X'.repeat(20_000)), 431),
  refusedInBody('101 of them', 'RFC 9110 5.4', trailed('X-A: b\r\n'.repeat(101)), 431),
  refusedInBody(
    'a delimiter in a name, before the line is whole',
    'RFC 9110 5.1',
    `${post('Transfer-Encoding: chunked')}0\r\nX: y\r\nX[a`,
  ),
  {
    name: 'a trailer that is still to come',
    clause: TRAILER,
    bytes: `${post('Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\nX-A: b\r\n`,
    seen: ['POST / …'],
    replies: [],
    left: 'open',
  },
  refusedInBody(
    'the end inside a trailer',
    'RFC 9112 8',
    `${post('Transfer-Encoding: chunked')}0\r\nX-A`,
    400,
    {
      after: 'end',
    },
  ),
]
