/** What other servers once accepted, by the names that it was given. */
import {
  accepted,
  get,
  goodThenRefused,
  head,
  lines,
  post,
  refused,
  refusedInBody,
  type HttpCase,
} from '../http-case.js'

const CHUNKS = '5\r\nhello\r\n0\r\n\r\n'

export const cveCases: readonly HttpCase[] = [
  refused('junk in Content-Length', 'CVE-2016-2086', `${post('Content-Length: 5x')}hello`),
  refused(
    'spaces inside Content-Length',
    'CVE-2018-7159',
    `${post('Content-Length: 1 2')}hello, world`,
  ),
  refused('a head of 80 KB', 'CVE-2018-12121', get(`X: ${'y'.repeat(80_000)}`), 431),
  refused(
    'a head that never ends',
    'CVE-2018-12122',
    lines('GET / HTTP/1.1', 'Host: a', 'X: y'),
    408,
    { after: 10_500 },
  ),
  {
    name: 'idle after the first answer',
    clause: 'CVE-2019-5737',
    bytes: get(),
    after: 5500,
    seen: ['GET /'],
    replies: [200],
    left: 'closed',
  },
  refused(
    'a vertical tab before chunked',
    'CVE-2019-15605',
    `${post('Transfer-Encoding: \x0bchunked', 'Content-Length: 15')}${CHUNKS}`,
  ),
  accepted(
    'white space behind a value',
    'CVE-2019-15606',
    `${post('Content-Length: 5 ')}hello`,
    'POST / hello',
  ),
  refused('CR in a field name', 'CVE-2020-8201', `${post('Content\rLength: 5')}hello`),
  refusedInBody('a head, and never the body', 'CVE-2020-8251', post('Content-Length: 5'), 408, {
    after: 61_000,
  }),
  refused(
    'a second Transfer-Encoding',
    'CVE-2020-8287',
    `${post('Transfer-Encoding: chunked', 'Transfer-Encoding: x', 'Content-Length: 5')}${CHUNKS}`,
  ),
  refused('a space before the colon', 'CVE-2021-22959', `${post('Content-Length : 5')}hello`),
  refusedInBody(
    'LF in a chunk extension',
    'CVE-2021-22960',
    `${post('Transfer-Encoding: chunked')}2;\nxx\r\n4c\r\n0\r\n\r\n`,
  ),
  refused(
    'chunkedchunked',
    'CVE-2022-32213',
    `${post('Transfer-Encoding: chunkedchunked', 'Content-Length: 5')}${CHUNKS}`,
  ),
  refused(
    'LF alone ends a field',
    'CVE-2022-32214',
    'POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  refused(
    'Transfer-Encoding over several lines',
    'CVE-2022-32215',
    `${post('Transfer-Encoding: chunked', ' , identity')}${CHUNKS}`,
  ),
  refused(
    'a value that ends in CR',
    'CVE-2022-35256',
    'POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  refused(
    'CR behind an empty value',
    'CVE-2023-30589',
    'POST / HTTP/1.1\r\nHost: a\r\nX-Abc:\rxTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  refusedInBody(
    'an extension that never ends',
    'CVE-2024-22019',
    `${post('Transfer-Encoding: chunked')}1;${'a'.repeat(70_000)}`,
  ),
  refused(
    'a space before the first field',
    'CVE-2024-27982',
    `${head('POST / HTTP/1.1', ' Content-Length: 5', 'Host: a')}hello`,
  ),
  refused(
    'CR LF CR and something else',
    'CVE-2025-23167',
    'GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n',
  ),
  accepted('__proto__', 'CVE-2026-21710', get('__proto__: x')),
  refused('a space before a colon, normalised', 'CVE-2019-16276', get('Foo : bar')),
  refusedInBody(
    'a body hidden in extensions',
    'CVE-2023-39326',
    `${post('Transfer-Encoding: chunked')}${`1;${'a'.repeat(250)}\r\nx\r\n`.repeat(80)}0\r\n\r\n`,
  ),
  refusedInBody(
    'LF ends a chunk line',
    'CVE-2025-22871',
    `${post('Transfer-Encoding: chunked')}5\nhello\r\n0\r\n\r\n`,
  ),
  ...['0_5', '+5', '0x5', '-0'].map((value) =>
    refused(
      `Content-Length ${value}, read by a language`,
      'CVE-2023-47627',
      `${post(`Content-Length: ${value}`)}hello`,
    ),
  ),
  ...['0_5', '+5', '0x5', '-0'].map((value) =>
    refusedInBody(
      `a chunk size ${value}, read by a language`,
      'CVE-2023-38697',
      `${post('Transfer-Encoding: chunked')}${value}\r\nhello\r\n0\r\n\r\n`,
    ),
  ),
  accepted(
    'ChunKed is chunked',
    'CVE-2026-23527',
    `${post('Transfer-Encoding: ChunKed')}${CHUNKS}`,
    'POST / hello',
  ),
  refused(
    'ChunKed with a Content-Length',
    'CVE-2026-23527',
    `${post('Transfer-Encoding: ChunKed', 'Content-Length: 5')}${CHUNKS}`,
  ),
  goodThenRefused(
    'a good request before any of them',
    'CVE-2020-8287',
    `${get()}${post('Transfer-Encoding: chunked', 'Transfer-Encoding: x')}${CHUNKS}`,
  ),
]
