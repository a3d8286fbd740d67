/** Transfer-Encoding: RFC 9112 6.1 and 6.3. */
import { accepted, goodThenRefused, head, post, refused, type HttpCase } from '../http-case.js'

const CODING = 'RFC 9112 6.1'
const FRAMING = 'RFC 9112 6.3'
const BODY = '5\r\nhello\r\n0\r\n\r\n'

const coded = (value: string): string => `${post(`Transfer-Encoding: ${value}`)}${BODY}`

export const transferEncodingCases: readonly HttpCase[] = [
  ...['chunked', 'Chunked', 'CHUNKED', 'chUnKed'].map((value) =>
    accepted(`the value ${value}`, 'RFC 9112 7', coded(value), 'POST / hello'),
  ),
  accepted(
    'no space before it',
    'RFC 9112 5',
    `${post('Transfer-Encoding:chunked')}${BODY}`,
    'POST / hello',
  ),
  accepted(
    'white space around it',
    'RFC 9112 5',
    `${post('Transfer-Encoding: \t chunked \t')}${BODY}`,
    'POST / hello',
  ),
  accepted('an empty member before it', 'RFC 9110 5.6.1', coded(', chunked'), 'POST / hello'),
  accepted('an empty member behind it', 'RFC 9110 5.6.1', coded('chunked ,'), 'POST / hello'),
  accepted(
    'a name in any case',
    'RFC 9110 5.1',
    `${post('transfer-ENCODING: chunked')}${BODY}`,
    'POST / hello',
  ),
  ...['gzip, chunked', 'deflate,chunked', 'x-own, chunked', 'gzip, deflate, chunked'].map((value) =>
    refused(`a coding that is not ours, then chunked: ${value}`, CODING, coded(value), 501),
  ),
  ...[
    '',
    ',',
    'gzip',
    'identity',
    'chunked, gzip',
    'chunked, identity',
    'chunked, chunked',
    'xchunked',
    'chunkedx',
    'chunkedchunked',
    'x chunked',
    'chunked x',
    'chunk ed',
    '"chunked"',
    "'chunked'",
    '[chunked]',
    'chunked;a=b',
    'chunked; q=1',
    '\xa0chunked',
    'chunked\xa0',
    '\xffchunked',
    'chunKed\xad',
    'cow',
  ].map((value) => refused(`the value ${JSON.stringify(value)}`, FRAMING, coded(value))),
  ...['\x0b', '\x0c', '\0', '\x01', '\x7f'].map((octet) =>
    refused(
      `the control ${JSON.stringify(octet)} before it`,
      'CVE-2019-15605',
      coded(`${octet}chunked`),
    ),
  ),
  ...['\x0b', '\x0c', '\0'].map((octet) =>
    refused(
      `the control ${JSON.stringify(octet)} behind it`,
      'CVE-2019-15605',
      coded(`chunked${octet}`),
    ),
  ),
  refused(
    'twice',
    CODING,
    `${post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}${BODY}`,
  ),
  refused(
    'chunked, then another field',
    'CVE-2020-8287',
    `${post('Transfer-Encoding: chunked', 'Transfer-Encoding: x')}${BODY}`,
  ),
  refused(
    'another field, then chunked',
    CODING,
    `${post('Transfer-Encoding: identity', 'Transfer-Encoding: chunked')}${BODY}`,
  ),
  refused(
    'a space before the colon',
    'RFC 9112 5.1',
    `${post('Transfer-Encoding : chunked')}${BODY}`,
  ),
  refused(
    'folded',
    'CVE-2022-32215',
    `${post('Transfer-Encoding: chunked', ' , identity')}${BODY}`,
  ),
  refused(
    'folded before the value',
    'CVE-2022-32215',
    `${post('Transfer-Encoding:', ' chunked')}${BODY}`,
  ),
  refused('in HTTP/1.0', CODING, `${head('POST / HTTP/1.0', 'Transfer-Encoding: chunked')}${BODY}`),
  refused(
    'in HTTP/1.0 that asks to stay',
    CODING,
    `${head('POST / HTTP/1.0', 'Connection: keep-alive', 'Transfer-Encoding: chunked')}${BODY}`,
  ),
  refused(
    'with a Content-Length before it',
    FRAMING,
    `${post('Content-Length: 15', 'Transfer-Encoding: chunked')}${BODY}`,
  ),
  refused(
    'with a Content-Length behind it',
    FRAMING,
    `${post('Transfer-Encoding: chunked', 'Content-Length: 15')}${BODY}`,
  ),
  refused(
    'with a Content-Length of 0',
    FRAMING,
    `${post('Content-Length: 0', 'Transfer-Encoding: chunked')}${BODY}`,
  ),
  refused(
    'identity with a Content-Length',
    FRAMING,
    `${post('Transfer-Encoding: identity', 'Content-Length: 5')}hello`,
  ),
  accepted(
    'TE is another field',
    'RFC 9110 10.1.4',
    post('TE: trailers, chunked', 'Content-Length: 0'),
    'POST /',
  ),
  goodThenRefused(
    'Transfer_Encoding is another field, and the chunks no body',
    CODING,
    `${post('Transfer_Encoding: chunked')}${BODY}`,
    'POST /',
  ),
  goodThenRefused(
    'X-Transfer-Encoding is another field',
    CODING,
    `${post('X-Transfer-Encoding: chunked')}${BODY}`,
    'POST /',
  ),
]
