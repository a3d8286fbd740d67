/** How answers are sent: streams and their ends, the stop of a server, a connection that is taken over, and who is told. */
import { describe, expect, test } from 'vitest'
import {
  httpHandler,
  HttpError,
  response,
  startHttpServer,
  stream,
  text,
  type AnswerInfo,
  type HttpHandler,
  type HttpRequest,
} from '../../src/http-mini/index.js'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import type { Connection } from '../../src/protocol/connection.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { bodyOf, HttpInMemory, request, statusOf } from '../support/http-in-memory.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

/** A source that tells whether it was closed, and can fail behind its parts. */
function makeSource(parts: readonly (string | Uint8Array)[], failure?: Error) {
  const source = {
    isClosed: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (const part of parts) {
          await loopTurns(1)
          yield part
        }
        if (failure !== undefined) throw failure
      } finally {
        source.isClosed = true
      }
    },
  }
  return source
}

const faults = ({ logger }: HttpInMemory): unknown[] =>
  logger.records.filter(({ level }) => level === 'error').map(({ fields }) => fields['err'])

describe('a streamed answer', () => {
  test('frames text and bytes of any size, and no empty piece', async () => {
    const large = Buffer.alloc(20_000, 'x')
    await using http = new HttpInMemory(() =>
      stream(makeSource(['é', '', Buffer.from('b'), large])),
    )
    const answer = await http.send(request('GET /'))
    expect(bodyOf(answer.slice(0, -4))).toContain('2\r\nÃ©\r\n1\r\nb\r\n4e20\r\nxxx')
    expect(answer.endsWith('x\r\n0\r\n\r\n')).toBe(true)
  })

  test('takes what a queue has at hand', async () => {
    const queue = new BoundedQueue<string>({ maxSize: 9 })
    for (const item of ['a', 'b', '', 'c']) queue.tryPut(item)
    queue.close()
    await using http = new HttpInMemory(() => stream(queue))
    await http.send(request('GET /'))
    expect(http.received).toContain('1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n')
  })

  test('of known length has it, and is just so long', async () => {
    const sized = (length: number) => ({ length, ...makeSource(['hello ', 'world']) })
    await using http = new HttpInMemory(({ path }) => response(sized(Number(path.slice(1)))))
    const whole = await http.send(request('GET /11'))
    expect(whole).toContain('Content-Length: 11\r\n')
    expect(bodyOf(whole)).toBe('hello world')
    expect(bodyOf(await http.send(request('GET /6')))).toBe('hello ')
    await loopTurns(5)
    expect(http.hasEnded).toBe(true)
    expect(String(faults(http)[0])).toContain('longer')
  })

  test('with a length that is none is 500', async () => {
    await using http = new HttpInMemory(() => response({ length: -1, ...makeSource([]) }))
    expect(statusOf(await http.send(request('GET /')))).toBe(500)
  })

  test('that fails is not ended as if it were whole', async () => {
    const failure = new Error('half-way')
    await using http = new HttpInMemory(() => stream(makeSource(['a'], failure)))
    expect(await http.send(request('GET /'))).toMatch(/\r\n1\r\na\r\n$/)
    expect(http.hasEnded).toBe(true)
    expect(faults(http)).toEqual([failure])
    void http.pair.client.close()
    expect(await http.pair.server.closed).toMatchObject({ reason: { kind: 'handler-failed' } })
  })

  test('that fails is reset where its end is that of the connection', async () => {
    const failure = new Error('half-way')
    await using http = new HttpInMemory(() => stream(makeSource(['a'], failure)))
    await http.send('GET / HTTP/1.0\r\n\r\n')
    expect(await http.pair.client.closed).toMatchObject({ reason: { kind: 'reset' } })
  })

  test('of what is neither text nor bytes fails', async () => {
    await using http = new HttpInMemory(() => stream(makeSource([1 as never])))
    await http.send(request('GET /'))
    expect(String(faults(http)[0])).toContain('TypeError: a body is made of text and bytes')
  })

  test('is closed when the client ends its half, and tells its request', async () => {
    let one: HttpRequest | undefined
    const source = makeSource(Array.from({ length: 1000 }, () => 'a'))
    await using http = new HttpInMemory((asked) => {
      one = asked
      expect(asked.signal.aborted).toBe(false)
      return stream(source)
    })
    await http.send(request('GET /'))
    http.pair.client.writer.writeEof()
    await loopTurns(10)
    expect([one?.signal.aborted, source.isClosed, http.hasEnded]).toEqual([true, true, true])
    expect(faults(http)).toEqual([])
  })

  test('goes on when the client ends its half, if it says so', async () => {
    for (const answer of [
      stream(makeSource(['a', 'b', 'c']), { onPeerEnd: 'continue' }),
      response(makeSource(['a', 'b', 'c'])),
    ]) {
      await using http = new HttpInMemory(() => answer)
      http.pair.client.writer.write(request('GET /'))
      http.pair.client.writer.writeEof()
      await loopTurns(30)
      expect(http.received.endsWith('0\r\n\r\n')).toBe(true)
    }
  })

  test('is not begun for a client that has ended its half already', async () => {
    const source = makeSource(['a'])
    await using http = new HttpInMemory(() => loopTurns(5).then(() => stream(source)))
    http.pair.client.writer.write(request('GET /'))
    http.pair.client.writer.writeEof()
    await loopTurns(30)
    expect([http.received, http.hasEnded]).toEqual(['', true])
  })

  test('is closed when the client resets', async () => {
    const source = makeSource(Array.from({ length: 1000 }, () => 'a'))
    await using http = new HttpInMemory(() => stream(source))
    await http.send(request('GET /'))
    http.pair.client.abort()
    await loopTurns(10)
    expect(source.isClosed).toBe(true)
    expect(faults(http)).toEqual([])
  })

  test('takes no more from its source than the client takes', async () => {
    let given = 0
    const endless = {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          given++
          yield Buffer.alloc(16 * 1024)
        }
      },
    }
    await using http = new HttpInMemory(() => stream(endless))
    http.pair.clientTransport.pause()
    await http.send(request('GET /'))
    await loopTurns(50)
    const stalledAt = given
    await loopTurns(50)
    expect(given).toBe(stalledAt)
    expect(http.pair.server.writer.bufferedBytes).toBeLessThan(256 * 1024)
  })

  test('is closed without being read, for HEAD', async () => {
    let wasClosed = false
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('not to be read')),
        return: () => {
          wasClosed = true
          return Promise.resolve({ done: true as const, value: undefined })
        },
      }),
    }
    await using http = new HttpInMemory(() => stream(source))
    const answer = await http.send(request('HEAD /'))
    expect(answer.endsWith('\r\n\r\n')).toBe(true)
    expect(wasClosed).toBe(true)
  })
})

