/** What an operator sees of faults: counters by reason, the latest ends, one line in the log, and the channels. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, expectTypeOf, onTestFinished, test, vi } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import {
  CONNECTION_CLOSE_CHANNEL,
  CONNECTION_ERROR_CHANNEL,
  CONNECTION_OPEN_CHANNEL,
  CONNECTION_REFUSE_CHANNEL,
  type ConnectionCloseMessage,
  type ConnectionErrorMessage,
  type ConnectionOpenMessage,
  type ConnectionRefuseMessage,
} from '../../src/observe/index.js'
import {
  connectionClose,
  connectionError,
  connectionOpen,
  connectionRefuse,
} from '../../src/protocol/connection-channels.js'
import type { Connection } from '../../src/protocol/connection.js'
import { RecentCloses } from '../../src/server/recent-closes.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { connectionPair } from '../../src/testing/index.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { serve } from '../support/serve.js'
import { dial, receiveAll, send } from '../support/wire.js'

guardAgainstLeaks()

interface Published {
  readonly what: string
  readonly id: number
  readonly state: string
  readonly message: Readonly<Record<string, unknown>>
}

/** Everything that is published until the test is over. */
function listen(): Published[] {
  const published: Published[] = []
  const channels = [
    ['open', CONNECTION_OPEN_CHANNEL],
    ['refuse', CONNECTION_REFUSE_CHANNEL],
    ['error', CONNECTION_ERROR_CHANNEL],
    ['close', CONNECTION_CLOSE_CHANNEL],
  ] as const
  for (const [what, name] of channels) {
    const note = (message: unknown): void => {
      const { connection, ...rest } = message as ConnectionOpenMessage
      const { id, state } = connection
      published.push({ what, id, state, message: rest })
    }
    subscribe(name, note)
    onTestFinished(() => void unsubscribe(name, note))
  }
  return published
}

describe('The channels of connections', () => {
  test('have the names that standpipe/observe gives, and messages of its types', () => {
    expect(connectionOpen.name).toBe(CONNECTION_OPEN_CHANNEL)
    expect(connectionClose.name).toBe(CONNECTION_CLOSE_CHANNEL)
    expect(connectionRefuse.name).toBe(CONNECTION_REFUSE_CHANNEL)
    expect(connectionError.name).toBe(CONNECTION_ERROR_CHANNEL)
    interface FromKit {
      connection: Connection
    }
    expectTypeOf<FromKit>().toExtend<ConnectionOpenMessage>()
    expectTypeOf<FromKit & { info: unknown }>().toExtend<ConnectionCloseMessage>()
    expectTypeOf<FromKit & { reason: string }>().toExtend<ConnectionRefuseMessage>()
    expectTypeOf<FromKit & { error: unknown }>().toExtend<ConnectionErrorMessage>()
  })

  test('tell of a clean connection that it opened and closed, each once, and of no error', async () => {
    const published = listen()
    const { client, server } = connectionPair({ both: { logger: false } })
    const closed = Promise.all([client.close(), server.close()])
    await closed
    const ofServer = published.filter(({ id }) => id === server.id)
    expect(ofServer.map(({ what, state }) => `${what} ${state}`)).toEqual([
      'open open',
      'close closed',
    ])
    expect(ofServer[1]?.message['info']).toBe(await server.closed)
    expect(published).toHaveLength(4)
  })

  test('tell of a reset, of a line over the limit and of a handler that fails once each', async () => {
    const published = listen()
    const fault = new Error('a fault of the handler')
    const server = await serve(
      async ({ reader }) => {
        for (;;) {
          const line = await reader.readLine().catch((error: unknown) => {
            if ((error as { code?: string }).code !== 'ERR_STANDPIPE_LIMIT_OVERRUN') throw error
            return ''
          })
          if (line === 'fail') throw fault
          if (line === null) return
        }
      },
      { limit: 10 },
    )
    const failing = dial(server.address)
    await send(failing, `${'x'.repeat(30)}\nfail\n`)
    await eventually(() => server.stats.closedBy['handler-failed'] === 1)
    const resetting = dial(server.address)
    await send(resetting, 'hello\n')
    // On Node 20 and 22 a reset right behind data is reported as an end.
    await eventually(() => [...server.connections].some(({ bytesRead }) => bytesRead === 6))
    resetting.resetAndDestroy()
    await eventually(() => server.stats.closedBy.reset === 1)

    const told = published.map(({ what, message }) => {
      const { code, message: words } = (message['error'] ?? {}) as Error & { code?: string }
      return code === undefined ? `${what} ${words ?? ''}`.trim() : `${what} ${code}`
    })
    expect(told).toEqual([
      'open',
      'error ERR_STANDPIPE_LIMIT_OVERRUN',
      'error a fault of the handler',
      'close',
      'open',
      'error ERR_STANDPIPE_RESET',
      'close',
    ])
    expect(published.filter(({ what }) => what === 'error')[1]?.message['error']).toBe(fault)
  })

  test('tell of who is not let in, with the reason, between its open and its close', async () => {
    const published = listen()
    const server = await serve(lineEcho(), { deny: ['127.0.0.1'] })
    await receiveAll(dial(server.address))
    await eventually(() => published.length === 3 || published.at(-1)?.what === 'close')
    expect(published.map(({ what }) => what)).toEqual(['open', 'refuse', 'close'])
    expect(published[1]?.message).toEqual({ reason: 'denied' })
    expect(server.stats.recentCloses).toEqual([])
  })
})

