/** What a handler sees of a request, and what it can do with a body. */
import { describe, expect, test } from 'vitest'
import type { HttpRequest } from '../../src/http-mini/index.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { bodyOf, HttpInMemory, request, statusOf } from '../support/http-in-memory.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

/** What `look` makes of a request. */
async function seen(bytes: string, look: (request: HttpRequest) => unknown): Promise<unknown> {
  let found: unknown
  await using http = new HttpInMemory(async (one) => {
    found = await look(one)
    return 'seen'
  })
  expect(statusOf(await http.send(bytes))).toBe(200)
  return found
}

/** The status of the answer of a handler that reads the body so. */
async function statusOfReading(
  fields: readonly string[],
  body: string,
  read: (request: HttpRequest) => Promise<unknown>,
): Promise<number> {
  await using http = new HttpInMemory(async (one) => ({ read: await read(one) }))
  return statusOf(await http.send(request('POST /', { fields, body })))
}

describe('HttpRequest', () => {
  test('has the parts of its head', async () => {
    const bytes = request('GET /a%20b?c=d&c=%C3%A9', { fields: ['X-One: 1', 'x-one:2'] })
    await seen(bytes, (one) => {
      expect(one).toMatchObject({
        method: 'GET',
        target: '/a%20b?c=d&c=%C3%A9',
        path: '/a%20b',
        queryString: 'c=d&c=%C3%A9',
        version: '1.1',
        host: 'a',
      })
      expect(one.query.getAll('c')).toEqual(['d', 'é'])
      expect(one.query).toBe(one.query)
      expect(one.headers.get('X-ONE')).toBe('1, 2')
      expect(one.headers.getAll('x-one')).toEqual(['1', '2'])
      expect(one.headers.has('x-two')).toBe(false)
      expect(one.headers.get('x-two')).toBeUndefined()
      expect(one.headers.size).toBe(3)
      expect([...one.headers]).toEqual([
        ['host', 'a'],
        ['x-one', '1'],
        ['x-one', '2'],
      ])
      expect(Object.getPrototypeOf(one.params)).toBeNull()
      expect(one.id).toBe(`${one.connection.id}.1`)
    })
  })

  test('OPTIONS with an absolute form without a path is about the server', async () => {
    await seen(request('OPTIONS http://a'), ({ path }) => {
      expect(path).toBe('*')
    })
  })

  test('HTTP/1.0 needs no Host', async () => {
    await seen('GET / HTTP/1.0\r\n\r\n', ({ host, version }) => {
      expect([host, version]).toEqual([undefined, '1.0'])
    })
  })

  test('its signal aborts when the connection is gone, and leaves no listener', async () => {
    let signal: AbortSignal | undefined
    await using http = new HttpInMemory((one) => {
      signal = one.signal
      expect(one.signal).toBe(signal)
      return new Promise(() => {})
    })
    await http.send(request('GET /'))
    expect(signal?.aborted).toBe(false)
    http.pair.client.abort()
    await loopTurns(3)
    expect(signal?.aborted).toBe(true)
  })

  test('its signal does not abort once it was answered', async () => {
    let signal: AbortSignal | undefined
    {
      await using http = new HttpInMemory((one) => {
        signal = one.signal
        return ''
      })
      await http.send(request('GET /'))
    }
    expect(signal?.aborted).toBe(false)
  })
})