describe('the fields of an answer', () => {
  const answer = async (made: HttpHandler, method = 'GET'): Promise<string> => {
    await using http = new HttpInMemory(made)
    return await http.send(request(`${method} /`))
  }

  test('may have a Date and a Connection of the application’s', async () => {
    const own = await answer(() =>
      text('', { headers: { Date: 'Tue, 15 Nov 1994 08:12:31 GMT', Connection: 'keep-alive' } }),
    )
    expect(own.match(/^Date: /gm)).toHaveLength(1)
    expect(own).not.toContain('Connection')
    expect(await answer(() => text('', { headers: { Connection: 'x-own' } }))).toMatch(
      /^HTTP\/1.1 500/,
    )
  })

  test('may have a Content-Length where it is that of the body', async () => {
    const sized =
      (length: string): HttpHandler =>
      () =>
        text('hello', { headers: { 'Content-Length': length } })
    expect(statusOf(await answer(sized('5')))).toBe(200)
    expect(statusOf(await answer(sized('6')))).toBe(500)
    expect(statusOf(await answer(sized('5x')))).toBe(500)
    const twice: HttpHandler = () => text('hello', { headers: { 'Content-Length': ['5', '5'] } })
    expect(statusOf(await answer(twice))).toBe(500)
  })

  test('have the length that GET would have, for HEAD and 304', async () => {
    const described =
      (status: number): HttpHandler =>
      () =>
        response(undefined, { status, headers: { 'Content-Length': '1234' } })
    expect(await answer(described(200), 'HEAD')).toContain('Content-Length: 1234\r\n')
    expect(await answer(described(304))).toContain('Content-Length: 1234\r\n')
    expect(statusOf(await answer(described(200)))).toBe(500)
  })

  test('have none of what a status does not allow', async () => {
    const reset = await answer(() => response(undefined, { status: 205 }))
    expect(reset).toContain('Content-Length: 0\r\n')
    const unknown = await answer(() => response('a', { status: 299 }))
    expect(unknown).toMatch(/^HTTP\/1\.1 299 \r\n/)
  })

  test('of what is no body is 500', async () => {
    expect(statusOf(await answer(() => response(5 as never)))).toBe(500)
  })
})

