/** The fault proxy between real sockets: what a memory pair cannot show. */
import { once } from 'node:events'
import net from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import { deferred } from '../../src/concurrency/deferred.js'
import { ListenError } from '../../src/errors.js'
import { describeAddress, type Connection } from '../../src/protocol/connection.js'
import type { Handler } from '../../src/protocol/handler.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { startServer } from '../../src/server/start-server.js'
import {
  FaultProxy,
  startResettingPeer,
  type FaultProxyEvent,
  type FaultProxyServerOptions,
} from '../../src/testing/index.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'
import { portOf, serve } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

type Options = Partial<FaultProxyServerOptions>

async function proxyTo(port: number, options: Options = {}): Promise<FaultProxy> {
  const proxy = await FaultProxy.start({ target: { port }, seed: 1, ...options })
  onTestFinished(() => proxy[Symbol.asyncDispose]())
  return proxy
}

/** A proxy before a server that runs the handler, by default the echo. */
async function proxyBefore(
  options: Options = {},
  handler: Handler = lineEcho({ prefix: '' }),
): Promise<FaultProxy> {
  return await proxyTo(portOf((await serve(handler)).address), options)
}

async function connectTo(proxy: FaultProxy): Promise<Connection> {
  const connection = await openConnection({ ...proxy.address, logger: false })
  onTestFinished(() => {
    connection.abort()
  })
  return connection
}

async function ask({ reader, writer }: Connection, line: string): Promise<string | null> {
  writer.write(`${line}\n`)
  return await reader.readLine()
}

describe('FaultProxy.start()', () => {
  test('leads each connection to the target, half-closes included', async () => {
    const proxy = await proxyBefore()
    const connection = await connectTo(proxy)
    expect(await ask(connection, 'hello')).toBe('hello')
    connection.writer.write('last words')
    connection.writer.writeEof()
    expect((await connection.reader.readAll()).toString()).toBe('last words')
    expect((await connection.closed).reason.kind).toBe('ended')
    await eventually(() => proxy.stats.open === 0)
    expect(proxy.stats).toMatchObject({ accepted: 1, passedBytes: { toTarget: 16, toClient: 16 } })
  })

  test('carries megabytes both ways, exactly', async () => {
    const proxy = await proxyBefore({ maxHeldBytes: 50_000 }, async ({ reader, writer }) => {
      await writer.pipeFrom(reader.chunks())
    })
    const connection = await connectTo(proxy)
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31) % 251))
    const sent = connection.writer.pipeFrom([bytes]).then(() => {
      connection.writer.writeEof()
    })
    const echoed = await connection.reader.readAll({ maxBytes: 8_000_000 })
    await sent
    expect(echoed.equals(bytes)).toBe(true)
  })

  test('passes the reset of a server on', async () => {
    const proxy = await proxyBefore({}, async (connection) => {
      await connection.reader.readLine()
      connection.abort()
    })
    const connection = await connectTo(proxy)
    expect(await rejection(ask(connection, 'go'))).toMatchObject({ code: 'ERR_STANDPIPE_RESET' })
  })

  test('passes a target that resets at once on, one after the other', async () => {
    const peer = await startResettingPeer()
    onTestFinished(() => peer.stop().then(() => {}))
    const proxy = await proxyTo(peer.address.port)
    for (let i = 0; i < 20; i++) {
      const connection = await connectTo(proxy)
      expect(await rejection(ask(connection, 'hello'))).toMatchObject({
        code: 'ERR_STANDPIPE_RESET',
      })
    }
    const { accepted, passedBytes } = await proxy.until(({ open }) => open === 0)
    expect([accepted, passedBytes.toClient]).toEqual([20, 0])
  })

  test('loses nothing of what comes before a slow target takes the connection', async () => {
    const accepted = deferred()
    const proxy = await proxyBefore({}, async (connection) => {
      await accepted.promise
      await lineEcho({ prefix: '' })(connection)
    })
    const connection = await connectTo(proxy)
    connection.writer.write('early words\n')
    connection.writer.writeEof()
    await proxy.until(({ passedBytes }) => passedBytes.toTarget === 12)
    accepted.resolve()
    expect((await connection.reader.readAll()).toString()).toBe('early words\n')
  })

  test('resets who comes when the target cannot be connected to, and counts it', async () => {
    const events: FaultProxyEvent[] = []
    const proxy = await proxyTo(await closedPort(), { onEvent: (event) => events.push(event) })
    const connection = await connectTo(proxy)
    expect((await connection.closed).reason.kind).toBe('reset')
    expect(proxy.stats).toMatchObject({ accepted: 1, open: 0, unreachable: 1 })
    expect(events.map(({ event }) => event)).toEqual(['open', 'unreachable'])
  })

  test('works from and to Unix sockets', async () => {
    const folder = await temporaryFolder()
    const server = await startServer(lineEcho({ prefix: '' }), { path: `${folder}/server` })
    onTestFinished(() => server.stop({ graceMs: 0 }).then(() => {}))
    const proxy = await proxyTo(0, {
      target: { path: `${folder}/server` },
      path: `${folder}/proxy`,
    })
    expect(await ask(await connectTo(proxy), 'hello')).toBe('hello')
  })

  test('rejects where it cannot listen, and where an abort came first', async () => {
    const other = await proxyBefore()
    const target = { port: 1 }
    const error = await rejection(FaultProxy.start({ target, port: portOf(other.address) }))
    expect(error).toBeInstanceOf(ListenError)
    const reason = new Error('changed my mind')
    const signal = AbortSignal.abort(reason)
    expect(await rejection(FaultProxy.start({ target, signal }))).toBe(reason)
  })
})

