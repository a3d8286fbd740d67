/**
 * Handlers that do what they should not: nothing of it may reach the client as bytes of another meaning, hold what should be
 * let go, or end the process.
 */
import { describe, expect, test } from 'vitest'
import {
  HttpError,
  response,
  stream,
  type BodySource,
  type HttpHandler,
  type HttpRequest,
} from '../../src/http-mini/index.js'
import { ClosedError } from '../../src/errors.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { bodyOf, HttpInMemory, request, statusOf } from '../support/http-in-memory.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

interface TracedSource extends BodySource {
  closed: number
}

/** A source that gives nothing, and counts how often it is closed. */
function tracedSource(): TracedSource {
  const source: TracedSource = {
    closed: 0,
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: true, value: undefined }),
      return: () => {
        source.closed++
        return Promise.resolve({ done: true, value: undefined })
      },
    }),
  }
  return source
}

const errorsOf = ({ logger }: HttpInMemory): unknown[] =>
  logger.records.filter(({ fields }) => 'err' in fields).map(({ fields }) => fields['err'])

/** What the client gets of a handler, and the errors that are logged while the connection goes on. */
async function served(
  handler: HttpHandler,
  bytes = request('GET /'),
): Promise<{ answer: string; next: number; errors: unknown[] }> {
  await using http = new HttpInMemory((one) => (one.path === '/next' ? 'next' : handler(one)))
  const answer = await http.send(bytes)
  const errors = errorsOf(http)
  return { answer, next: statusOf(await http.send(request('GET /next'))), errors }
}

describe('An answer that cannot be sent', () => {
  const evil = 'a\r\nSet-Cookie: b'
  test.each<[string, HttpHandler]>([
    [
      'a field of an HttpError with a line end',
      () => {
        throw new HttpError(400, 'secret', { headers: { 'X-A': evil } })
      },
    ],
    [
      'a Content-Length of an HttpError that is not its own',
      () => {
        throw new HttpError(400, 'secret', { headers: { 'Content-Length': '99' } })
      },
    ],
    [
      'a rejection with such an HttpError',
      () => Promise.reject(new HttpError(400, 'secret', { headers: { 'X-A': evil } })),
    ],
    [
      'a status that a middleware has made a text',
      () => {
        const made = response('secret')
        ;(made as { status: unknown }).status = `200 ${evil}`
        return made
      },
    ],
    [
      'a status of 1xx',
      () => {
        const made = response('secret')
        made.status = 103
        return made
      },
    ],
    [
      'a source that cannot be begun',
      () => ({
        [Symbol.asyncIterator]: () => {
          throw new Error('secret')
        },
      }),
    ],
  ])('%s is 500, logged once, and the connection goes on', async (_name, handler) => {
    const { answer, next, errors } = await served(handler)
    expect(statusOf(answer)).toBe(500)
    expect(answer).not.toContain('secret')
    expect(answer).not.toContain('Set-Cookie')
    expect(errors).toHaveLength(1)
    expect(next).toBe(200)
  })

  test('lets its source go', async () => {
    const source = tracedSource()
    const { answer } = await served(() =>
      response(source, { headers: { 'Transfer-Encoding': 'chunked' } }),
    )
    expect(statusOf(answer)).toBe(500)
    expect(source.closed).toBe(1)
  })

  test('lets its source go when there is nobody to send it to', async () => {
    const source = tracedSource()
    await using http = new HttpInMemory((one) => {
      one.connection.abort()
      return stream(source)
    })
    await http.send(request('GET /'))
    expect(source.closed).toBe(1)
  })

  test.each([204, 205, 304])('a body with %i is not sent, and let go', async (status) => {
    const source = tracedSource()
    const { answer, next } = await served(() => response(source, { status }))
    expect(statusOf(answer)).toBe(status)
    expect(bodyOf(answer)).toBe('')
    expect(source.closed).toBe(1)
    expect(next).toBe(200)
  })

  test('205 says that it has no content', async () => {
    const { answer } = await served(() => response('form', { status: 205 }))
    expect(answer).toContain('\r\nContent-Length: 0\r\n')
    expect(bodyOf(answer)).toBe('')
  })

  test('a stream that fails has one line in the log', async () => {
    await using http = new HttpInMemory(() => stream(failing()))
    await http.send(request('GET /'))
    http.pair.client.abort()
    await http.pair.server.closed
    expect(errorsOf(http)).toEqual([new Error('half-way')])
  })
})

