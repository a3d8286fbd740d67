/** Streams of events as clients get them, over TCP. */
import { describe, expect, test } from 'vitest'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import type { EventChannel, SendEvent } from '../../src/http-mini/pushed-events.js'
import { Router } from '../../src/http-mini/router.js'
import { encodeEvent, sse } from '../../src/http-mini/server-sent-events.js'
import { eventually } from '../support/eventually.js'
import { begin, fetchFrom } from '../support/http-fetch.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { serveHttp } from '../support/serve-http.js'
import { dial, receiveAll, send, wasReset } from '../support/wire.js'

guardAgainstLeaks()

interface Client {
  readonly push: SendEvent
  readonly channel: EventChannel
}

/** A router with `/events`, and who has asked for them. */
function events(options: Parameters<typeof sse>[2] = {}): { router: Router; clients: Client[] } {
  const clients: Client[] = []
  const router = new Router().get('/events', (request) =>
    sse(request, (push, channel) => void clients.push({ push, channel }), options),
  )
  return { router, clients }
}

const REQUEST = 'GET /events HTTP/1.1\r\nHost: a\r\n\r\n'

describe('sse(), served,', () => {
  test('sends events as they come, and ends with the channel', async () => {
    const { router, clients } = events()
    const { port } = await serveHttp(router)
    const response = await begin(port, '/events')
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'transfer-encoding': 'chunked',
    })
    let text = ''
    response.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await eventually(() => clients.length === 1 && text === ':\n\n')
    clients[0]?.push({ id: '1', data: 'a\nb' })
    await eventually(() => text.endsWith('id: 1\ndata: a\ndata: b\n\n'))
    clients[0]?.channel.close()
    await eventually(() => response.complete)
  })

  test('answers HEAD without asking for events', async () => {
    const { router, clients } = events()
    const { port } = await serveHttp(router)
    const { status, headers } = await fetchFrom(port, '/events', { method: 'HEAD' })
    expect({ status, type: headers['content-type'] }).toEqual({
      status: 200,
      type: 'text/event-stream',
    })
    expect(clients).toEqual([])
  })

  test.each(['a FIN', 'a reset'])('takes %s for the end', async (end) => {
    const { router, clients } = events()
    const { server, port } = await serveHttp(router)
    const peer = dial({ port })
    peer.resume()
    await send(peer, REQUEST)
    await eventually(() => clients.length === 1)
    expect(clients[0]?.channel.signal.aborted).toBe(false)
    if (end === 'a FIN') peer.end()
    else peer.resetAndDestroy()
    await eventually(() => clients[0]?.channel.signal.aborted === true)
    expect(clients[0]?.push('late')).toBe(false)
    await eventually(() => server.stats.open === 0)
  })

  test('cuts a client that takes nothing, and the others get everything', async () => {
    const { router, clients } = events({ capacity: 4 })
    const { server, port } = await serveHttp(router)
    const stuck = dial({ port })
    await send(stuck, REQUEST)
    await eventually(() => clients.length === 1)
    const quick = dial({ port })
    const received = receiveAll(quick)
    await send(quick, REQUEST)
    await eventually(() => clients.length === 2)
    const block = 'x'.repeat(256 * 1024)
    let sent = 0
    for (; clients[0]?.channel.signal.aborted === false && sent < 1000; sent++) {
      clients[0]?.push(block)
      expect(clients[1]?.push(`${sent}`)).toBe(true)
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    expect(clients[0]?.channel.signal.reason).toMatchObject({ code: 'ERR_STANDPIPE_SLOW_CONSUMER' })
    await eventually(() => server.stats.open === 1)
    expect(await wasReset(stuck)).toBe(true)
    clients[1]?.channel.close()
    quick.end()
    const text = (await received).bytes.toString()
    expect(text.match(/^data: \d+$/gm)).toHaveLength(sent)
  })

  test('sends the same bytes to many', async () => {
    const news = new Broadcaster<Uint8Array>()
    const router = new Router().get('/news', (request) => sse(request, news.subscribe()))
    const { port } = await serveHttp(router)
    const pages = Array.from({ length: 20 }, () => fetchFrom(port, '/news'))
    await eventually(() => news.subscribers === 20)
    for (let at = 0; at < 50; at++) news.publish(encodeEvent(`${at}`))
    news.close()
    const expected = Array.from({ length: 50 }, (_, at) => `data: ${at}\n\n`).join('')
    for (const { body } of await Promise.all(pages)) {
      expect(body.toString()).toBe(`:\n\n${expected}`)
    }
  })

  test('ends cleanly when the server stops', async () => {
    const { router, clients } = events()
    const { server, port } = await serveHttp(router)
    const page = fetchFrom(port, '/events')
    await eventually(() => clients.length === 1)
    expect(await server.stop({ graceMs: 5000 })).toMatchObject({ aborted: 0, stragglers: [] })
    expect((await page).body.toString()).toBe(':\n\n')
    expect(clients[0]?.channel.signal.aborted).toBe(true)
  })

  test('lets go of its subscription when the client leaves', async () => {
    const news = new Broadcaster<string>()
    const router = new Router().get('/news', (request) => sse(request, news.subscribe()))
    const { port } = await serveHttp(router)
    const response = await begin(port, '/news')
    response.resume()
    await eventually(() => news.subscribers === 1)
    response.destroy()
    await eventually(() => news.subscribers === 0)
    expect(news.publish('to nobody')).toBe(0)
  })
})