describe('what a handler gives', () => {
  test('may be a promise of any kind', async () => {
    // eslint-disable-next-line unicorn/no-thenable
    const thenable = { then: (resolve: (value: string) => void) => resolve('later') }
    await using http = new HttpInMemory(() => thenable as never)
    expect(bodyOf(await http.send(request('GET /')))).toBe('later')
  })

  test('may be an app with handle()', async () => {
    await using http = new HttpInMemory({ handle: () => ({ a: 1 }) })
    expect(bodyOf(await http.send(request('GET /')))).toBe('{"a":1}')
  })

  test('is 500 when it throws, and told once with the request’s id', async () => {
    const failure = new Error('secret')
    await using http = new HttpInMemory(() => {
      throw failure
    })
    const answer = await http.send(request('GET /a?b'))
    expect(statusOf(answer)).toBe(500)
    expect(answer).not.toContain('secret')
    const errors = http.logger.records.filter(({ level }) => level === 'error')
    expect(errors).toHaveLength(1)
    expect(errors[0]?.fields).toMatchObject({ err: failure, method: 'GET', path: '/a' })
    expect(errors[0]?.fields['request']).toBe(`${http.pair.server.id}.1`)
  })

  test('has its fields and message when it is an HttpError', async () => {
    await using http = new HttpInMemory(async () => {
      await loopTurns(1)
      throw new HttpError(429, 'slower', { headers: { 'Retry-After': '5' } })
    })
    const answer = await http.send(request('GET /'))
    expect(answer).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/)
    expect(answer).toContain('Retry-After: 5\r\n')
    expect(bodyOf(answer)).toBe('slower\n')
    expect(faults(http)).toEqual([])
  })

  test('is dropped when the client has gone', async () => {
    await using http = new HttpInMemory(async ({ connection }) => {
      await connection.closed
      return 'too late'
    })
    await http.send(request('GET /'))
    http.pair.client.abort()
    await loopTurns(10)
    expect(faults(http)).toEqual([])
  })
})

describe('upgrade()', () => {
  const fields = ['Connection: Upgrade', 'Upgrade: chat/2, other']

  test('hands over the connection, and what came behind the request', async () => {
    let taken: Connection | undefined
    await using http = new HttpInMemory(async (one) => {
      const { reader, writer } = (taken = one.upgrade({ headers: { 'X-A': 'b' } }))
      expect(() => one.upgrade()).toThrow(TypeError)
      for await (const line of reader.lines()) writer.write(`you said ${line}\n`)
      return null
    })
    const answer = await http.send(`${request('GET /', { fields })}hello\n`)
    expect(answer).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat/2\r\nX-A: b\r\n\r\nyou said hello\n',
    )
    // HTTP's own deadlines hold no more.
    await http.pair.clock.advance(60_000)
    expect(await http.send('there?\n')).toBe('you said there?\n')
    expect(taken).toBe(http.pair.server)
  })

  test('is refused where nobody asks for it', async () => {
    const chat: HttpHandler = (one) => {
      one.upgrade({ protocol: 'chat/2' })
      return null
    }
    await using http = new HttpInMemory(chat)
    const refused = await http.send(request('GET /'))
    expect(statusOf(refused)).toBe(426)
    expect(refused).toContain('Connection: upgrade\r\n')
    expect(refused).toContain('Upgrade: chat/2\r\n')
    const withBody = await http.send(request('POST /', { fields, body: 'abc' }))
    expect(statusOf(withBody)).toBe(400)
    expect(
      statusOf(await http.send('GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n')),
    ).toBe(426)
    await using other = new HttpInMemory((one) => {
      one.upgrade()
      return null
    })
    expect(statusOf(await other.send(request('GET /')))).toBe(400)
  })

  test('is refused after the answer, and a handler that fails after it is cut', async () => {
    let one: HttpRequest | undefined
    await using http = new HttpInMemory((asked) => {
      one = asked
      return ''
    })
    await http.send(request('GET /', { fields }))
    expect(() => one?.upgrade()).toThrow('after the answer')
    await using failing = new HttpInMemory((asked) => {
      asked.upgrade()
      throw new Error('no')
    })
    await failing.send(request('GET /', { fields }))
    expect(await failing.pair.client.closed).toMatchObject({ reason: { kind: 'reset' } })
  })
})

