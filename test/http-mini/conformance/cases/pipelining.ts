/** Requests that come before their predecessor was answered: RFC 9112 9.3.2. */
import {
  accepted,
  answeredAndClosed,
  get,
  goodThenRefused,
  head,
  post,
  type HttpCase,
} from '../http-case.js'

const PIPELINE = 'RFC 9112 9.3.2'
const at = (path: string): string => head(`GET ${path} HTTP/1.1`, 'Host: a')
const hello = `${post('Content-Length: 5')}hello`
const chunkedHello = `${post('Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`

export const pipeliningCases: readonly HttpCase[] = [
  accepted('two', PIPELINE, `${at('/1')}${at('/2')}`, ['GET /1', 'GET /2']),
  accepted(
    'ten',
    PIPELINE,
    Array.from({ length: 10 }, (_, i) => at(`/${i}`)).join(''),
    Array.from({ length: 10 }, (_, i) => `GET /${i}`),
  ),
  accepted(
    'bodies of both kinds between',
    PIPELINE,
    `${at('/1')}${hello}${chunkedHello}${at('/2')}`,
    ['GET /1', 'POST / hello', 'POST / hello', 'GET /2'],
  ),
  accepted('a slow one first', PIPELINE, `${at('/slow')}${at('/2')}`, ['GET /slow', 'GET /2']),
  accepted('a slow one between', PIPELINE, `${at('/1')}${at('/slow')}${at('/3')}`, [
    'GET /1',
    'GET /slow',
    'GET /3',
  ]),
  accepted('a stream first', PIPELINE, `${at('/stream')}${at('/2')}`, ['GET /stream', 'GET /2']),
  accepted(
    'a HEAD between',
    PIPELINE,
    `${at('/1')}${head('HEAD /2 HTTP/1.1', 'Host: a')}${at('/3')}`,
    ['GET /1', 'HEAD /2', 'GET /3'],
  ),
  answeredAndClosed(
    'the second one says close',
    PIPELINE,
    `${at('/1')}${get('Connection: close')}${at('/3')}`,
    ['GET /1', 'GET /'],
  ),
  answeredAndClosed(
    'the end behind three',
    PIPELINE,
    `${at('/1')}${at('/slow')}${at('/3')}`,
    ['GET /1', 'GET /slow', 'GET /3'],
    { after: 'end' },
  ),
  goodThenRefused('junk behind a good one', PIPELINE, `${at('/1')}\0junk\r\n\r\n`, 'GET /1'),
  goodThenRefused(
    'junk behind a slow one: its answer comes first',
    PIPELINE,
    `${at('/slow')}junk\r\n\r\n`,
    'GET /slow',
  ),
  goodThenRefused(
    'a bad field behind two good ones',
    PIPELINE,
    `${at('/1')}${at('/2')}${get('X A: b')}`,
    ['GET /1', 'GET /2'],
  ),
  goodThenRefused(
    'an octet too many behind a body becomes part of the next method',
    PIPELINE,
    `${post('Content-Length: 4')}hello (${get()}`,
    'POST / hell',
  ),
  goodThenRefused('a body that was not announced', 'RFC 9112 6.3', `${post()}hello\r\n`, 'POST /'),
  goodThenRefused(
    'another protocol behind a good one',
    'RFC 9113 3.4',
    `${at('/1')}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    'GET /1',
    505,
  ),
  {
    name: 'a bad body, then a good request that is not looked at',
    clause: PIPELINE,
    bytes: `${post('Transfer-Encoding: chunked')}x\r\n\r\n${at('/2')}`,
    seen: ['POST / !'],
    replies: [400],
    left: 'closed',
  },
  {
    name: 'a good one, and the beginning of another',
    clause: PIPELINE,
    bytes: `${at('/1')}GET /2 HT`,
    seen: ['GET /1'],
    replies: [200],
    left: 'open',
  },
]
