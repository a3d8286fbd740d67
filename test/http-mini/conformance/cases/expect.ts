/**
 * Expect: RFC 9110 10.1.1. Whether a 100 is sent depends on how the bytes come (none once the body has begun to), and
 * is no part of an outcome here; `continue.test.ts` is about it.
 */
import {
  accepted,
  answeredAndClosed,
  get,
  head,
  post,
  refused,
  type HttpCase,
} from '../http-case.js'

const EXPECT = 'RFC 9110 10.1.1'

const expecting = (value: string): string => `${post(`Expect: ${value}`, 'Content-Length: 5')}hello`

export const expectCases: readonly HttpCase[] = [
  ...['100-continue', '100-Continue', '100-CONTINUE', ' 100-continue\t'].map((value) =>
    accepted(`the value ${JSON.stringify(value)}`, EXPECT, expecting(value), 'POST / hello'),
  ),
  accepted(
    'with a chunked body',
    EXPECT,
    `${post('Expect: 100-continue', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    'POST / hello',
  ),
  accepted('without a body', EXPECT, get('Expect: 100-continue')),
  accepted(
    'with an empty body',
    EXPECT,
    post('Expect: 100-continue', 'Content-Length: 0'),
    'POST /',
  ),
  accepted('then the next request', EXPECT, `${expecting('100-continue')}${get()}`, [
    'POST / hello',
    'GET /',
  ]),
  answeredAndClosed(
    'in HTTP/1.0 it is passed over',
    EXPECT,
    `${head('POST / HTTP/1.0', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    'POST / hello',
  ),
  ...[
    '200-ok',
    '100-continue, x',
    'x, 100-continue',
    '100-continue;a=b',
    '"100-continue"',
    '100',
    'x',
  ].map((value) => refused(`the unknown ${value}`, EXPECT, expecting(value), 417)),
]
