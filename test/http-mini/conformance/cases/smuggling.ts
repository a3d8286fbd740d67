/**
 * Requests hidden in requests. In each, a proxy that reads the framing otherwise than we do would pass on `GET /admin`
 * as part of a body, or as the beginning of somebody else's request: the application must never see it, unless the one
 * reading that the RFC permits makes it a request of its own.
 */
import {
  accepted,
  answeredAndClosed,
  get,
  head,
  post,
  refused,
  refusedInBody,
  type HttpCase,
} from '../http-case.js'

const ADMIN = head('GET /admin HTTP/1.1', 'Host: a')
const SMUGGLED = `0\r\n\r\n${ADMIN}`
const FRAMING = 'RFC 9112 6.3'
const CHUNKED = 'RFC 9112 7.1'
const SMUGGLING = 'RFC 9112 11.2'

const both = (coding: string, length: number | string): string =>
  post(`Content-Length: ${length}`, coding)

export const smugglingCases: readonly HttpCase[] = [
  // CL.TE and TE.CL, and the ways to hide one of the two.
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding:chunked',
    'Transfer-Encoding: Chunked',
    'transfer-encoding: chunked',
    'Transfer-Encoding : chunked',
    ' Transfer-Encoding: chunked',
    'Transfer-Encoding:\tchunked',
    'Transfer-Encoding: chunked ',
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding: identity, chunked',
    'Transfer-Encoding: "chunked"',
    'Transfer-Encoding: chunked\x0b',
    'Transfer-Encoding: \0chunked',
    'Transfer-Encoding\0: chunked',
    'X: y\nTransfer-Encoding: chunked',
    'X: y\rTransfer-Encoding: chunked',
    'Transfer-Encoding\r\n : chunked',
    'Transfer-Encoding:\r\n chunked',
    'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  ].map((coding) =>
    refused(
      `CL.TE with ${JSON.stringify(coding)}`,
      SMUGGLING,
      `${both(coding, SMUGGLED.length)}${SMUGGLED}`,
    ),
  ),
  ...[
    'Content-Length: 4',
    'Content-Length:4',
    'content-length: 4',
    'Content-Length: 4 ',
    'Content-Length : 4',
    'Content-Length: +4',
    'Content-Length: 4, 4',
  ].map((length) =>
    refused(
      `TE.CL with ${JSON.stringify(length)}`,
      SMUGGLING,
      `${post('Transfer-Encoding: chunked', length)}1e\r\n${ADMIN.slice(0, 30)}\r\n0\r\n\r\n`,
    ),
  ),
  // CL.CL.
  refused(
    'CL.CL',
    FRAMING,
    `${post('Content-Length: 0', `Content-Length: ${ADMIN.length}`)}${ADMIN}`,
  ),
  refused('CL.CL in one field', FRAMING, `${post(`Content-Length: 0, ${ADMIN.length}`)}${ADMIN}`),
  refused(
    'a Content-Length of two readings',
    'RFC 9110 8.6',
    `${post('Content-Length: 0x10')}${ADMIN}`,
  ),
  refused('CL.0 by a Content-Length that is none', FRAMING, `${post('Content-Length: ')}${ADMIN}`),
  // CL.0 and 0.CL: what the framing says is a body is never run, whoever reads it.
  accepted(
    'CL.0: a GET with a body',
    SMUGGLING,
    `${get(`Content-Length: ${ADMIN.length}`)}${ADMIN}`,
    `GET / ${ADMIN}`,
  ),
  accepted(
    'CL.0: a body that nobody reads',
    SMUGGLING,
    `${head('POST /unread HTTP/1.1', 'Host: a', `Content-Length: ${ADMIN.length}`)}${ADMIN}${get()}`,
    ['POST /unread', 'GET /'],
  ),
  accepted(
    'CL.0: a HEAD with a body',
    SMUGGLING,
    `${head('HEAD / HTTP/1.1', 'Host: a', `Content-Length: ${ADMIN.length}`)}${ADMIN}`,
    `HEAD / ${ADMIN}`,
  ),
  accepted(
    'CL.0: an Expect with a body',
    SMUGGLING,
    `${head('POST /unread HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 0')}${get()}`,
    ['POST /unread', 'GET /'],
  ),
  refused(
    'CL.0: an Expect that is refused',
    SMUGGLING,
    `${post('Expect: y', `Content-Length: ${ADMIN.length}`)}${ADMIN}`,
    417,
  ),
  // TE.0 and chunks with two ends.
  accepted(
    'TE.0: a chunked body that nobody reads',
    SMUGGLING,
    `${head('POST /unread HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}${ADMIN.length.toString(16)}\r\n${ADMIN}\r\n0\r\n\r\n${get()}`,
    ['POST /unread', 'GET /'],
  ),
  answeredAndClosed(
    'TE.0 in HTTP/1.0',
    'RFC 9112 6.1',
    `${head('GET / HTTP/1.0', 'Content-Length: 0')}${ADMIN}`,
  ),
  refused(
    'TE in HTTP/1.0',
    'RFC 9112 6.1',
    `${head('POST / HTTP/1.0', 'Connection: keep-alive', 'Transfer-Encoding: chunked')}${SMUGGLED}`,
  ),
  refusedInBody(
    'an extension with LF and a second size',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}2;\nxx\r\n${ADMIN.length.toString(16)}\r\n0\r\n\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a size line ended by LF',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}0\n\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a chunk ended by LF',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}5\r\nhello\n0\r\n\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a chunk ended by two other octets',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}5\r\nhelloXX0\r\n\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a last line ended by CR',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}0\r\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a last line of CR and the next request',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}0\r\n\r${ADMIN}`,
  ),
  refusedInBody(
    'a size that overflows 32 bits',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}100000000\r\n\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a size that overflows 64 bits',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}10000000000000000\r\n\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a size of underscores',
    CHUNKED,
    `${post('Transfer-Encoding: chunked')}0_0\r\n\r\n${ADMIN}`,
  ),
  // The trailer section as a hiding place.
  refusedInBody(
    'a request in the trailers',
    'RFC 9112 7.1.2',
    `${post('Transfer-Encoding: chunked')}0\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a Content-Length in the trailers',
    'RFC 9110 6.5.1',
    `${post('Transfer-Encoding: chunked')}0\r\nContent-Length: ${ADMIN.length}\r\n\r\n${ADMIN}`,
  ),
  refusedInBody(
    'a trailer ended by LF',
    'RFC 9112 2.2',
    `${post('Transfer-Encoding: chunked')}0\r\nX: y\n\n${ADMIN}`,
  ),
  // Bare CR and LF in the head.
  ...['\n', '\r', '\n\n', '\r\r', '\n\r', '\0\r\n', '\x0b\r\n'].map((ending) =>
    refused(
      `a field and a request behind ${JSON.stringify(ending)}`,
      'RFC 9112 2.2',
      `GET / HTTP/1.1\r\nHost: a\r\nX: y${ending}GET /admin HTTP/1.1\r\nHost: a\r\n\r\n`,
    ),
  ),
  accepted(
    'an octet that is a line end in other alphabets is a value',
    'RFC 9110 5.5',
    'GET / HTTP/1.1\r\nHost: a\r\nX: y\x85GET /admin HTTP/1.1\r\n\r\n',
  ),
  refused(
    'a request line that ends in LF and hides a field',
    'RFC 9112 2.2',
    'GET / HTTP/1.1\nX: GET /admin HTTP/1.1\r\nHost: a\r\n\r\n',
  ),
  // A prefix for who comes next on the connection.
  {
    name: 'the beginning of a request behind a body waits for its end',
    clause: SMUGGLING,
    bytes: `${post('Content-Length: 5')}helloGET /admin HTTP/1.1\r\nX: `,
    seen: ['POST / hello'],
    replies: [200],
    left: 'open',
  },
  {
    name: 'the beginning of a request swallows the next request line as a value, and has no Host',
    clause: 'RFC 9112 3.2',
    bytes: `${post('Content-Length: 5')}helloGET /admin HTTP/1.1\r\nX: GET / HTTP/1.1\r\n\r\n`,
    seen: ['POST / hello'],
    replies: [200, 400],
    left: 'closed',
  },
  accepted(
    'a request behind a body is a request, as the framing says',
    SMUGGLING,
    `${post('Content-Length: 5')}hello${ADMIN}`,
    ['POST / hello', 'GET /admin'],
  ),
]
