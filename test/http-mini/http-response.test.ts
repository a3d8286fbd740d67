import { describe, expect, test } from 'vitest'
import {
  html,
  HttpError,
  HttpResponse,
  json,
  redirect,
  response,
  stream,
  text,
} from '../../src/http-mini/index.js'
import { toResponse } from '../../src/http-mini/http-response.js'

async function* parts(): AsyncGenerator<string> {
  yield 'a'
}

const typeOf = ({ headers }: HttpResponse): string | undefined => headers.get('content-type')

describe('the helpers of responses', () => {
  test('give each body its type', () => {
    expect(typeOf(text('a'))).toBe('text/plain; charset=utf-8')
    expect(typeOf(html('a'))).toBe('text/html; charset=utf-8')
    expect(typeOf(json({}))).toBe('application/json')
    expect(typeOf(stream(parts()))).toBe('application/octet-stream')
    expect(typeOf(response('a'))).toBeUndefined()
    expect(typeOf(json({}, { headers: { 'content-type': 'application/problem+json' } }))).toBe(
      'application/problem+json',
    )
  })

  test('take a status', () => {
    expect(json({ a: 1 }, { status: 201 })).toMatchObject({ status: 201, body: '{"a":1}' })
    expect(new HttpResponse().status).toBe(200)
    for (const status of [100, 199, 600, 200.5, Number.NaN]) {
      expect(() => response('', { status })).toThrow(RangeError)
    }
  })

  test('redirect() sends elsewhere', () => {
    expect(redirect('/a').headers.get('location')).toBe('/a')
    expect(redirect('/a').status).toBe(302)
    expect(redirect('/a', 308).status).toBe(308)
    expect(() => redirect('/a', 200)).toThrow(RangeError)
    expect(() => redirect('/a\r\nX: b')).toThrow(TypeError)
  })

  test('json() refuses what has none', () => {
    expect(() => json(undefined)).toThrow('undefined')
    expect(() => json(() => {})).toThrow(TypeError)
    expect(() => json(1n)).toThrow(TypeError)
  })

  test('a FIN ends a stream() and no other response, unless it says so', () => {
    expect(stream(parts()).onPeerEnd).toBe('abort')
    expect(stream(parts(), { onPeerEnd: 'continue' }).onPeerEnd).toBe('continue')
    expect(response(parts()).onPeerEnd).toBe('continue')
  })

  test('toResponse() knows what a result stands for', () => {
    const made = response('a')
    expect(toResponse(made)).toBe(made)
    expect(typeOf(toResponse('a'))).toContain('text/plain')
    expect(typeOf(toResponse(Buffer.from('a')))).toBe('application/octet-stream')
    expect(typeOf(toResponse(parts()))).toBe('application/octet-stream')
    expect(toResponse(null)).toMatchObject({ status: 204, body: undefined })
    expect(toResponse([1, 2])).toMatchObject({ body: '[1,2]' })
    expect(() => toResponse(undefined as never)).toThrow(TypeError)
  })
})

describe('HttpError', () => {
  test('has a status, fields and a cause', () => {
    const cause = new Error('secret')
    const error = new HttpError(405, 'no', { cause, headers: { Allow: 'GET' } })
    expect(error).toMatchObject({
      name: 'HttpError',
      code: 'ERR_STANDPIPE_HTTP',
      status: 405,
      message: 'no',
      headers: { Allow: 'GET' },
      retryable: false,
    })
    expect(error.cause).toBe(cause)
    expect(new HttpError(503, 'later').retryable).toBe(true)
    expect(new HttpError(404, 'no').cause).toBeUndefined()
  })

  test.each([200, 399, 600, 404.5])('refuses the status %d', (status) => {
    expect(() => new HttpError(status, 'no')).toThrow(RangeError)
  })
})
