/** Versions: RFC 9112 2.3 and RFC 9110 2.5. */
import { accepted, answeredAndClosed, head, refused, type HttpCase } from '../http-case.js'

const VERSION = 'RFC 9112 2.3'
const HIGHER = 'RFC 9110 2.5'

export const versionCases: readonly HttpCase[] = [
  answeredAndClosed('HTTP/1.0', 'RFC 9112 9.3', head('GET / HTTP/1.0')),
  answeredAndClosed('HTTP/1.0 with a Host', 'RFC 9112 9.3', head('GET / HTTP/1.0', 'Host: a')),
  accepted('HTTP/1.2 is taken as 1.1', HIGHER, head('GET / HTTP/1.2', 'Host: a')),
  accepted('HTTP/1.9 is taken as 1.1', HIGHER, head('GET / HTTP/1.9', 'Host: a')),
  refused('HTTP/1.2 without a Host', HIGHER, head('GET / HTTP/1.2')),
  refused('HTTP/2.0', HIGHER, head('GET / HTTP/2.0', 'Host: a'), 505),
  refused('HTTP/3.0', HIGHER, head('GET / HTTP/3.0', 'Host: a'), 505),
  refused('HTTP/9.9', HIGHER, head('GET / HTTP/9.9', 'Host: a'), 505),
  refused('HTTP/0.9 that says so', HIGHER, head('GET / HTTP/0.9', 'Host: a'), 505),
  refused('HTTP/0.9, which has no version', VERSION, 'GET /\r\n\r\n'),
  ...[
    'http/1.1',
    'HTtP/1.1',
    'HTP/1.1',
    'HTTPS/1.1',
    'HTTP/1',
    'HTTP/1.',
    'HTTP/.1',
    'HTTP/1,1',
    'HTTP/11',
    'HTTP/1.10',
    'HTTP/10.1',
    'HTTP/01.1',
    'HTTP/1.1.1',
    'HTTP/1.1x',
    'HTTP/-1.1',
    'HTTP/+1.1',
    'HTTP/1.a',
    'HTTP/a.1',
    'HTTP//1.1',
    'HTTP1.1',
    'HTTP/1.\xb1',
    'HTTP/',
    'HTTP',
    'FTP/1.1',
  ].map((version) =>
    refused(`the version ${version}`, VERSION, head(`GET / ${version}`, 'Host: a')),
  ),
  refused('a space inside the version', VERSION, head('GET / HTTP/ 1.1', 'Host: a')),
  refused('a space before the slash', VERSION, head('GET / HTTP /1.1', 'Host: a')),
]
