/** Who keeps the connection, and who ends it: RFC 9112 9.3 and 9.6. */
import { accepted, answeredAndClosed, get, head, post, type HttpCase } from '../http-case.js'

const PERSISTENCE = 'RFC 9112 9.3'
const TEAR_DOWN = 'RFC 9112 9.6'
const IDLE_MS = 5500

const old = (...fields: readonly string[]): string => head('GET / HTTP/1.0', ...fields)

export const persistenceCases: readonly HttpCase[] = [
  accepted('HTTP/1.1 stays', PERSISTENCE, get()),
  accepted('HTTP/1.1 with keep-alive stays', PERSISTENCE, get('Connection: keep-alive')),
  accepted(
    'Connection with words of one’s own stays',
    'RFC 9110 7.6.1',
    get('Connection: x-own, te'),
  ),
  accepted('closed is not close', TEAR_DOWN, get('Connection: closed')),
  accepted('disclose is not close', TEAR_DOWN, get('Connection: dis-close')),
  accepted('Keep-Alive says nothing by itself', PERSISTENCE, get('Keep-Alive: timeout=5')),
  ...[
    'close',
    'Close',
    'CLOSE',
    'close\t',
    '\tclose',
    'close,',
    ',close',
    'keep-alive, close',
    'close, keep-alive',
    'x-own,close,te',
    'x-own , close , te',
  ].map((value) =>
    answeredAndClosed(
      `Connection: ${JSON.stringify(value).slice(1, -1)}`,
      TEAR_DOWN,
      get(`Connection: ${value}`),
      'GET /',
      {
        lastFields: { connection: 'close' },
      },
    ),
  ),
  answeredAndClosed(
    'close in the second of two fields',
    TEAR_DOWN,
    get('Connection: keep-alive', 'Connection: close'),
  ),
  answeredAndClosed(
    'close in the first of two fields',
    TEAR_DOWN,
    get('Connection: close', 'Connection: keep-alive'),
  ),
  answeredAndClosed(
    'close with a body',
    TEAR_DOWN,
    `${post('Connection: close', 'Content-Length: 5')}hello`,
    'POST / hello',
  ),
  answeredAndClosed(
    'a request behind close is not answered',
    TEAR_DOWN,
    `${get('Connection: close')}${get()}`,
  ),
  answeredAndClosed(
    'junk behind close changes nothing',
    TEAR_DOWN,
    `${get('Connection: close')}\0\n\xff junk`,
  ),
  answeredAndClosed(
    'junk behind the body of a close changes nothing',
    TEAR_DOWN,
    `${post('Connection: close', 'Content-Length: 5')}hello\0\n\xff junk`,
    'POST / hello',
  ),
  answeredAndClosed('HTTP/1.0 ends', PERSISTENCE, old()),
  answeredAndClosed(
    'a request behind one of HTTP/1.0 is not answered',
    PERSISTENCE,
    `${old()}${old()}`,
  ),
  ...['keep-alive', 'Keep-Alive', 'x-own, keep-alive', 'keep-alive\t'].map((value) =>
    accepted(
      `HTTP/1.0 with Connection: ${JSON.stringify(value).slice(1, -1)} stays, and is told so`,
      PERSISTENCE,
      old(`Connection: ${value}`),
      'GET /',
      {
        lastFields: { connection: 'keep-alive' },
      },
    ),
  ),
  accepted(
    'HTTP/1.0 that stays, twice',
    PERSISTENCE,
    `${old('Connection: keep-alive')}${old('Connection: keep-alive')}`,
    ['GET /', 'GET /'],
  ),
  answeredAndClosed(
    'HTTP/1.0 with keep-alive and close ends',
    PERSISTENCE,
    old('Connection: keep-alive, close'),
  ),
  answeredAndClosed('HTTP/1.0 with words of one’s own ends', PERSISTENCE, old('Connection: x-own')),
  answeredAndClosed('silence after an answer ends it', 'RFC 9112 9.5', get(), 'GET /', {
    after: IDLE_MS,
  }),
  answeredAndClosed('the end of the client’s half after a request', TEAR_DOWN, get(), 'GET /', {
    after: 'end',
  }),
  answeredAndClosed(
    'the last request that a connection may have',
    PERSISTENCE,
    `${get()}${get()}${get()}`,
    ['GET /', 'GET /'],
    {
      limits: { maxRequestsPerConnection: 2 },
      lastFields: { connection: 'close' },
    },
  ),
  accepted(
    'a body that nobody read is passed over',
    PERSISTENCE,
    `${head('POST /unread HTTP/1.1', 'Host: a', 'Content-Length: 5')}hello${get()}`,
    ['POST /unread', 'GET /'],
  ),
  accepted(
    'a chunked body that nobody read is passed over',
    PERSISTENCE,
    `${head('POST /unread HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}5;a=b\r\nhello\r\n0\r\nX-A: b\r\n\r\n${get()}`,
    ['POST /unread', 'GET /'],
  ),
  answeredAndClosed(
    'a body that nobody read and that is none',
    'RFC 9112 7.1',
    `${head('POST /unread HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}5\nhello\r\n0\r\n\r\n${get()}`,
    'POST /unread',
  ),
  answeredAndClosed(
    'a body that nobody read and that is too long to pass over',
    PERSISTENCE,
    `${head('POST /unread HTTP/1.1', 'Host: a', 'Content-Length: 1000000')}hello`,
    'POST /unread',
  ),
]