describe('Server.stats and its recentCloses', () => {
  test('say how each connection ended: which deadline, which error, how many bytes', async () => {
    const clock = new FakeClock()
    const server = await serve(lineEcho({ prefix: '' }), {
      clock,
      deadlines: { firstByteMs: 1000, messageMs: 2000 },
    })
    const silent = dial(server.address)
    await eventually(() => server.stats.open === 1)
    await clock.advance(1000)
    await receiveAll(silent)
    await eventually(() => server.stats.open === 0)
    const dripping = dial(server.address)
    await send(dripping, 'half a li')
    await eventually(() => [...server.connections].some(({ bytesRead }) => bytesRead === 9))
    await clock.advance(2000)
    await receiveAll(dripping)
    await eventually(() => server.stats.open === 0)
    const clean = dial(server.address)
    await send(clean, 'hello\n')
    clean.end()
    await receiveAll(clean)
    await eventually(() => server.stats.open === 0)

    expect(server.stats).toMatchObject({
      closedBy: { 'timed-out': 2, ended: 1 },
      timedOutBy: { 'first-byte': 1, message: 1 },
      lossyCloses: 0,
    })
    const [first, second, third, ...others] = server.stats.recentCloses
    expect(others).toEqual([])
    expect(first).toMatchObject({
      reason: { kind: 'timed-out', phase: 'first-byte' },
      code: 'ERR_STANDPIPE_TIMED_OUT',
      bytesRead: 0,
      durationMs: 1000,
    })
    expect(first?.peer).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(first?.message).toMatch(/the peer sent no byte within 1000 ms/)
    expect(second).toMatchObject({ reason: { phase: 'message' }, bytesRead: 9 })
    expect(third).toMatchObject({
      reason: { kind: 'ended' },
      code: '',
      message: '',
      bytesRead: 6,
      bytesWritten: 6,
    })
    expect(Math.abs((third?.closedAt ?? 0) - Date.now())).toBeLessThan(60_000)
  })

  test('count lines over the limit, whoever words the answer', async () => {
    for (const onLimit of [undefined, 'too long\n', () => 'too long\n']) {
      const server = await serve(lineEcho({ prefix: '' }), { limit: 10, onLimit })
      const client = dial(server.address)
      await send(client, `${'x'.repeat(11)}\n${'y'.repeat(12)}\n`)
      client.end()
      const answer = onLimit === undefined ? '' : 'too long\ntoo long\n'
      expect((await receiveAll(client)).bytes.toString()).toBe(answer)
      expect(server.stats.overlongLines).toBe(2)
    }
  })

  test('count a clean end that could not deliver all, and the log has a line of it', async () => {
    const log = new RecordingLogger()
    const server = await serve(
      ({ writer }) => {
        writer.write(Buffer.alloc(8 * 1024 * 1024))
      },
      { logger: log },
    )
    const client = dial(server.address)
    await eventually(() => server.stats.open === 1)
    await eventually(() => [...server.connections].every(({ state }) => state === 'closing'))
    client.resetAndDestroy()
    await eventually(() => server.stats.open === 0)
    expect(server.stats).toMatchObject({ closedBy: { 'closed-here': 1 }, lossyCloses: 1 })
    expect(log.records).toMatchObject([
      { level: 'info', fields: { reason: 'closed-here', peer: expect.any(String) } },
    ])
    expect(server.stats.recentCloses).toMatchObject([{ code: 'ERR_STANDPIPE_RESET' }])
  })

  test('of a connection that no handler hears of have the same line in the log', async () => {
    const log = new RecordingLogger()
    const clock = new FakeClock()
    // It waits for something that has nothing to do with the connection.
    const elsewhere = deferred()
    const server = await serve(() => elsewhere.promise, {
      logger: log,
      clock,
      deadlines: { writeStallMs: 1000 },
    })
    const client = dial(server.address)
    await eventually(() => server.stats.open === 1)
    const [connection] = server.connections
    connection?.writer.write(Buffer.alloc(16 * 1024 * 1024))
    await clock.advance(60_000)
    await receiveAll(client)
    await eventually(() => server.stats.open === 0)
    expect(server.stats.timedOutBy).toEqual({ write: 1 })
    expect(log.records).toHaveLength(1)
    expect(log.records).toMatchObject([
      { level: 'info', fields: { reason: 'timed-out', phase: 'write', conn: connection?.id } },
    ])
    elsewhere.resolve()
  })
})