describe('RequestBody', () => {
  test('gives its bytes as they come, and its end', async () => {
    const chunks: string[] = []
    await using http = new HttpInMemory(async ({ body }) => {
      for await (const chunk of body) chunks.push(chunk.toString())
      expect(await body.read()).toBeNull()
      expect(body).toMatchObject({ isEnded: true, receivedBytes: 6, trailers: undefined })
      return 'read'
    })
    await http.send(request('POST /', { fields: ['Content-Length: 6'] }))
    await http.send('abc')
    expect(bodyOf(await http.send('def'))).toBe('read')
    expect(chunks).toEqual(['abc', 'def'])
  })

  test('read() gives no more than it is asked for, of both framings', async () => {
    const read = async ({ body }: HttpRequest): Promise<string[]> => {
      const pieces: string[] = [String(await body.read(0))]
      for (let piece = await body.read(2); piece !== null; piece = await body.read(2)) {
        pieces.push(piece.toString())
      }
      return pieces
    }
    const pieces = ['', 'ab', 'cd', 'e']
    expect(await seen(request('POST /', { body: 'abcde' }), read)).toEqual(pieces)
    const chunked = request('POST /', { fields: ['Transfer-Encoding: chunked'] })
    expect(await seen(`${chunked}5\r\nabcde\r\n0\r\n\r\n`, read)).toEqual(pieces)
    expect(await rejection(seenRejection((body) => body.read(-1)))).toBeInstanceOf(RangeError)
  })

  test('has the trailers behind a chunked body', async () => {
    const chunked = request('POST /', { fields: ['Transfer-Encoding: chunked'] })
    await seen(`${chunked}1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n`, async (one) => {
      expect(one.trailers).toBeUndefined()
      expect(await one.text()).toBe('a')
      expect(one.trailers?.get('x-sum')).toBe('1')
    })
  })

  test('is empty where there is none', async () => {
    await seen(request('GET /'), async (one) => {
      expect(await one.body.read()).toBeNull()
      expect((await one.bytes()).length).toBe(0)
      expect(await one.text()).toBe('')
    })
  })

  test('text() goes by the charset', async () => {
    const text = (one: HttpRequest): Promise<string> => one.text()
    const typed = (type: string, body: string): string =>
      request('POST /', { fields: [`Content-Type: ${type}`], body })
    expect(await seen(typed('text/plain; charset="ISO-8859-1"', 'é'), text)).toBe('é')
    expect(await seen(typed('text/plain; charset=UTF-8', 'Ã©'), text)).toBe('é')
    expect(await seen(typed('text/plain', 'Ã©'), text)).toBe('é')
    const status = (type: string, body: string): Promise<number> =>
      statusOfReading([`Content-Type: ${type}`], body, text)
    expect(await status('text/plain; charset=koi8-r', 'a')).toBe(415)
    expect(await status('text/plain', '\xff')).toBe(400)
  })

  test('text() and json() refuse a content coding, bytes() does not', async () => {
    const coded = ['Content-Encoding: gzip']
    expect(await statusOfReading(coded, 'a', (one) => one.text())).toBe(415)
    expect(await statusOfReading(coded, '1', (one) => one.json())).toBe(415)
    expect(await statusOfReading(coded, 'a', (one) => one.bytes())).toBe(200)
    expect(await statusOfReading(['Content-Encoding: identity'], 'a', (one) => one.text())).toBe(
      200,
    )
  })

  test('json() parses, and refuses what is none', async () => {
    const json = (one: HttpRequest): Promise<unknown> => one.json()
    expect(await seen(request('POST /', { body: '{"a":[1]}' }), json)).toEqual({ a: [1] })
    expect(await seen(request('POST /', { body: 'ï»¿[]' }), json)).toEqual([])
    expect(await statusOfReading([], '{', json)).toBe(400)
    expect(await statusOfReading([], '', json)).toBe(400)
    expect(await statusOfReading(['Content-Type: a/b; charset=latin1'], '1', json)).toBe(415)
  })

  test('takes no more than its limit, which a route may set', async () => {
    const fields = ['Transfer-Encoding: chunked']
    const chunks = '4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n'
    for (const maxBytes of [7, 8]) {
      await using http = new HttpInMemory((one) => one.bytes({ maxBytes }))
      const chunked = await http.send(request('POST /', { fields }) + chunks)
      expect(statusOf(chunked)).toBe(maxBytes === 8 ? 200 : 413)
    }
    await using http = new HttpInMemory(
      async ({ body }) => {
        expect(body.maxBytes).toBe(3)
        expect(() => {
          body.maxBytes = -1
        }).toThrow(RangeError)
        body.maxBytes = 5
        return await body.bytes()
      },
      { limits: { bodyBytes: 3 } },
    )
    expect(bodyOf(await http.send(request('POST /', { body: 'abcde' })))).toBe('abcde')
    expect(statusOf(await http.send(request('POST /', { body: 'abcdef' })))).toBe(413)
  })

  test('cannot be read once the request was answered', async () => {
    let body: HttpRequest['body'] | undefined
    await using http = new HttpInMemory((one) => {
      body = one.body
      return 'early'
    })
    await http.send(request('POST /', { body: 'abc' }))
    // It was read and dropped, to use the connection again.
    expect(await body?.read()).toBeNull()
    await http.send(request('POST /', { fields: ['Content-Length: 3'] }))
    expect(http.hasEnded).toBe(false)
    expect(statusOf(await http.send('abc' + request('GET /')))).toBe(200)
  })

  test('a read that times out or is aborted takes nothing', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    await using http = new HttpInMemory(async ({ body }) => {
      const late = watch(body.read(9, { timeoutMs: 100 }))
      await http.pair.clock.advance(120)
      expect(late.error).toMatchObject({ code: 'ERR_STANDPIPE_TIMED_OUT', phase: 'call' })
      const aborted = watch(body.read(9, { signal: controller.signal }))
      controller.abort(reason)
      await loopTurns(2)
      expect(aborted.error).toBe(reason)
      return await body.bytes()
    })
    await http.send(request('POST /', { fields: ['Content-Length: 3'] }))
    expect(bodyOf(await http.send('abc'))).toBe('abc')
  })

  test('has a second more for each 16 KiB, and 408 when it is over', async () => {
    await using http = new HttpInMemory((one) => one.bytes(), { deadlines: { bodyMs: 1000 } })
    const { clock } = http.pair
    await http.send(request('POST /', { fields: ['Content-Length: 65536'] }))
    await http.send('x'.repeat(32 * 1024))
    await clock.advance(2900)
    expect(http.received).toBe('')
    await clock.advance(300)
    await loopTurns(5)
    expect(statusOf(http.received)).toBe(408)
    await loopTurns(5)
    expect(http.hasEnded).toBe(true)
  })
})

/** What a read of a body of three bytes rejects with. */
async function seenRejection(read: (body: HttpRequest['body']) => Promise<unknown>): Promise<void> {
  let error: unknown
  await seen(request('POST /', { body: 'abc' }), async ({ body }) => {
    error = await rejection(read(body))
  })
  throw error
}
