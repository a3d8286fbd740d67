/** Content-Length: RFC 9110 8.6 and RFC 9112 6.3. */
import { accepted, get, head, post, refused, refusedInBody, type HttpCase } from '../http-case.js'

const LENGTH = 'RFC 9110 8.6'
const FRAMING = 'RFC 9112 6.3'

const withLength = (value: string): string => `${post(`Content-Length: ${value}`)}hello`

export const contentLengthCases: readonly HttpCase[] = [
  accepted('a body', FRAMING, withLength('5'), 'POST / hello'),
  accepted('no body', FRAMING, post('Content-Length: 0'), 'POST /'),
  accepted('none at all is no body', FRAMING, post(), 'POST /'),
  accepted(
    'a body that looks like a request',
    FRAMING,
    `${post(`Content-Length: ${get().length}`)}${get()}`,
    `POST / ${get()}`,
  ),
  accepted(
    'a body with every kind of octet',
    FRAMING,
    `${post('Content-Length: 6')}\0\r\n\xff\x7f\n`,
    'POST / \0\r\n\xff\x7f\n',
  ),
  accepted('a body of a GET', 'RFC 9110 9.3.1', `${get('Content-Length: 5')}hello`, 'GET / hello'),
  accepted('leading zeros', LENGTH, withLength('0005'), 'POST / hello'),
  accepted('no space before it', 'RFC 9112 5', `${post('Content-Length:5')}hello`, 'POST / hello'),
  accepted('tabs around it', 'RFC 9112 5', `${post('Content-Length:\t5\t')}hello`, 'POST / hello'),
  accepted(
    'a name in any case',
    'RFC 9110 5.1',
    `${post('cOnTeNt-LeNgTh: 5')}hello`,
    'POST / hello',
  ),
  accepted(
    'in HTTP/1.0',
    FRAMING,
    `${head('POST / HTTP/1.0', 'Connection: keep-alive', 'Content-Length: 5')}hello`,
    'POST / hello',
  ),
  accepted('what follows the body is the next request', FRAMING, `${withLength('5')}${get()}`, [
    'POST / hello',
    'GET /',
  ]),
  ...[
    '',
    '+5',
    '-5',
    '-0',
    '0x5',
    '0b101',
    '5x',
    'x5',
    '5.',
    '5.0',
    '5e0',
    '5_0',
    '0_5',
    '1 2',
    '5,5',
    '5, 5',
    '5,6',
    '5,',
    ',5',
    '5;a=b',
    '"5"',
    "'5'",
    'five',
    'NaN',
    'Infinity',
    '\xb2',
    '5\xa0',
    '\xa05',
  ].map((value) =>
    refused(
      `the value ${JSON.stringify(value)}`,
      value === '' ? FRAMING : LENGTH,
      withLength(value),
    ),
  ),
  refused('a control before it', LENGTH, `${post('Content-Length: \x0b5')}hello`),
  refused('a control behind it', LENGTH, `${post('Content-Length: 5\x0c')}hello`),
  refused('a space before the colon', 'CVE-2021-22959', `${post('Content-Length : 5')}hello`),
  refused('twice the same', FRAMING, `${post('Content-Length: 5', 'Content-Length: 5')}hello`),
  refused('two that differ', FRAMING, `${post('Content-Length: 5', 'Content-Length: 6')}hello!`),
  refused(
    'two whose names differ in case',
    FRAMING,
    `${post('Content-Length: 5', 'content-length: 0')}hello`,
  ),
  refused('folded', 'RFC 9112 5.2', `${post('Content-Length:', ' 5')}hello`),
  refused('2^53', LENGTH, post('Content-Length: 9007199254740992'), 413),
  refused('2^64', LENGTH, post('Content-Length: 18446744073709551616'), 413),
  refused('2^64 + 5, which wraps to 5', LENGTH, withLength('18446744073709551621'), 413),
  refused('a hundred digits', LENGTH, post(`Content-Length: ${'9'.repeat(100)}`), 413),
  refusedInBody(
    'more than a body may have',
    'RFC 9110 15.5.14',
    post('Content-Length: 1048577'),
    413,
  ),
  {
    name: 'a body that is still to come',
    clause: FRAMING,
    bytes: `${post('Content-Length: 5')}hel`,
    seen: ['POST / …'],
    replies: [],
    left: 'open',
  },
  refusedInBody('the end inside the body', 'RFC 9112 8', `${post('Content-Length: 5')}hel`, 400, {
    after: 'end',
  }),
]