describe('A logger that throws', () => {
  test('does not keep a connection from having ended', async () => {
    const { client, server, clock } = connectionPair({
      client: { logger: false },
      server: {
        logger: {
          debug() {},
          info() {
            throw new Error('the disk is full')
          },
          warn() {},
          error() {},
        },
        deadlines: { writeStallMs: 1000 },
      },
      transport: { bufferBytes: 10, clogged: true },
    })
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    onTestFinished(() => write.mockRestore())
    server.writer.write('more than ten bytes')
    await clock.advance(2000)
    expect((await server.closed).reason).toEqual({ kind: 'timed-out', phase: 'write' })
    expect(String(write.mock.calls[0]?.[0])).toMatch(
      /^standpipe: the logger failed.*\nError: the disk is full\n/,
    )
    client.abort()
    await client.closed
  })
})

describe('RecentCloses', () => {
  const info = { bytesRead: 1, bytesWritten: 2, durationMs: 3 }
  const connection = (id: number): Connection => ({ id, remote: undefined }) as Connection

  test('keeps so many, the oldest first, and drops the oldest', () => {
    const closes = new RecentCloses(3)
    expect(closes.records).toEqual([])
    for (let id = 1; id <= 7; id++) {
      closes.add(connection(id), { ...info, reason: { kind: 'ended' } })
      const ids = closes.records.map((record) => record.id)
      expect(ids).toEqual([id - 2, id - 1, id].filter((one) => one > 0))
    }
  })

  test('keeps the words of an error and not the error, and of long ones the beginning', () => {
    const closes = new RecentCloses(4)
    const reason = { kind: 'aborted' } as const
    closes.add(connection(1), { ...info, reason, error: new RangeError('x'.repeat(1000)) })
    closes.add(connection(2), { ...info, reason, error: 'just words' })
    expect(closes.records).toMatchObject([
      { code: 'RangeError', message: 'x'.repeat(300), peer: 'an unknown address' },
      { code: 'string', message: "'just words'" },
    ])
  })
})
