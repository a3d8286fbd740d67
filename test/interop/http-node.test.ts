/** The clients that Node has: fetch, and node:http with its agent. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { Socket } from 'node:net'
import { text as textOf } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { Router } from '../../src/http-mini/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { serveHttp } from '../support/serve-http.js'
import { makeShop } from './http-shop.js'

guardAgainstLeaks()

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('fetch', () => {
  test('has text, JSON and 204', async () => {
    const { origin } = await serveHttp(makeShop().router)
    expect(await (await fetch(`${origin}/`)).text()).toBe('hello\n')
    expect(await (await fetch(`${origin}/json`)).json()).toEqual({ hello: 'world' })
    const nothing = await fetch(`${origin}/nothing`)
    expect([nothing.status, await nothing.text()]).toEqual([204, ''])
  })

  test('asks fifty times in turn on few connections', async () => {
    const { origin, server } = await serveHttp(makeShop().router)
    for (let i = 0; i < 50; i++) expect(await (await fetch(`${origin}/`)).text()).toBe('hello\n')
    expect(server.stats.accepted).toBeLessThanOrEqual(3)
  })

  test('has its own answer to each of 200 requests at once', async () => {
    const router = new Router().get('/item/:id', ({ params }) => params.id)
    const { origin } = await serveHttp(router)
    const ids = Array.from({ length: 200 }, (_, i) => String(i))
    const answers = await Promise.all(
      ids.map(async (id) => await (await fetch(`${origin}/item/${id}`)).text()),
    )
    expect(answers).toEqual(ids)
  })

  test('gets back the bytes that it has posted', async () => {
    const { origin } = await serveHttp(makeShop().router)
    const bytes = randomBytes(1_000_000)
    const answer = await fetch(`${origin}/echo`, { method: 'POST', body: bytes })
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes))
  })

  test('streams a body up', async () => {
    const { origin } = await serveHttp(makeShop().router)
    async function* parts(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 20; i++) {
        yield randomBytes(10_000)
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
    }
    const answer = await fetch(`${origin}/count`, {
      method: 'POST',
      body: ReadableStream.from(parts()),
      duplex: 'half',
    })
    expect(await answer.json()).toEqual({ bytes: 200_000 })
  })

  test('has the first part of a stream before there is a second', async () => {
    const shop = makeShop()
    const { origin } = await serveHttp(shop.router)
    const { body } = await fetch(`${origin}/gated`)
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    const first = await reader.read()
    shop.gate.resolve()
    const second = await reader.read()
    expect([first, second].map(({ value }) => Buffer.from(value ?? []).toString())).toEqual([
      'first',
      'second',
    ])
    expect(await reader.read()).toMatchObject({ done: true })
  })

  test('that goes away in the middle of an endless answer ends it', async () => {
    const shop = makeShop()
    const { origin } = await serveHttp(shop.router)
    const controller = new AbortController()
    const { body } = await fetch(`${origin}/endless`, { signal: controller.signal })
    await (body as ReadableStream<Uint8Array>).getReader().read()
    controller.abort()
    expect(await shop.left.promise).toBeUndefined()
  })

  test('has a 413 for what it uploads too much', async () => {
    const { origin } = await serveHttp(makeShop().router)
    const answer = await fetch(`${origin}/echo`, { method: 'POST', body: randomBytes(1_500_000) })
    expect(answer.status).toBe(413)
    await answer.text()
  })
})

describe('node:http', () => {
  test('an agent that keeps connections asks on one, as often as it likes', async () => {
    const { port, server } = await serveHttp(makeShop().router)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    for (let i = 0; i < 20; i++) {
      const request = http.get({ port, host: '127.0.0.1', path: '/json', agent })
      const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
      expect(await textOf(answer)).toBe('{"hello":"world"}')
    }
    agent.destroy()
    expect(server.stats.accepted).toBe(1)
  })

  test('is told to continue', async () => {
    const { port } = await serveHttp(makeShop().router)
    const request = http.request({
      port,
      host: '127.0.0.1',
      path: '/echo',
      method: 'POST',
      agent: false,
      headers: { Expect: '100-continue', 'Content-Length': 5 },
    })
    request.flushHeaders()
    await once(request, 'continue')
    request.end('hello')
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
    expect(await textOf(answer)).toBe('hello')
  })

  test('sends trailers, and is answered', async () => {
    const { port } = await serveHttp((request) =>
      request.bytes().then(() => request.trailers?.get('x-sum') ?? 'none'),
    )
    const request = http.request({
      port,
      host: '127.0.0.1',
      path: '/',
      method: 'POST',
      agent: false,
      headers: { 'Transfer-Encoding': 'chunked', Trailer: 'X-Sum' },
    })
    request.write('hello')
    request.addTrailers({ 'X-Sum': '5' })
    request.end()
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
    expect(await textOf(answer)).toBe('5')
  })

  test('upgrades, and then the connection is its own', async () => {
    const { port } = await serveHttp(async (request) => {
      const { reader, writer } = request.upgrade()
      writer.write(`own: ${await reader.readLine()}\n`)
      await writer.flush()
      return null
    })
    const request = http.get({
      port,
      host: '127.0.0.1',
      agent: false,
      headers: { Connection: 'Upgrade', Upgrade: 'own' },
    })
    const [answer, socket] = (await once(request, 'upgrade')) as [http.IncomingMessage, Socket]
    expect(answer.statusCode).toBe(101)
    socket.end('hello\n')
    expect(await textOf(socket)).toBe('own: hello\n')
  })
})