async function* failing(): AsyncGenerator<string> {
  yield 'half'
  await loopTurns(1)
  throw new Error('half-way')
}

describe('upgrade()', () => {
  const fields = ['Connection: keep-alive, Upgrade', 'Upgrade: chat/2, other']
  const asking = request('GET /', { fields })

  test.each<[string, (one: HttpRequest) => unknown]>([
    ['a protocol with a line end', (one) => one.upgrade({ protocol: 'chat\r\nX-Evil: 1' })],
    ['a field with a line end', (one) => one.upgrade({ headers: { 'X-A': 'b\r\nX-Evil: 1' } })],
    ['a Content-Length', (one) => one.upgrade({ headers: { 'Content-Length': '5' } })],
    ['a Transfer-Encoding', (one) => one.upgrade({ headers: { 'transfer-encoding': 'chunked' } })],
    ['a Connection', (one) => one.upgrade({ headers: { Connection: 'close' } })],
    ['an Upgrade', (one) => one.upgrade({ headers: { Upgrade: 'another' } })],
  ])('with %s is a TypeError, and HTTP goes on', async (_name, upgrade) => {
    const { answer, next, errors } = await served((one) => {
      upgrade(one)
      return null
    }, asking)
    expect(statusOf(answer)).toBe(500)
    expect(answer).not.toContain('Evil')
    expect(errors).toEqual([expect.any(TypeError)])
    expect(next).toBe(200)
  })

  test('goes over to no protocol that the client has not asked for (RFC 9110 7.8)', async () => {
    const { answer, next } = await served((one) => one.upgrade({ protocol: 'chat/3' }), asking)
    expect(statusOf(answer)).toBe(426)
    expect(answer).toContain('\r\nUpgrade: chat/3\r\n')
    expect(next).toBe(200)
  })

  test('is told of as 101, once', async () => {
    const told: number[] = []
    await using http = new HttpInMemory(
      (one) => {
        one.upgrade()
        return null
      },
      {
        onAnswer: (_, { status, bytes, isWhole }) => {
          told.push(status)
          expect([bytes > 0, isWhole]).toEqual([true, true])
        },
      },
    )
    await http.send(asking)
    expect(told).toEqual([101])
  })

  test('finds the protocol among those that are asked for, whatever its case', async () => {
    await using http = new HttpInMemory((one) => {
      one.upgrade({ protocol: 'Other' })
      return null
    })
    expect(await http.send(asking)).toContain('\r\nUpgrade: Other\r\n')
  })

  test('passes over what is no protocol', async () => {
    const take: HttpHandler = (one) => {
      one.upgrade()
      return null
    }
    const odd = request('GET /', { fields: ['Connection: upgrade', 'Upgrade: h\xe9, a b, , good'] })
    await using http = new HttpInMemory(take)
    expect(await http.send(odd)).toContain('\r\nUpgrade: good\r\n')
    const none = request('GET /', { fields: ['Connection: upgrade', 'Upgrade: h\xe9'] })
    expect(statusOf((await served(take, none)).answer)).toBe(400)
  })
})

