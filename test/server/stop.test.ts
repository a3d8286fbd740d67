/** How a server stops: who is told, who is still answered, and who is cut off. */
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { LimitOverrunError, TimeoutError } from '../../src/errors.js'
import type { CloseInfo, Connection } from '../../src/protocol/connection.js'
import type { Framing } from '../../src/protocol/framing.js'
import type { Handler } from '../../src/protocol/handler.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { portOf, serve } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'
import { dial, receiveAll, send, temporaryFolder, wasReset } from '../support/wire.js'

guardAgainstLeaks()

const MIB = 1024 * 1024
const echo = lineEcho({ prefix: '' })

/** A client that is connected, and whose connection the server has. */
async function joinIn(server: Awaited<ReturnType<typeof serve>>): Promise<net.Socket> {
  const before = server.stats.accepted
  const client = dial(server.address)
  await once(client, 'connect')
  await eventually(() => server.stats.accepted > before)
  return client
}

function lines(count: number, from = 0): string {
  return Array.from({ length: count }, (_, i) => `line ${from + i}\n`).join('')
}

describe('Server.stop()', () => {
  test('answers every line that was received before the cut, in order, then ends', async () => {
    const server = await serve(echo)
    const clients = await Promise.all(Array.from({ length: 10 }, async () => await joinIn(server)))
    for (const client of clients) await send(client, lines(500))
    const stopped = server.stop()
    for (const received of await Promise.all(clients.map(receiveAll))) {
      expect(received.end).toBe('end')
      expect(received.bytes.toString()).toBe(lines(500))
    }
    for (const client of clients) client.end()
    expect(await stopped).toMatchObject({ drained: 10, aborted: 0, stragglers: [] })
    expect(server.state).toBe('closed')
    expect(server.stats.closedBy).toEqual({ 'server-stopped': 10 })
  })

  test('answers every line also of a handler that takes its time over each', async () => {
    const server = await serve(async ({ reader, writer }) => {
      for await (const line of reader.lines()) {
        await loopTurns(3)
        writer.write(`${line}\n`)
        await writer.drain()
      }
    })
    const client = await joinIn(server)
    await send(client, lines(200))
    const stopped = server.stop()
    expect((await receiveAll(client)).bytes.toString()).toBe(lines(200))
    client.end()
    await stopped
  })

  test('resets none of the clients that connect at that moment, 20 of 20, and answers them', async () => {
    const server = await serve(echo)
    const clients = Array.from({ length: 20 }, () => dial(server.address))
    const answers = clients.map(async (client, i) => {
      await send(client, lines(1, i))
      return await receiveAll(client)
    })
    // When the sockets have been told to connect the kernel completes them by itself.
    const stopped = new Promise((resolve) => process.nextTick(() => resolve(server.stop())))
    const received = await Promise.all(answers)
    expect(received.map(({ end, bytes }) => `${bytes.toString()}${end}`)).toEqual(
      clients.map((_, i) => `${lines(1, i)}end`),
    )
    for (const client of clients) client.end()
    expect(await stopped).toMatchObject({ drained: 20, aborted: 0 })
  })

  test('resets none of 300 clients that wait in the queue of the kernel, though the loop is slow', async () => {
    const server = await serve(echo)
    const clients = Array.from({ length: 300 }, () => dial(server.address))
    const answers = clients.map(async (client, i) => {
      await send(client, lines(1, i))
      return await receiveAll(client)
    })
    const stopped = new Promise((resolve) => {
      process.nextTick(() => {
        const stopping = server.stop()
        // The first turns of the stop take longer than it goes on accepting by time.
        const until = performance.now() + 150
        while (performance.now() < until);
        resolve(stopping)
      })
    })
    const received = await Promise.all(answers)
    expect(received.filter(({ end }) => end !== 'end')).toEqual([])
    for (const client of clients) client.end()
    expect(await stopped).toMatchObject({ drained: 300, aborted: 0 })
  })

  test('refuses new connections from then on', async () => {
    const server = await serve(echo)
    const port = portOf(server.address)
    await server.stop()
    const late = net.connect({ port, host: '127.0.0.1' })
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
  })

  test('drops a message that has only begun, without an error', async () => {
    const log = new RecordingLogger()
    const server = await serve(echo, { logger: log })
    const client = await joinIn(server)
    await send(client, 'whole\nbegun')
    const stopped = server.stop()
    expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.from('whole\n') })
    client.end()
    await stopped
    expect(log.records).toEqual([])
  })

  const forms: [string, (connection: Connection) => Promise<unknown>, unknown][] = [
    ['readLine()', async ({ reader }) => await reader.readLine(), null],
    [
      'readLine() of bytes',
      async ({ reader }) => await reader.readLine({ encoding: 'buffer' }),
      null,
    ],
    ['readUntil()', async ({ reader }) => await reader.readUntil(';'), null],
    ['readFrame()', async ({ reader }) => await reader.readFrame(NEVER_WHOLE), null],
    ['lines()', async ({ reader }) => await collect(reader.lines()), []],
    ['lineBatches()', async ({ reader }) => await collect(reader.lineBatches()), []],
    ['frames()', async ({ reader }) => await collect(reader.frames(NEVER_WHOLE)), []],
  ]
  test.each(forms)(
    'ends a waiting %s as the end of input, by stop, with no error',
    async (_form, read, end) => {
      const log = new RecordingLogger()
      const results: unknown[] = []
      const server = await serve(
        async (connection) => {
          results.push(await read(connection), connection.reader.endedBy)
          results.push(await connection.reader.readLine())
        },
        { logger: log },
      )
      const client = await joinIn(server)
      await send(client, 'begun')
      const stopped = server.stop()
      expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.alloc(0) })
      client.end()
      expect(await stopped).toMatchObject({ drained: 1, aborted: 0, stragglers: [] })
      expect(results).toEqual([end, 'stop', null])
      expect(log.records).toEqual([])
    },
  )

  test('takes no more lines after the cut, though the client goes on sending', async () => {
    const gate = deferred()
    const taken: string[] = []
    const server = await serve(async ({ reader, draining }) => {
      taken.push((await reader.readLine()) ?? 'end')
      await gate.promise
      expect(draining.aborted).toBe(true)
      for await (const line of reader.lines()) taken.push(line)
    })
    const client = await joinIn(server)
    await send(client, 'one\n')
    await eventually(() => taken.length === 1)
    await send(client, 'two\nthr')
    const stopped = server.stop()
    // The cut lies where a turn of the loop brought nothing more.
    await loopTurns(20)
    await send(client, 'ee\nfour\n')
    await loopTurns(20)
    gate.resolve()
    await receiveAll(client)
    client.end()
    await stopped
    expect(taken).toEqual(['one', 'two'])
  })

  test.each<[string, (connection: Connection) => Promise<unknown>]>([
    ['read()', async ({ reader }) => Buffer.concat([await readOne(reader), await readOne(reader)])],
    ['readExactly()', async ({ reader }) => await reader.readExactly(10)],
    ['readAll()', async ({ reader }) => await reader.readAll()],
    ['chunks()', async ({ reader }) => Buffer.concat(await collect(reader.chunks()))],
  ])('lets %s go on until the grace ends', async (_form, read) => {
    const results: unknown[] = []
    const server = await serve(async (connection) => {
      results.push(String(await read(connection)))
    })
    const client = await joinIn(server)
    await send(client, 'early')
    const stopped = server.stop()
    await eventually(() => server.connections.size === 1)
    await loopTurns(20)
    await send(client, ' late')
    client.end()
    client.resume()
    expect(await stopped).toMatchObject({ drained: 1, aborted: 0 })
    expect(results).toEqual(['early late'])
  })

  test('ends a read() that still waits when the grace is over, and says so', async () => {
    const clock = new FakeClock()
    const server = await serve(async ({ reader }) => await reader.read(), { clock, graceMs: 5000 })
    const client = await joinIn(server)
    const [connection] = server.connections
    const stopped = watch(server.stop())
    await clock.advance(4999)
    expect(stopped.state).toBe('pending')
    await clock.advance(1)
    expect(await stopped.promise).toEqual({
      drained: 0,
      aborted: 1,
      stragglers: [],
      durationMs: 5000,
    })
    const info = (await connection?.closed) as CloseInfo
    expect(info.reason).toEqual({ kind: 'timed-out', phase: 'grace' })
    expect(info.error).toBeInstanceOf(TimeoutError)
    expect(info.error).toMatchObject({ phase: 'grace', timeoutMs: 5000 })
    expect(connection?.signal.reason).toBe(info.error)
    expect((await receiveAll(client)).end).toBe('ECONNRESET')
    expect(clock.pendingTimers).toBe(0)
  })

  test('names a handler that never settles, and does not wait for it beyond the grace', async () => {
    const never = new Promise(() => {})
    const server = await serve(async () => await never, { graceMs: 200 })
    const client = await joinIn(server)
    const other = await joinIn(server)
    const names = [client, other].map(({ localPort }) => `127.0.0.1:${localPort}`)
    other.destroy()
    const from = performance.now()
    const report = await server.stop()
    expect(performance.now() - from).toBeLessThan(1200)
    expect([...report.stragglers].toSorted()).toEqual(names.toSorted())
    expect(report.aborted).toBeGreaterThanOrEqual(1)
    expect(server.connections.size).toBe(0)
  })

  test('with `stopReads: false` leaves the reading to the handler', async () => {
    const taken: string[] = []
    const server = await serve(
      async ({ reader }) => {
        for await (const line of reader.lines()) taken.push(line)
        taken.push(String(reader.endedBy))
      },
      { stopReads: false },
    )
    const client = await joinIn(server)
    await send(client, 'early\nbe')
    const stopped = server.stop()
    await loopTurns(20)
    await send(client, 'gun\nlate\n')
    client.end()
    client.resume()
    expect(await stopped).toMatchObject({ drained: 1, aborted: 0 })
    expect(taken).toEqual(['early', 'begun', 'late', 'peer'])
  })

  test('tells each handler by `draining`, also one that connects while it still accepts', async () => {
    const told: string[] = []
    const clock = new FakeClock()
    const handler: Handler = async ({ draining, reader }) => {
      const which = draining.aborted ? 'late' : 'early'
      draining.addEventListener('abort', () => told.push(which))
      if (which === 'late') told.push(which)
      await reader.readLine()
    }
    const server = await serve(handler, { clock })
    const early = await joinIn(server)
    const stopped = watch(server.stop({ drainDelayMs: 3000 }))
    expect(server.state).toBe('draining')
    expect(told).toEqual(['early'])
    await clock.advance(2999)
    const late = await joinIn(server)
    expect(told).toEqual(['early', 'late'])
    expect(stopped.state).toBe('pending')
    // Until the delay is over nobody is cut.
    expect(early.readableEnded).toBe(false)
    const received = [early, late].map(receiveAll)
    await clock.advance(1)
    for (const { end } of await Promise.all(received)) expect(end).toBe('end')
    early.end()
    late.end()
    expect(await stopped.promise).toMatchObject({ drained: 2, aborted: 0 })
    expect(clock.pendingTimers).toBe(0)
  })

  test('counts a client that never ends its half as drained: the end of a linger is no cut', async () => {
    const clock = new FakeClock()
    const server = await serve(echo, { clock, graceMs: 1000 })
    const client = await joinIn(server)
    await send(client, 'hello\n')
    const stopped = watch(server.stop())
    expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.from('hello\n') })
    expect(stopped.state).toBe('pending')
    await clock.advance(1000)
    expect(await stopped.promise).toMatchObject({ drained: 1, aborted: 0, stragglers: [] })
    expect(server.stats.closedBy).toEqual({ 'server-stopped': 1 })
  })

  test('cuts a client that does not take its replies at the end of the grace: they were not delivered', async () => {
    const clock = new FakeClock()
    const server = await serve(
      async ({ reader, writer }) => {
        await reader.readLine()
        writer.write(Buffer.alloc(16 * MIB))
      },
      { clock, graceMs: 1000 },
    )
    const client = await joinIn(server)
    await send(client, 'go\n')
    const [connection] = server.connections
    await eventually(() => connection?.state === 'closing')
    const stopped = watch(server.stop())
    await clock.advance(1000)
    expect(await stopped.promise).toMatchObject({ drained: 0, aborted: 1 })
    expect(await wasReset(client)).toBe(true)
  })

  test('waits within the grace for a slow client to take its replies', async () => {
    const server = await serve(async ({ reader, writer }) => {
      await reader.readLine()
      writer.write(Buffer.alloc(16 * MIB))
    })
    const client = await joinIn(server)
    await send(client, 'go\n')
    const [connection] = server.connections
    await eventually(() => connection?.state === 'closing')
    const stopped = server.stop()
    await loopTurns(50)
    const received = await receiveAll(client)
    expect(received.bytes.length).toBe(16 * MIB)
    client.end()
    expect(await stopped).toMatchObject({ drained: 1, aborted: 0 })
  })

  test('comes to its end though a client never stops sending', async () => {
    const server = await serve(echo, { graceMs: 500 })
    const client = await joinIn(server)
    client.resume()
    const block = Buffer.from('line\n'.repeat(10_000))
    const pump = (): void => {
      if (!client.destroyed) client.write(block, () => setImmediate(pump))
    }
    pump()
    await eventually(() => server.connections.values().next().value?.bytesRead ?? 0 > MIB)
    const from = performance.now()
    const report = await server.stop()
    expect(performance.now() - from).toBeLessThan(1500)
    expect(report).toMatchObject({ drained: 1, aborted: 0, stragglers: [] })
  })

  test('is done once, however often and from wherever it is called', async () => {
    const server = await serve(echo)
    const client = await joinIn(server)
    client.resume()
    client.on('end', () => client.end())
    const calls = [server.stop(), server.stop({ graceMs: 1 }), server[Symbol.asyncDispose]()]
    const [first, second] = await Promise.all(calls)
    expect(second).toBe(first)
    expect(await server.stop()).toBe(first)
    await server.closed
    expect(first).toMatchObject({ drained: 1, aborted: 0 })
  })

  test('right after the start, with nobody connected, ends at once', async () => {
    const server = await serve(echo)
    expect(await server.stop()).toMatchObject({ drained: 0, aborted: 0, stragglers: [] })
  })

  test.each([Infinity, 2 ** 40])('takes a grace of %s ms for as long as it is', async (graceMs) => {
    const server = await serve(echo, { graceMs })
    const client = await joinIn(server)
    await send(client, 'hello\n')
    const stopped = watch(server.stop())
    const received = await receiveAll(client)
    expect(received).toEqual({ end: 'end', bytes: Buffer.from('hello\n') })
    await loopTurns(50)
    expect(stopped.state).toBe('pending')
    client.end()
    expect(await stopped.promise).toMatchObject({ drained: 1, aborted: 0 })
  })

  test('refuses a grace that is none, and goes on', async () => {
    const server = await serve(echo)
    const stop = async (): Promise<unknown> => await server.stop({ graceMs: -1 })
    expect(await rejection(stop())).toBeInstanceOf(RangeError)
    expect(server.state).toBe('listening')
  })

  test('works the same on a Unix socket', async () => {
    const server = await serve(echo, { path: join(await temporaryFolder(), 's') })
    const client = await joinIn(server)
    await send(client, lines(100))
    const stopped = server.stop()
    expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.from(lines(100)) })
    client.end()
    expect(await stopped).toMatchObject({ drained: 1, aborted: 0 })
  })

  test('lets a handler that fails meanwhile fail as ever', async () => {
    const log = new RecordingLogger()
    const server = await serve(
      async ({ reader }) => {
        await reader.readLine()
        throw new Error('a bug')
      },
      { logger: log },
    )
    await joinIn(server)
    expect(await server.stop()).toMatchObject({ aborted: 0, stragglers: [] })
    expect(log.records.map(({ level }) => level)).toEqual(['error'])
    expect(server.stats.closedBy).toEqual({ 'handler-failed': 1 })
  })

  test('does not turn a line over the limit into anything else', async () => {
    const errors: unknown[] = []
    const server = await serve(
      async ({ reader }) => {
        try {
          await reader.readLine()
        } catch (error) {
          errors.push(error)
        }
        errors.push(await reader.readLine())
      },
      { limit: 10 },
    )
    const client = await joinIn(server)
    await send(client, 'x'.repeat(15))
    await eventually(() => errors.length === 1)
    const stopped = server.stop()
    await receiveAll(client)
    client.end()
    await stopped
    expect(errors).toEqual([expect.any(LimitOverrunError), null])
  })
})