describe('onAnswer', () => {
  test('is told of every answer, whole or not', async () => {
    const told: [path: string, info: AnswerInfo][] = []
    const app: HttpHandler = async ({ path }) => {
      if (path === '/slow') await http.pair.clock.advance(250)
      if (path === '/half') return stream(makeSource(['a'], new Error('half-way')))
      return path
    }
    await using http: HttpInMemory = new HttpInMemory(app, {
      onAnswer: ({ path }, info) => told.push([path, info]),
    })
    const first = await http.send(request('GET /slow'))
    await http.send(request('GET /half'))
    expect(told).toMatchObject([
      ['/slow', { status: 200, bytes: first.length, isWhole: true }],
      ['/half', { status: 200, isWhole: false }],
    ])
    expect(told[0]?.[1].durationMs).toBeGreaterThanOrEqual(250)
  })

  test('that throws cuts its connection and no other', async () => {
    await using http = new HttpInMemory(() => 'a', {
      onAnswer: () => {
        throw new Error('the log is full')
      },
    })
    await http.send(request('GET /'))
    expect(String(faults(http)[0])).toContain('the log is full')
  })
})

describe('startHttpServer()', () => {
  test('answers what was accepted when it stops, and says which answer is the last', async () => {
    const server = await startHttpServer(async ({ path }) => {
      await loopTurns(2)
      return path
    })
    const { openConnection } = await import('../../src/client/open-connection.js')
    await using client = await openConnection(server.address)
    client.writer.write(request('GET /a') + request('GET /b') + request('GET /c'))
    const first = await client.reader.readUntil('\r\n\r\n/a')
    const stopping = server.stop()
    const rest = (await client.reader.readAll()).toString()
    expect(String(first)).not.toContain('close')
    expect(rest.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
    expect(rest.match(/Connection: close/g)).toHaveLength(1)
    expect(rest.indexOf('close')).toBeGreaterThan(rest.indexOf('/b'))
    expect(await stopping).toMatchObject({ aborted: 0 })
  })

  test('ends connections that wait for a next request when it stops', async () => {
    const server = await startHttpServer(() => '')
    const { openConnection } = await import('../../src/client/open-connection.js')
    await using client = await openConnection(server.address)
    client.writer.write(request('GET /'))
    await client.reader.readUntil('\r\n\r\n')
    expect(await server.stop()).toMatchObject({ aborted: 0 })
    expect(await client.reader.read()).toBeNull()
  })

  test.each([
    [{ limits: { headBytes: 0 } }, 'limits.headBytes'],
    [{ limits: { fields: 1.5 } }, 'limits.fields'],
    [{ limits: { bodyBytes: -1 } }, 'limits.bodyBytes'],
    [{ deadlines: { headerMs: 0 } }, 'deadlines.headerMs'],
    [{ deadlines: { keepAliveMs: -1 } }, 'deadlines.keepAliveMs'],
    [{ deadlines: { bodyMs: Number.NaN } }, 'deadlines.bodyMs'],
  ])('refuses the options %j', async (options, name) => {
    await expect(startHttpServer(() => '', options)).rejects.toThrow(name)
    expect(() => httpHandler({} as never)).toThrow(TypeError)
    expect(() => httpHandler(undefined as never)).toThrow(TypeError)
  })
})
