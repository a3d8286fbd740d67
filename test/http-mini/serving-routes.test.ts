/** A router's answers as clients get them, over TCP. */
import { describe, expect, test } from 'vitest'
import { HttpError } from '../../src/http-mini/http-error.js'
import { json } from '../../src/http-mini/http-response.js'
import { Router } from '../../src/http-mini/router.js'
import { fetchFrom, type FetchOptions } from '../support/http-fetch.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { serveHttp } from '../support/serve-http.js'
import { dial, receiveAll } from '../support/wire.js'

guardAgainstLeaks()

describe('Router, served,', () => {
  const api = new Router()
    .get('/users/:id', ({ params }) => ({ id: params.id }))
    .post('/users', async (request) => json(await request.json(), { status: 201 }))
    .get('/late', async () => {
      await Promise.resolve()
      return 'late'
    })
    .get('/none', () => null)
    .get('/fails', () => {
      throw new Error('secret')
    })
    .get('/refuses', () => Promise.reject(new HttpError(418, 'short and stout')))
  const router = new Router()
    .get('/', () => 'hello')
    .mount('/api', api)
    .use('/api', async (_request, next) => {
      const response = await next()
      response.headers.set('x-api', 'yes')
      return response
    })

  const ask = async (path: string, options?: FetchOptions): Promise<unknown[]> => {
    const { port } = await serveHttp(router)
    const { status, headers, body } = await fetchFrom(port, path, options)
    const allow = headers['allow']
    return [status, body.toString(), ...(allow === undefined ? [] : [allow])]
  }

  test('answers what its handlers give', async () => {
    expect(await ask('/')).toEqual([200, 'hello'])
    expect(await ask('/api/users/a%20b?x=1')).toEqual([200, '{"id":"a b"}'])
    expect(await ask('/api/late')).toEqual([200, 'late'])
    expect(await ask('/api/none')).toEqual([204, ''])
    const post = { method: 'POST', body: '{"name":"ada"}' }
    expect(await ask('/api/users', post)).toEqual([201, '{"name":"ada"}'])
  })

  test('answers what its handlers throw', async () => {
    expect(await ask('/api/refuses')).toEqual([418, expect.stringContaining('short and stout')])
    const [status, body] = await ask('/api/fails')
    expect(status).toBe(500)
    expect(body).not.toContain('secret')
  })

  test('answers where it has no route', async () => {
    expect(await ask('/x')).toEqual([404, 'there is nothing by that path\n'])
    expect(await ask('/%C0%80')).toEqual([400, 'the path has an escape that is none\n'])
    expect(await ask('/', { method: 'POST', body: 'x' })).toEqual([
      405,
      expect.any(String),
      'GET, HEAD, OPTIONS',
    ])
    expect(await ask('/', { method: 'DELETE' })).toEqual([501, 'DELETE is not known here\n'])
    expect(await ask('/', { method: 'OPTIONS' })).toEqual([204, '', 'GET, HEAD, OPTIONS'])
    expect(await ask('*', { method: 'OPTIONS' })).toEqual([204, '', 'GET, HEAD, OPTIONS, POST'])
    expect(await ask('http://example.com/api/users/7')).toEqual([200, '{"id":"7"}'])
  })

  test('answers HEAD as GET, without the body', async () => {
    const { port } = await serveHttp(router)
    const { status, headers, body } = await fetchFrom(port, '/', { method: 'HEAD' })
    expect([status, headers['content-length'], body.length]).toEqual([200, '5', 0])
  })

  test('answers pipelined requests in order, whether their handlers wait or not', async () => {
    const { port } = await serveHttp(router)
    const peer = dial({ port })
    const paths = ['/api/late', '/', '/nothing', '/api/users/1', '/api/late']
    peer.end(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
    const text = (await receiveAll(peer)).bytes.toString()
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(
      [200, 200, 404, 200, 200].map((status) => `HTTP/1.1 ${status}`),
    )
    expect(text.indexOf('hello')).toBeLessThan(text.indexOf('{"id":"1"}'))
    expect(text.match(/^x-api: yes/gim)).toHaveLength(3)
  })
})