describe('faults on sockets', () => {
  test('a slicer lets the pieces of a line come one by one', async () => {
    const chunks: string[] = []
    const proxy = await proxyBefore(
      { faults: [{ kind: 'slicer', bytes: 2, gapMs: 1 }] },
      async ({ reader }) => {
        for await (const chunk of reader.chunks()) chunks.push(chunk.toString())
      },
    )
    const connection = await connectTo(proxy)
    connection.writer.write('abcdef')
    connection.writer.writeEof()
    await connection.reader.readAll()
    expect(chunks.join('')).toBe('abcdef')
    expect(chunks.length).toBeGreaterThan(1)
  })

  test('a reset after so many bytes delivers those bytes', async () => {
    const proxy = await proxyBefore({
      faults: [{ kind: 'reset', afterBytes: 6, direction: 'toClient' }],
    })
    const connection = await connectTo(proxy)
    expect(await ask(connection, 'hello')).toBe('hello')
    expect((await connection.closed).reason.kind).toBe('reset')
  })

  test('a black hole takes connections and says nothing; a stop ends them', async () => {
    const proxy = await proxyBefore({ faults: [{ kind: 'black-hole' }] })
    const connection = await connectTo(proxy)
    const answer = watch(ask(connection, 'anyone?'))
    await eventually(() => proxy.stats.applied['black-hole'] === 2)
    expect(answer.state).toBe('pending')
    const report = await proxy.stop({ graceMs: 0 })
    expect(report).toMatchObject({ drained: 0, aborted: 1, stragglers: [] })
    expect((await connection.closed).reason.kind).toBe('reset')
  })

  test('down refuses, and listens on the same port again afterwards', async () => {
    const proxy = await proxyBefore()
    const { address } = proxy
    const connection = await connectTo(proxy)
    expect(await ask(connection, 'a')).toBe('a')
    const down = proxy.add({ kind: 'down' })
    expect((await connection.closed).reason.kind).toBe('reset')
    await proxy.settled()
    expect(await rejection(connectTo(proxy))).toMatchObject({ code: 'ERR_STANDPIPE_CONNECT' })
    await down.remove()
    expect(proxy.address).toEqual(address)
    expect(await ask(await connectTo(proxy), 'b')).toBe('b')
  })

  test('down from the start listens only once it is removed', async () => {
    const proxy = await proxyBefore({ faults: [{ kind: 'down' }] })
    expect(await rejection(connectTo(proxy))).toMatchObject({ code: 'ERR_STANDPIPE_CONNECT' })
    await proxy.clear()
    expect(await ask(await connectTo(proxy), 'b')).toBe('b')
  })

  test('down whose port was taken meanwhile cannot be removed', async () => {
    const proxy = await proxyBefore()
    const down = proxy.add({ kind: 'down' })
    await proxy.settled()
    const squatter = net.createServer().listen({ port: portOf(proxy.address), host: '127.0.0.1' })
    await once(squatter, 'listening')
    expect(await rejection(down.remove())).toMatchObject({
      code: 'ERR_STANDPIPE_ADDRESS_IN_USE',
      address: describeAddress(proxy.address),
    })
    squatter.close()
    await once(squatter, 'close')
    await proxy.clear()
    await proxy.faultChanged()
    expect(await ask(await connectTo(proxy), 'c')).toBe('c')
  })
})

describe('FaultProxy.stop()', () => {
  test('lets connections end by themselves within the grace, and the first call counts', async () => {
    const proxy = await proxyBefore()
    const connection = await connectTo(proxy)
    expect(await ask(connection, 'a')).toBe('a')
    const stopped = proxy.stop({ graceMs: 10_000 })
    expect(proxy.stop()).toBe(stopped)
    expect(await ask(connection, 'b')).toBe('b')
    await connection.close()
    expect(await stopped).toMatchObject({ drained: 1, aborted: 0, stragglers: [] })
    expect(await rejection(connectTo(proxy))).toMatchObject({ code: 'ERR_STANDPIPE_CONNECT' })
  })

  test('of a proxy without a network ends what it relays', async () => {
    const proxy = new FaultProxy()
    const pair = proxy.connectionPair({ both: { logger: false } })
    await proxy.stop()
    expect((await pair.client.closed).reason.kind).toBe('reset')
    const later = proxy.connectionPair({ both: { logger: false } })
    expect((await later.client.closed).reason.kind).toBe('reset')
    await later[Symbol.asyncDispose]()
  })

  test('.abort() ends the dialling of a target that does not answer', async () => {
    const proxy = await proxyTo(await fullPort())
    const connection = await connectTo(proxy)
    await eventually(() => proxy.stats.accepted === 1)
    proxy.abort()
    expect((await connection.closed).reason.kind).toBe('reset')
    await eventually(() => proxy.stats.open === 0)
    expect(proxy.stats.unreachable).toBe(0)
  })

  test('gives up a target that does not answer after connectMs', async () => {
    const proxy = await proxyTo(await fullPort(), { connectMs: 50 })
    const connection = await connectTo(proxy)
    expect((await connection.closed).reason.kind).toBe('reset')
    expect(proxy.stats.unreachable).toBe(1)
  })

  test('while it is down changes nothing more', async () => {
    const proxy = await proxyBefore()
    const down = proxy.add({ kind: 'down' })
    await proxy.settled()
    expect(await proxy.stop()).toMatchObject({ drained: 0, aborted: 0 })
    await down.remove()
    expect(await rejection(connectTo(proxy))).toMatchObject({ code: 'ERR_STANDPIPE_CONNECT' })
  })

  test('.abort() resets all and goes on listening', async () => {
    const proxy = await proxyBefore()
    const connection = await connectTo(proxy)
    await ask(connection, 'a')
    proxy.abort()
    expect((await connection.closed).reason.kind).toBe('reset')
    expect(await ask(await connectTo(proxy), 'b')).toBe('b')
  })
})
