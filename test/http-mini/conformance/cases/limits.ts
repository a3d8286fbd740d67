/** How much of everything there may be: RFC 9110 15.5, RFC 6585 5, and docs/limits.md. */
import { accepted, get, head, post, refused, refusedInBody, type HttpCase } from '../http-case.js'

const FIELDS = 'RFC 6585 5'
const BODY = 'RFC 9110 15.5.14'
const fields = (count: number): string[] => Array.from({ length: count }, (_, i) => `X-${i}: y`)

export const limitCases: readonly HttpCase[] = [
  accepted('100 fields', FIELDS, get(...fields(99))),
  refused('101 fields', FIELDS, get(...fields(100)), 431),
  refused('1500 fields', FIELDS, get(...fields(1500)), 431),
  accepted('a field of 15000 octets', FIELDS, get(`X: ${'y'.repeat(15_000)}`)),
  refused('a field of 17000 octets', FIELDS, get(`X: ${'y'.repeat(17_000)}`), 431),
  refused(
    'a field without an end',
    FIELDS,
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(20_000)}`,
    431,
  ),
  refused(
    'a field name without an end',
    FIELDS,
    `GET / HTTP/1.1\r\nHost: a\r\n${'X'.repeat(20_000)}`,
    431,
  ),
  refused(
    'fields without an end',
    FIELDS,
    `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(4000)}`,
    431,
  ),
  refused('a head that passes a limit of one’s own', FIELDS, get(`X: ${'y'.repeat(500)}`), 431, {
    limits: { headBytes: 256 },
  }),
  refused('fields that pass a limit of one’s own', FIELDS, get(...fields(5)), 431, {
    limits: { fields: 4 },
  }),
  refused(
    'a target that passes a limit of one’s own',
    'RFC 9112 3',
    head(`GET /${'x'.repeat(64)} HTTP/1.1`, 'Host: a'),
    414,
    { limits: { targetBytes: 32 } },
  ),
  accepted(
    'a body that is just as long as it may be',
    BODY,
    `${post('Content-Length: 16')}0123456789abcdef`,
    'POST / 0123456789abcdef',
    { limits: { bodyBytes: 16 } },
  ),
  refusedInBody(
    'a body that is one octet longer',
    BODY,
    `${post('Content-Length: 17')}0123456789abcdef!`,
    413,
    { limits: { bodyBytes: 16 } },
  ),
  accepted(
    'a chunked body that is just as long as it may be',
    BODY,
    `${post('Transfer-Encoding: chunked')}8\r\n01234567\r\n8\r\n89abcdef\r\n0\r\n\r\n`,
    'POST / 0123456789abcdef',
    { limits: { bodyBytes: 16 } },
  ),
  refusedInBody(
    'a chunked body that is one octet longer',
    BODY,
    `${post('Transfer-Encoding: chunked')}8\r\n01234567\r\n9\r\n89abcdef!\r\n0\r\n\r\n`,
    413,
    { limits: { bodyBytes: 16 } },
  ),
  refusedInBody(
    'trailers that pass a limit of one’s own',
    FIELDS,
    `${post('Transfer-Encoding: chunked')}0\r\nX: ${'y'.repeat(100)}\r\n\r\n`,
    431,
    { limits: { trailerBytes: 64 } },
  ),
]
