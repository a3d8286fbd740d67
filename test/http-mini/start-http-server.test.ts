/** A server of HTTP has what every server has: who is not admitted, and what a connection is held to, in HTTP's own words. */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startHttpServer, type HttpServerOptions } from '../../src/http-mini/index.js'
import type { HttpHandler } from '../../src/http-mini/index.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf } from '../support/serve.js'

guardAgainstLeaks()

async function serveHttp(handler: HttpHandler, options: HttpServerOptions = {}) {
  const server = await startHttpServer(handler, { logger: false, ...options })
  onTestFinished(async () => {
    server.abortClients()
    await server.stop({ graceMs: 100 })
  })
  return server
}

interface Client {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  /** Everything so far. */
  readonly received: () => string
}

async function dial(port: number): Promise<Client> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (data: string) => {
    text += data
  })
  onTestFinished(() => {
    socket.destroy()
  })
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  return { socket, closed, received: () => text }
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

describe('startHttpServer()', () => {
  test('answers 503 to who finds no room, and keeps who has it', async () => {
    const server = await serveHttp(() => 'room', { maxConnections: 1 })
    const port = portOf(server.address)
    const first = await dial(port)
    first.socket.write(GET)
    await eventually(() => {
      expect(first.received()).toContain('room')
    })
    const second = await dial(port)
    second.socket.write(GET)
    await second.closed
    expect(second.received()).toMatch(
      /^HTTP\/1\.1 503 Service Unavailable\r\n(?:.*\r\n)*Date: .*\r\n(?:.*\r\n)*Connection: close\r\n(?:.*\r\n)*\r\ntoo many connections\n$/,
    )
    first.socket.write(GET)
    await eventually(() => {
      expect(first.received().split('room')).toHaveLength(3)
    })
  })

  test('answers 403 to an address that is denied', async () => {
    const server = await serveHttp(() => 'in', { deny: ['127.0.0.0/8'] })
    const { closed, received } = await dial(portOf(server.address))
    await closed
    expect(received()).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
  })

  test('says what else it is told to say, or nothing', async () => {
    const said = await serveHttp(() => '', { deny: ['127.0.0.1'], refusal: 'go\n' })
    const one = await dial(portOf(said.address))
    await one.closed
    expect(one.received()).toBe('go\n')
    const silent = await serveHttp(() => '', { deny: ['127.0.0.1'], refusal: undefined })
    const other = await dial(portOf(silent.address))
    await other.closed
    expect(other.received()).toBe('')
  })

  test('holds a connection that was taken over to the deadlines of any server', async () => {
    const clock = new FakeClock()
    const server = await serveHttp(
      async (one) => {
        const { reader, writer } = one.upgrade()
        for await (const line of reader.lines()) writer.write(`${line}!\n`)
        return null
      },
      { clock, deadlines: { idleMs: 60_000, keepAliveMs: 10 } },
    )
    const { socket, closed, received } = await dial(portOf(server.address))
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    await eventually(() => {
      expect(received()).toContain('101')
    })
    await clock.advance(59_000)
    socket.write('there\n')
    await eventually(() => {
      expect(received()).toContain('there!')
    })
    await clock.advance(61_000)
    await closed
    expect(server.stats.timedOutBy).toEqual({ idle: 1 })
  })

  test('ends a connection that sends nothing as soon as one that sends no head', async () => {
    const clock = new FakeClock()
    const server = await serveHttp(() => '', { clock })
    const { closed, received } = await dial(portOf(server.address))
    await eventually(() => {
      expect(server.stats.open).toBe(1)
    })
    await clock.advance(10_100)
    await closed
    expect(received()).toBe('')
    expect(server.stats.timedOutBy).toEqual({ 'first-byte': 1 })
  })

  test('refuses a deadline without a meaning', async () => {
    for (const name of ['headerMs', 'keepAliveMs', 'bodyMs', 'idleMs', 'firstByteMs'] as const) {
      await expect(startHttpServer(() => '', { deadlines: { [name]: 0 } })).rejects.toThrow(
        `deadlines.${name} must be a number of milliseconds above 0`,
      )
    }
  })
})