describe('Server.serveForever()', () => {
  test('resolves when the server has stopped', async () => {
    const server = await serve(echo)
    const serving = watch(server.serveForever())
    await loopTurns(2)
    expect(serving.state).toBe('pending')
    await server.stop()
    await serving.promise
    await server.serveForever()
  })

  test('stops when its signal aborts, with the server’s own defaults, and then resolves', async () => {
    const server = await serve(echo, { graceMs: 5000 })
    const client = await joinIn(server)
    await send(client, lines(10))
    const end = new AbortController()
    const serving = server.serveForever({ signal: end.signal })
    end.abort(new Error('SIGTERM'))
    expect((await receiveAll(client)).bytes.toString()).toBe(lines(10))
    client.end()
    await serving
    expect(server.state).toBe('closed')
    expect(await server.stop()).toMatchObject({ drained: 1, aborted: 0 })
  })

  test('with a signal that is aborted already stops at once', async () => {
    const server = await serve(echo)
    await server.serveForever({ signal: AbortSignal.abort() })
    expect(server.state).toBe('closed')
  })
})

describe('Server', () => {
  test('is stopped at the end of its scope', async () => {
    const server = await serve(echo)
    {
      await using scoped = server
      expect(scoped.state).toBe('listening')
    }
    expect(server.state).toBe('closed')
  })

  test('closeClients() closes each cleanly and goes on listening', async () => {
    const server = await serve(async ({ reader, writer }) => {
      writer.write('welcome\n')
      await reader.readLine()
    })
    const clients = [await joinIn(server), await joinIn(server)]
    server.closeClients()
    for (const client of clients) {
      expect(await receiveAll(client)).toEqual({ end: 'end', bytes: Buffer.from('welcome\n') })
      client.end()
    }
    await eventually(() => server.connections.size === 0)
    expect(server.stats.closedBy).toEqual({ 'closed-here': 2 })
    expect(server.state).toBe('listening')
    await joinIn(server)
  })

  test('abortClients() resets each and goes on listening', async () => {
    const reason = new Error('out')
    const reasons: unknown[] = []
    const server = await serve(async (connection) => {
      void connection.closed.then((info) => reasons.push(info.error))
      await connection.reader.readLine()
    })
    const clients = [await joinIn(server), await joinIn(server)]
    const received = clients.map(receiveAll)
    server.abortClients(reason)
    for (const { end } of await Promise.all(received)) expect(end).toBe('ECONNRESET')
    await eventually(() => reasons.length === 2)
    expect(reasons).toEqual([reason, reason])
    expect(server.stats.closedBy).toEqual({ aborted: 2 })
    await joinIn(server)
  })

  test('counts what it has served', async () => {
    const server = await serve(echo)
    expect(server.stats).toEqual({
      accepted: 0,
      open: 0,
      refused: {},
      closedBy: {},
      timedOutBy: {},
      lossyCloses: 0,
      overlongLines: 0,
      bytesRead: 0,
      bytesWritten: 0,
      recentCloses: [],
    })
    const client = await joinIn(server)
    expect(server.stats).toMatchObject({ accepted: 1, open: 1 })
    expect([...server.connections].map(({ role, state }) => `${role} ${state}`)).toEqual([
      'inbound open',
    ])
    await send(client, 'one\ntwo\n')
    client.end()
    await receiveAll(client)
    const crashing = await joinIn(server)
    crashing.resetAndDestroy()
    await eventually(() => server.stats.open === 0)
    const { recentCloses, ...counts } = server.stats
    expect(recentCloses).toMatchObject([
      { reason: { kind: 'ended' } },
      { reason: { kind: 'reset' } },
    ])
    expect(counts).toEqual({
      accepted: 2,
      open: 0,
      refused: {},
      closedBy: { ended: 1, reset: 1 },
      timedOutBy: {},
      lossyCloses: 0,
      overlongLines: 0,
      bytesRead: 8,
      bytesWritten: 8,
    })
  })
})

const NEVER_WHOLE: Framing<string> = { decode: () => undefined, encode: (value) => value }

async function readOne(reader: Connection['reader']): Promise<Buffer> {
  return (await reader.read()) ?? Buffer.alloc(0)
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