describe('A body that is read and not awaited', () => {
  test('ends no process when it breaks a rule', async () => {
    // The guard against leaks sees a rejection that nobody handles.
    const { answer } = await served((one) => {
      void one.bytes()
      void one.text()
      void one.json()
      void one.body.read()
      return 'at once'
    }, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnone')
    expect(statusOf(answer)).toBe(200)
  })

  test('is closed by the answer, which reads the rest for itself', async () => {
    let reading = watch(Promise.resolve<unknown>(undefined))
    await using http = new HttpInMemory((one) => {
      if (one.path === '/next') return 'next'
      reading = watch(one.body.read().then(() => one.body.read()))
      return 'at once'
    })
    const first = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe'
    expect(statusOf(await http.send(first))).toBe(200)
    expect(await rejection(reading.promise)).toBeInstanceOf(ClosedError)
    expect(bodyOf(await http.send(`llo${request('GET /next')}`))).toBe('next')
  })

  test('that waits for bytes when the answer comes is the end of the connection', async () => {
    let reading = watch(Promise.resolve<unknown>(undefined))
    await using http = new HttpInMemory(async (one) => {
      reading = watch(one.bytes())
      await loopTurns(2)
      return 'soon'
    })
    const first = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe'
    expect(statusOf(await http.send(first))).toBe(200)
    expect(http.hasEnded).toBe(true)
    expect(await rejection(reading.promise)).toBeInstanceOf(ClosedError)
  })
})

test('100 Continue is no part of an answer that has begun, which is the last', async () => {
  await using http = new HttpInMemory((one) =>
    stream(
      (async function* early() {
        yield 'early '
        yield await one.text()
      })(),
    ),
  )
  const fields = ['Expect: 100-continue', 'Content-Length: 5']
  const begun = await http.send(request('POST /', { fields }))
  expect(begun).toContain('\r\nConnection: close\r\n')
  expect(begun).not.toContain('100')
  expect(await http.send('hello')).toBe('5\r\nhello\r\n0\r\n\r\n')
  expect(http.hasEnded).toBe(true)
})

test('A body that breaks its framing within an answer cuts that short, and is no fault of the handler', async () => {
  await using http = new HttpInMemory((one) => stream(one.body))
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  const answer = await http.send(`${head}2\r\nab\r\nnone\r\n`)
  expect(answer.endsWith('\r\n\r\n2\r\nab\r\n')).toBe(true)
  expect(http.hasEnded).toBe(true)
  expect(http.logger.records.map(({ level }) => level)).toEqual(['info'])
})

test('A client that is gone before its body was read is no fault of the handler', async () => {
  await using http = new HttpInMemory(async (one) => {
    one.connection.abort()
    throw new HttpError(400, 'never sent')
  })
  await http.send(request('GET /'))
  await http.pair.server.closed
  expect(http.logger.records.map(({ level }) => level)).toEqual(['info'])
})

describe('A request that is used after its answer', () => {
  test('has a body that is closed and a signal that stays as it is', async () => {
    let kept: HttpRequest | undefined
    {
      await using http = new HttpInMemory((one) => {
        kept = one
        return 'answered'
      })
      const fields = ['Connection: close', 'Content-Length: 5']
      expect(statusOf(await http.send(request('POST /', { fields })))).toBe(200)
      expect(await rejection((kept as HttpRequest).bytes())).toBeInstanceOf(ClosedError)
      expect(kept?.signal.aborted).toBe(false)
      expect(kept?.signal).toBe(kept?.signal)
    }
    expect(kept?.signal.aborted).toBe(false)
  })

  test('knows that its client has left, whenever it is asked', async () => {
    let kept: HttpRequest | undefined
    await using http = new HttpInMemory((one) => {
      kept = one
      return stream(
        (async function* endless() {
          for (;;) {
            yield 'more'
            await loopTurns(1)
          }
        })(),
      )
    })
    await http.send(request('GET /'))
    http.pair.client.writer.writeEof()
    await http.pair.server.closed
    expect(kept?.signal.aborted).toBe(true)
  })
})

test('RequestBody.bytes() makes one body of a hundred thousand chunks of one byte', async () => {
  const size = 100_000
  let body: Buffer | undefined
  await using http = new HttpInMemory(async (one) => {
    body = await one.bytes()
    return 'read'
  })
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  http.pair.client.writer.write(head)
  for (let sent = 0; sent < size; sent += 1000) {
    http.pair.client.writer.write('1\r\nx\r\n'.repeat(1000))
    await http.pair.client.writer.drain()
  }
  expect(statusOf(await http.send('0\r\n\r\n'))).toBe(200)
  expect(body?.length).toBe(size)
  expect(body?.every((octet) => octet === 0x78)).toBe(true)
})
