/** What each fault does to a connection: on memory pairs, with time in the test's own hand. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { FaultProxy, type Fault } from '../../src/testing/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { arrivals, textOf, through } from './through-proxy.js'

guardAgainstLeaks()

describe('FaultProxy without faults', () => {
  test('passes bytes and half-closes both ways', async () => {
    const { client, server, proxy } = through()
    client.writer.write('question\n')
    client.writer.writeEof()
    expect(await server.reader.readLine()).toBe('question')
    expect(await server.reader.readLine()).toBe(null)
    server.writer.write('answer\n')
    server.writer.writeEof()
    expect(await client.reader.readLine()).toBe('answer')
    expect(await client.reader.readLine()).toBe(null)
    expect((await client.closed).reason.kind).toBe('ended')
    expect((await server.closed).reason.kind).toBe('ended')
    expect(proxy.stats.passedBytes).toEqual({ toTarget: 9, toClient: 7 })
  })

  test('passes a reset, in either direction', async () => {
    for (const [from, to] of [
      ['client', 'server'],
      ['server', 'client'],
    ] as const) {
      const ends = through()
      const read = watch(ends[to].reader.read())
      await loopTurns(10)
      ends[from].abort()
      await ends[to].closed
      await loopTurns(1)
      expect(read.error).toMatchObject({ code: 'ERR_STANDPIPE_RESET' })
    }
  })

  test('lets a sender feel a receiver that does not read', async () => {
    const { client, proxy } = through({ maxHeldBytes: 100_000, pair: { both: { limit: 1000 } } })
    client.writer.write(Buffer.alloc(4_000_000))
    const flushed = watch(client.writer.flush())
    await loopTurns(500)
    expect(flushed.state).toBe('pending')
    expect(client.bytesWritten).toBeLessThan(1_000_000)
    expect(proxy.stats.passedBytes.toTarget).toBeLessThan(600_000)
  })

  test('tells of each connection as it comes and goes', async () => {
    const { client, server, events } = through()
    client.writer.write('abc')
    client.writer.writeEof()
    server.writer.writeEof()
    await server.reader.readAll()
    await client.closed
    await server.closed
    await loopTurns(10)
    expect(events).toEqual([
      { event: 'open', connection: 1, client: 'an unknown address' },
      {
        event: 'close',
        connection: 1,
        ends: { client: 'ended', target: 'ended' },
        passedBytes: { toTarget: 3, toClient: 0 },
        droppedBytes: { toTarget: 0, toClient: 0 },
        applied: {},
        durationMs: 0,
      },
    ])
  })
})

describe('latency', () => {
  test('delays bytes and the end, and keeps their order', async () => {
    const { client, server, clock, proxy } = through({
      faults: [{ kind: 'latency', latencyMs: 100, direction: 'toTarget' }],
    })
    const seen = arrivals(server, clock)
    client.writer.write('a')
    await clock.advance(60)
    client.writer.write('b')
    client.writer.writeEof()
    await clock.advance(39)
    expect(seen).toEqual([])
    await clock.advance(200)
    expect(seen).toEqual([
      [100, 'a'],
      [160, 'b'],
      [160, null],
    ])
    expect(proxy.stats.applied.latency).toBe(3)
  })

  test('does not throttle: what came together leaves together', async () => {
    const { client, server, clock } = through({ faults: [{ kind: 'latency', latencyMs: 500 }] })
    const seen = arrivals(server, clock)
    client.writer.write(Buffer.alloc(300_000))
    await clock.advance(499)
    expect(seen).toEqual([])
    await clock.advance(1)
    await loopTurns(50)
    expect(textOf(seen).length).toBe(300_000)
  })

  test('delays a reset behind the bytes before it', async () => {
    const { client, server, clock } = through({ faults: [{ kind: 'latency', latencyMs: 100 }] })
    const seen = arrivals(server, clock)
    const closed = watch(server.closed)
    client.writer.write('a')
    await clock.advance(10)
    client.abort()
    await clock.advance(95)
    expect(seen).toEqual([[100, 'a']])
    expect(closed.state).toBe('pending')
    await clock.advance(5)
    expect(closed.value?.reason.kind).toBe('reset')
  })

  test('that is changed or removed holds for what waits already', async () => {
    const { client, server, clock, proxy } = through()
    const latency = proxy.add({ kind: 'latency', latencyMs: 1000 })
    const seen = arrivals(server, clock)
    client.writer.write('a')
    await clock.advance(10)
    latency.change({ latencyMs: 50 })
    await clock.advance(100)
    client.writer.write('b')
    await clock.advance(10)
    await latency.remove()
    await clock.advance(0)
    expect(seen).toEqual([
      [50, 'a'],
      [120, 'b'],
    ])
    expect(proxy.faults).toEqual([])
  })

  test('with jitter is the same for the same seed, within its bounds, and never out of order', async () => {
    const play = async (seed: number) => {
      const { client, server, clock } = through({
        faults: [{ kind: 'latency', latencyMs: 100, jitterMs: 80 }],
        seed,
      })
      const seen = arrivals(server, clock)
      for (const letter of 'abcdefgh') {
        client.writer.write(letter)
        await clock.advance(10)
      }
      await clock.advance(300)
      return seen
    }
    const first = await play(7)
    expect(textOf(first)).toBe('abcdefgh')
    expect(await play(7)).toEqual(first)
    expect(await play(8)).not.toEqual(first)
    for (const [ms] of first) {
      expect(ms).toBeGreaterThanOrEqual(20)
      expect(ms).toBeLessThanOrEqual(70 + 180)
    }
  })
})

describe('bandwidth', () => {
  test('lets no more pass than so many bytes in a second', async () => {
    const { client, server, clock, proxy } = through({
      faults: [{ kind: 'bandwidth', bytesPerSecond: 1000, direction: 'toTarget' }],
    })
    const seen = arrivals(server, clock)
    client.writer.write('x'.repeat(1000))
    client.writer.writeEof()
    await clock.advance(500)
    expect(textOf(seen).length).toBeGreaterThanOrEqual(500)
    expect(textOf(seen).length).toBeLessThanOrEqual(540)
    await clock.advance(520)
    expect(textOf(seen).length).toBe(1000)
    expect(seen.at(-1)).toEqual([1000, null])
    expect(proxy.stats.applied.bandwidth).toBe(50)
  })

  test('that is raised speeds up what is under way', async () => {
    const { client, server, clock, proxy } = through()
    const slow = proxy.add({ kind: 'bandwidth', bytesPerSecond: 1 })
    const seen = arrivals(server, clock)
    client.writer.write('x'.repeat(100))
    await clock.advance(5000)
    expect(textOf(seen).length).toBe(6)
    slow.change({ bytesPerSecond: 1000 })
    await clock.advance(200)
    expect(textOf(seen).length).toBe(100)
  })
})

describe('slicer', () => {
  test('cuts what was written whole, with a gap after each piece', async () => {
    const { client, server, clock, proxy } = through({
      faults: [{ kind: 'slicer', bytes: 3, gapMs: 5, direction: 'toTarget' }],
    })
    const seen = arrivals(server, clock)
    client.writer.write('abcdefgh')
    await clock.advance(100)
    expect(seen).toEqual([
      [0, 'abc'],
      [5, 'def'],
      [10, 'gh'],
    ])
    expect(proxy.stats.applied.slicer).toBe(2)
  })

  test('varies the pieces as the seed says, and loses nothing', async () => {
    const play = async (seed: number) => {
      const { client, server, clock } = through({
        faults: [{ kind: 'slicer', bytes: 4, variation: 3 }],
        seed,
      })
      const seen = arrivals(server, clock)
      client.writer.write('abcdefghijklmnopqrstuvwxyz'.repeat(4))
      client.writer.writeEof()
      await loopTurns(400)
      return seen.map(([, text]) => text)
    }
    const first = await play(1)
    expect(first.join('')).toBe('abcdefghijklmnopqrstuvwxyz'.repeat(4))
    const sizes = first.slice(0, -2).map((text) => text?.length ?? 0)
    expect([...new Set(sizes)].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(await play(1)).toEqual(first)
    expect(await play(2)).not.toEqual(first)
  })
})

describe('reset', () => {
  test('after so many bytes of one direction comes for both ends', async () => {
    const { client, server, clock, proxy } = through({
      faults: [{ kind: 'reset', afterBytes: 5, direction: 'toTarget' }],
    })
    const seen = arrivals(server, clock)
    client.writer.write('abc')
    server.writer.write('a reply that does not count')
    await loopTurns(20)
    expect(client.state).toBe('open')
    client.writer.write('defghi')
    expect((await client.closed).reason.kind).toBe('reset')
    expect((await server.closed).reason.kind).toBe('reset')
    expect(textOf(seen)).toBe('abcde')
    expect(proxy.stats.applied).toEqual({ reset: 1 })
  })

  test('without a number strikes an open connection at once', async () => {
    const { client, server, proxy } = through()
    await loopTurns(10)
    proxy.add({ kind: 'reset' })
    expect((await client.closed).reason.kind).toBe('reset')
    expect((await server.closed).reason.kind).toBe('reset')
  })

  test('counts from when it was added', async () => {
    const { client, server, proxy } = through()
    client.writer.write('0123456789')
    expect((await server.reader.readExactly(10)).length).toBe(10)
    proxy.add({ kind: 'reset', afterBytes: 3, direction: 'toTarget' })
    client.writer.write('ab')
    expect((await server.reader.readExactly(2)).toString()).toBe('ab')
    await loopTurns(20)
    expect(server.state).toBe('open')
    client.writer.write('c')
    expect((await server.closed).bytesRead).toBe(13)
  })
})

describe('black-hole', () => {
  test('lets nothing through, and all of it when it is removed', async () => {
    const { client, server, clock, proxy } = through()
    const hole = proxy.add({ kind: 'black-hole' })
    const seen = arrivals(server, clock)
    client.writer.write('into the dark')
    client.writer.writeEof()
    await clock.advance(200_000)
    expect(seen).toEqual([])
    await hole.remove()
    await loopTurns(20)
    expect(seen.map(([, text]) => text)).toEqual(['into the dark', null])
    expect(proxy.stats.applied).toEqual({ 'black-hole': 2 })
  })

  test('in one direction leaves the other open', async () => {
    const { client, server, clock } = through({
      faults: [{ kind: 'black-hole', direction: 'toClient' }],
    })
    const seen = arrivals(client, clock)
    client.writer.write('hello\n')
    expect(await server.reader.readLine()).toBe('hello')
    server.writer.write('lost\n')
    await clock.advance(60_000)
    expect(seen).toEqual([])
  })

  test('swallows a reset as long as it holds', async () => {
    const { client, server, clock, proxy } = through({ faults: [{ kind: 'black-hole' }] })
    client.abort()
    await clock.advance(60_000)
    expect(server.state).toBe('open')
    await proxy.clear()
    expect((await server.closed).reason.kind).toBe('reset')
  })

  test('does not keep an end from a client that is gone, nor that client’s reset from the server', async () => {
    const { client, server, clock, proxy } = through({
      faults: [
        { kind: 'black-hole', direction: 'toTarget' },
        { kind: 'latency', latencyMs: 100, direction: 'toClient' },
      ],
    })
    server.writer.writeEof()
    await clock.advance(10)
    client.abort()
    await clock.advance(1000)
    expect(server.state).toBe('localEnded')
    await proxy.clear()
    await loopTurns(10)
    expect((await server.closed).reason.kind).toBe('reset')
  })

  test('with an end closes both ends then', async () => {
    const { client, server, clock } = through({
      faults: [{ kind: 'black-hole', endAfterMs: 1000 }],
    })
    const ends = [arrivals(client, clock), arrivals(server, clock)]
    client.writer.write('never seen')
    await clock.advance(999)
    expect(ends).toEqual([[], []])
    await clock.advance(1)
    await loopTurns(10)
    expect(ends).toEqual([[[1000, null]], [[1000, null]]])
    void client.close()
    void server.close()
  })
})

describe('slow-close', () => {
  test('delays the end and not the bytes', async () => {
    const { client, server, clock, proxy } = through({
      faults: [{ kind: 'slow-close', delayMs: 1000, direction: 'toTarget' }],
    })
    const seen = arrivals(server, clock)
    client.writer.write('bytes')
    client.writer.writeEof()
    await clock.advance(2000)
    expect(seen).toEqual([
      [0, 'bytes'],
      [1000, null],
    ])
    expect(proxy.stats.applied).toEqual({ 'slow-close': 1 })
  })

  test('counts from when the bytes before the end have passed', async () => {
    const { client, server, clock } = through({
      faults: [
        { kind: 'slow-close', delayMs: 100 },
        { kind: 'slicer', bytes: 1, gapMs: 50 },
      ],
    })
    const seen = arrivals(server, clock)
    client.writer.write('ab')
    client.writer.writeEof()
    await clock.advance(1000)
    expect(seen).toEqual([
      [0, 'a'],
      [50, 'b'],
      [200, null],
    ])
  })
})

describe('data-limit', () => {
  test('that is lowered under what has passed ends it at once', async () => {
    const { client, server, proxy } = through()
    const limit = proxy.add({ kind: 'data-limit', bytes: 100, direction: 'toTarget' })
    client.writer.write('0123456789')
    expect((await server.reader.readExactly(10)).length).toBe(10)
    limit.change({ bytes: 5 })
    expect(await server.reader.read()).toBe(null)
  })

  test('passes a reset that comes behind it', async () => {
    const { client, server } = through({
      faults: [{ kind: 'data-limit', bytes: 2, direction: 'toTarget' }],
    })
    client.writer.write('abc')
    expect((await server.reader.readAll()).toString()).toBe('ab')
    client.abort()
    await loopTurns(20)
    // Behind an end nothing is read any more: a write finds out.
    server.writer.write('a reply')
    expect((await server.closed).reason.kind).toBe('reset')
  })

  test('ends one direction cleanly after so many bytes, and leaves the other open', async () => {
    const { client, server, proxy } = through({
      faults: [{ kind: 'data-limit', bytes: 4, direction: 'toTarget' }],
    })
    client.writer.write('abcdefgh')
    expect((await server.reader.readAll()).toString()).toBe('abcd')
    client.writer.write('ijk')
    server.writer.write('bad request\n')
    expect(await client.reader.readLine()).toBe('bad request')
    await loopTurns(10)
    expect(proxy.stats).toMatchObject({
      passedBytes: { toTarget: 4 },
      droppedBytes: { toTarget: 7 },
      applied: { 'data-limit': 1 },
    })
  })

  test('of 0 bytes ends it before the first', async () => {
    const { client, server } = through({ faults: [{ kind: 'data-limit', bytes: 0 }] })
    expect(await server.reader.read()).toBe(null)
    expect(await client.reader.read()).toBe(null)
  })
})

describe('down', () => {
  test('resets what is open and what comes', async () => {
    const { client, proxy, clock } = through()
    await loopTurns(10)
    const down = proxy.add({ kind: 'down' })
    expect((await client.closed).reason.kind).toBe('reset')
    const later = proxy.connectionPair({ both: { logger: false } })
    expect((await later.client.closed).reason.kind).toBe('reset')
    await later[Symbol.asyncDispose]()
    await down.remove()
    const last = proxy.connectionPair({ both: { logger: false } })
    last.client.writer.write('up again\n')
    expect(await last.server.reader.readLine()).toBe('up again')
    await last[Symbol.asyncDispose]()
    expect(proxy.stats.applied).toEqual({ down: 2 })
    expect(clock.pendingTimers).toBe(0)
  })
})

test('down strikes each connection once, also when other faults change meanwhile', async () => {
  const { client, proxy } = through()
  await loopTurns(10)
  const down = proxy.add({ kind: 'down' })
  proxy.add({ kind: 'latency', latencyMs: 1 }).change({ latencyMs: 2 })
  expect((await client.closed).reason.kind).toBe('reset')
  expect([down.applied, proxy.stats.applied]).toEqual([1, { down: 1 }])
})

describe('FaultProxy', () => {
  test('strikes a share of the connections, the same ones for the same seed', async () => {
    const struck = async (seed: number) => {
      const proxy = new FaultProxy({ seed, clock: new FakeClock() })
      proxy.add({ kind: 'reset', probability: 0.5 })
      const states: boolean[] = []
      for (let i = 0; i < 40; i++) {
        const pair = proxy.connectionPair({ both: { logger: false } })
        await loopTurns(5)
        states.push(pair.client.state === 'closed')
        await pair[Symbol.asyncDispose]()
      }
      return states
    }
    const first = await struck(3)
    const count = first.filter(Boolean).length
    expect(count).toBeGreaterThan(8)
    expect(count).toBeLessThan(32)
    expect(await struck(3)).toEqual(first)
    expect(await struck(4)).not.toEqual(first)
  })

  test('draws a seed when it is given none, and tells it', () => {
    expect(Number.isSafeInteger(new FaultProxy().seed)).toBe(true)
    expect(new FaultProxy().seed).not.toBe(new FaultProxy().seed)
  })

  test('adds up latencies, and takes the smallest slice', async () => {
    const { client, server, clock } = through({
      faults: [
        { kind: 'latency', latencyMs: 30 },
        { kind: 'latency', latencyMs: 12 },
        { kind: 'slicer', bytes: 5 },
        { kind: 'slicer', bytes: 2 },
      ],
    })
    const seen = arrivals(server, clock)
    client.writer.write('abcd')
    await clock.advance(100)
    expect(seen).toEqual([
      [42, 'ab'],
      [42, 'cd'],
    ])
  })

  test('loses, adds and reorders nothing, whatever faults pace it and however they change', async () => {
    const fault = fc.oneof<fc.Arbitrary<Fault>[]>(
      fc.record({ kind: fc.constant('latency'), latencyMs: fc.nat(50), jitterMs: fc.nat(80) }),
      fc.record({ kind: fc.constant('slicer'), bytes: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant('slow-close'), delayMs: fc.nat(50) }),
      fc.record({
        kind: fc.constant('bandwidth'),
        bytesPerSecond: fc.integer({ min: 500, max: 1e6 }),
      }),
      fc.record({ kind: fc.constant('black-hole') }),
    )
    const chunk = fc.string({ minLength: 1, maxLength: 200, unit: 'binary-ascii' })
    const step = fc.oneof(
      fc.record({ send: chunk }),
      fc.record({ add: fault }),
      fc.record({ remove: fc.nat(5) }),
      fc.record({ pass: fc.nat(30) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.nat(), async (steps, seed) => {
        const clock = new FakeClock()
        const proxy = new FaultProxy({ seed, clock, maxHeldBytes: 500 })
        const pair = proxy.connectionPair({ both: { logger: false } })
        const seen = arrivals(pair.server, clock)
        let sent = ''
        for (const { send, add, remove, pass } of steps as {
          send?: string
          add?: Fault
          remove?: number
          pass?: number
        }[]) {
          if (send !== undefined) {
            sent += send
            pair.client.writer.write(send)
          }
          if (add !== undefined) proxy.add(add)
          if (remove !== undefined) await proxy.faults[remove]?.remove()
          if (pass !== undefined) await clock.advance(pass)
        }
        pair.client.writer.writeEof()
        for (const { kind, remove } of proxy.faults.map((one) => ({
          kind: one.kind,
          remove: () => one.remove(),
        }))) {
          if (kind === 'black-hole') await remove()
        }
        // Slices without a gap take turns of the loop, and no time.
        for (let i = 0; i < 5000 && seen.at(-1)?.[1] !== null; i++) await clock.advance(20)
        await pair[Symbol.asyncDispose]()
        expect(textOf(seen)).toBe(sent)
        expect(seen.at(-1)?.[1]).toBe(null)
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test('ends a connection when its listener of events throws', async () => {
    const proxy = new FaultProxy({
      clock: new FakeClock(),
      faults: [{ kind: 'slicer', bytes: 1 }],
      onEvent: ({ event }) => {
        if (event === 'fault') throw new Error('the listener’s own')
      },
    })
    const pair = proxy.connectionPair({ both: { logger: false } })
    pair.client.writer.write('ab')
    expect((await pair.client.closed).reason.kind).toBe('reset')
    expect((await pair.server.closed).reason.kind).toBe('reset')
    expect(await rejection(pair[Symbol.asyncDispose]())).toMatchObject({
      message: 'the listener’s own',
    })
  })
})

describe('ActiveFault', () => {
  test('.change() that makes no sense leaves it as it was', () => {
    const fault = new FaultProxy().add({ kind: 'latency', latencyMs: 5 })
    expect(() => {
      fault.change({ latencyMs: NaN })
    }).toThrow(RangeError)
    expect(fault.settings).toEqual({ kind: 'latency', latencyMs: 5 })
  })

  test('.change() of the direction moves it', async () => {
    const { client, server, proxy } = through()
    const hole = proxy.add({ kind: 'black-hole', direction: 'toTarget' })
    const read = watch(server.reader.read())
    client.writer.write('a')
    await loopTurns(20)
    expect(read.state).toBe('pending')
    hole.change({ direction: 'toClient' })
    expect((await read.promise)?.toString()).toBe('a')
  })

  test('that was removed cannot be changed', async () => {
    const fault = new FaultProxy().add({ kind: 'reset' })
    await fault.remove()
    await fault.remove()
    expect(fault.isRemoved).toBe(true)
    expect(() => {
      fault.change({ afterBytes: 3 })
    }).toThrow('the fault reset-1 was removed')
  })
})
