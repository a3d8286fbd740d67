/** The reader of answers, which the conformance tests stand on: what it takes, and above all what it does not. */
import { describe, expect, test } from 'vitest'
import { MalformedReply, parseReplies, type Asked } from './http-replies.js'

const DATE = 'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n'
const GET: Asked = { method: 'GET', version: '1.1' }
const HEAD: Asked = { method: 'HEAD', version: '1.1' }
const OLD: Asked = { method: 'GET', version: '1.0' }

const parse = (text: string, asked: readonly Asked[] = [GET], ended = false) =>
  parseReplies(Buffer.from(text, 'latin1'), asked, ended)

describe('parseReplies()', () => {
  test('reads answers of every framing, one after the other', () => {
    const { replies, rest } = parse(
      [
        `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\n\r\nhello`,
        `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 5\r\n\r\n`,
        `HTTP/1.1 204 No Content\r\n${DATE}\r\n`,
        `HTTP/1.1 304 Not Modified\r\n${DATE}Content-Length: 5\r\n\r\n`,
        `HTTP/1.1 200 OK\r\n${DATE}\r\nto the end`,
      ].join(''),
      [],
      true,
    )
    expect(replies.map(({ framing, body }) => [framing, body.toString()])).toEqual([
      ['length', 'hello'],
      ['chunked', 'hello'],
      ['none', ''],
      ['none', ''],
      ['close', 'to the end'],
    ])
    expect(replies[1]?.trailers).toEqual([['x-sum', '5']])
    expect(rest).toHaveLength(0)
  })

  test('knows that an answer to HEAD has no body', () => {
    const answer = `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\n\r\n`
    expect(
      parse(`${answer}${answer}hello`, [HEAD, GET]).replies.map(({ body }) => body.length),
    ).toEqual([0, 5])
  })

  test('gives interim answers to the final one behind them', () => {
    const { replies, interim } = parse(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n${DATE}\r\nHTTP/1.1 100 Continue\r\n\r\n`,
    )
    expect([replies.map((reply) => reply.interim), interim]).toEqual([[[100]], [100]])
  })

  test.each([
    ['half a status line', 'HTTP/1.1 20'],
    ['half a head', `HTTP/1.1 200 OK\r\n${DATE}`],
    ['half a body', `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 5\r\n\r\nhel`],
    ['half a chunk', `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`],
    [
      'chunks without the last',
      `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
    ],
    ['a body that ends with the connection', `HTTP/1.1 200 OK\r\n${DATE}\r\nhello`],
  ])('leaves %s where it is', (_what, text) => {
    const { replies, rest } = parse(text)
    expect([replies, rest.toString('latin1')]).toEqual([[], text])
  })

  test.each([
    ['no status line', 'hello\r\n\r\n'],
    ['what can become none', 'hel'],
    [
      'the end of a body that was longer than announced',
      `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 4\r\n\r\nhello`,
    ],
    ['a status line without a reason’s space', `HTTP/1.1 200\r\n${DATE}Content-Length: 0\r\n\r\n`],
    ['another version', `HTTP/1.0 200 OK\r\n${DATE}Content-Length: 0\r\n\r\n`],
    ['a status of four digits', `HTTP/1.1 2000 OK\r\n${DATE}Content-Length: 0\r\n\r\n`],
    ['a line that ends in LF', `HTTP/1.1 200 OK\n${DATE}Content-Length: 0\r\n\r\n`],
    ['a CR in a value', `HTTP/1.1 200 OK\r\n${DATE}X: a\rb\r\nContent-Length: 0\r\n\r\n`],
    ['a NUL in a value', `HTTP/1.1 200 OK\r\n${DATE}X: a\0\r\nContent-Length: 0\r\n\r\n`],
    ['a space before the colon', `HTTP/1.1 200 OK\r\n${DATE}X : a\r\nContent-Length: 0\r\n\r\n`],
    ['a folded line', `HTTP/1.1 200 OK\r\n${DATE}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`],
    ['no Date', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['two Dates', `HTTP/1.1 200 OK\r\n${DATE}${DATE}Content-Length: 0\r\n\r\n`],
    ['a Date of another form', 'HTTP/1.1 200 OK\r\nDate: 1994-11-06\r\nContent-Length: 0\r\n\r\n'],
    [
      'two framings',
      `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['two lengths', `HTTP/1.1 200 OK\r\n${DATE}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`],
    ['a length that is none', `HTTP/1.1 200 OK\r\n${DATE}Content-Length: +1\r\n\r\n`],
    ['another coding', `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: gzip\r\n\r\n`],
    [
      'a chunk size with a space',
      `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n`,
    ],
    [
      'a chunk that is too long',
      `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n`,
    ],
    ['a length with 204', `HTTP/1.1 204 No Content\r\n${DATE}Content-Length: 0\r\n\r\n`],
    ['a length with 100', 'HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n'],
  ])('does not take %s', (_what, text) => {
    expect(() => parse(text)).toThrow(MalformedReply)
  })

  test.each([
    ['chunks', `HTTP/1.1 200 OK\r\n${DATE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('does not take %s for HTTP/1.0', (_what, text) => {
    expect(() => parse(text, [OLD])).toThrow(MalformedReply)
  })

  test('leaves what follows a 101', () => {
    const { replies, rest } = parse(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: own\r\n\r\nown bytes',
    )
    expect([replies[0]?.status, rest.toString()]).toEqual([101, 'own bytes'])
  })
})
