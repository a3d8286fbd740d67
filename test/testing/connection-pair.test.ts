import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/concurrency/clock.js'
import {
  connectionPair,
  FakeClock,
  type ConnectionPair,
  type ConnectionPairOptions,
} from '../../src/testing/index.js'

const pairs: AsyncDisposable[] = []
afterEach(async () => {
  await Promise.all(pairs.splice(0).map(async (pair) => pair[Symbol.asyncDispose]()))
})

function makePair(options?: ConnectionPairOptions): ConnectionPair {
  const pair = connectionPair(options)
  pairs.push(pair)
  return pair
}

describe('connectionPair()', () => {
  test('joins a client and a server, both ways', async () => {
    const { client, server } = makePair()
    expect([client.role, server.role]).toEqual(['outbound', 'inbound'])
    client.writer.write('question\n')
    expect(await server.reader.readLine()).toBe('question')
    server.writer.write('answer\n')
    expect(await client.reader.readLine()).toBe('answer')
  })

  test('has a clock that only the test moves, and the server its deadlines', async () => {
    const { server, clock } = makePair({ server: { deadlines: { messageMs: 1_000 } } })
    const line = server.reader.readLine().catch((error: unknown) => error)
    await clock.advance(299_999)
    expect(server.state).toBe('open')
    await clock.advance(2)
    expect(await line).toMatchObject({ code: 'ERR_STANDPIPE_TIMED_OUT', phase: 'first-byte' })
    expect((await server.closed).durationMs).toBe(300_000)
  })

  test('takes options for both ends, and for each over those', async () => {
    const { client, server } = makePair({ both: { limit: 4 }, server: { limit: 8 } })
    client.writer.write('123456\n')
    server.writer.write('123456\n')
    expect(await server.reader.readLine()).toBe('123456')
    await expect(client.reader.readLine()).rejects.toMatchObject({ limit: 4 })
  })

  test('hands out what lies under the ends, to clog and to break it', async () => {
    const { client, server, clientTransport, serverTransport } = makePair()
    clientTransport.clog()
    client.writer.write('late\n')
    await client.writer.drain()
    expect(client.writer.bufferedBytes).toBe(5)
    clientTransport.unclog()
    expect(await server.reader.readLine()).toBe('late')
    serverTransport.resetAndDestroy()
    await expect(client.reader.readLine()).rejects.toMatchObject({ code: 'ERR_STANDPIPE_RESET' })
  })

  test('says the addresses that it is given', () => {
    const { client, server } = makePair({
      transport: {
        addresses: [
          { host: '10.0.0.1', port: 1 },
          { host: '10.0.0.2', port: 2 },
        ],
      },
    })
    expect(client.remote).toEqual({ host: '10.0.0.2', port: 2 })
    expect(server.remote).toEqual({ host: '10.0.0.1', port: 1 })
    expect(makePair().server.remote).toBeUndefined()
  })

  test('lives by the clock that it is given', () => {
    expect(connectionPair({ clock: systemClock }).clock).toBe(systemClock)
    const clock = new FakeClock(5)
    expect(connectionPair({ clock }).clock).toBe(clock)
  })

  test('is closed by its disposal, without time and whatever waits, and leaves no timer', async () => {
    const pair = connectionPair({ transport: { clogged: true } })
    pair.client.writer.write('x'.repeat(200_000))
    const waits = [pair.client.writer.drain(), pair.server.reader.readLine()]
    await pair[Symbol.asyncDispose]()
    await pair[Symbol.asyncDispose]()
    const outcomes = await Promise.allSettled(waits)
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect([pair.client.state, pair.server.state]).toEqual(['closed', 'closed'])
    expect([pair.clock.now(), pair.clock.pendingTimers]).toEqual([0, 0])
  })
})
