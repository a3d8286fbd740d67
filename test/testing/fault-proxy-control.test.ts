/** What a test asks of its proxy, and tells it: names, numbers, waits, single connections, and what makes no sense. */
import { describe, expect, test } from 'vitest'
import { TimeoutError } from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { FaultProxy, type Fault, type FaultProxyServerOptions } from '../../src/testing/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'
import { arrivals, through } from './through-proxy.js'

guardAgainstLeaks()

describe('The name of a fault', () => {
  test('is its kind and number unless it is given, and finds it as long as it is in force', async () => {
    const proxy = new FaultProxy()
    const first = proxy.add({ kind: 'latency', latencyMs: 1 })
    const second = proxy.add({ kind: 'latency', latencyMs: 2, name: 'the slow link' })
    expect([first.name, second.name]).toEqual(['latency-1', 'the slow link'])
    expect(proxy.fault('latency-1')).toBe(first)
    expect(proxy.fault('the slow link')?.settings).toEqual({
      kind: 'latency',
      latencyMs: 2,
      name: 'the slow link',
    })
    await second.remove()
    expect(proxy.fault('the slow link')).toBe(undefined)
    expect(proxy.add({ kind: 'reset', name: 'the slow link' }).id).toBe(3)
  })

  test('is of one fault in force at a time', () => {
    const proxy = new FaultProxy({ faults: [{ kind: 'latency', latencyMs: 1, name: 'slow' }] })
    expect(() => proxy.add({ kind: 'reset', name: 'slow' })).toThrow(
      'a fault of the name "slow" is in force; remove it, or change it',
    )
    expect(proxy.faults.map(({ name }) => name)).toEqual(['slow'])
  })

  test('is told with what the fault does, each of a kind by itself', async () => {
    const { client, server, clock, events, proxy } = through({
      faults: [
        { kind: 'latency', latencyMs: 5, name: 'near', direction: 'toTarget' },
        { kind: 'latency', latencyMs: 5, name: 'far', direction: 'toTarget' },
      ],
    })
    const seen = arrivals(server, clock)
    client.writer.write('a')
    await clock.advance(10)
    expect(seen).toEqual([[10, 'a']])
    expect(events.filter(({ event }) => event === 'fault')).toEqual([
      { event: 'fault', connection: 1, kind: 'latency', name: 'near', direction: 'toTarget' },
      { event: 'fault', connection: 1, kind: 'latency', name: 'far', direction: 'toTarget' },
    ])
    expect(proxy.faults.map(({ applied }) => applied)).toEqual([1, 1])
    expect(proxy.stats.applied).toEqual({ latency: 2 })
  })
})

describe('A fault for single connections', () => {
  test('strikes those of its numbers, and spares the others', async () => {
    const proxy = new FaultProxy({
      clock: new FakeClock(),
      faults: [{ kind: 'reset', connections: [2, 4] }],
    })
    const states: string[] = []
    for (let i = 0; i < 5; i++) {
      const pair = proxy.connectionPair({ both: { logger: false } })
      await loopTurns(5)
      states.push(pair.client.state)
      await pair[Symbol.asyncDispose]()
    }
    expect(states).toEqual(['open', 'closed', 'open', 'closed', 'open'])
  })

  test('strikes others when it is changed', async () => {
    const { client, server, proxy } = through()
    const hole = proxy.add({ kind: 'black-hole', connections: [1] })
    client.writer.write('a')
    const read = watch(server.reader.read())
    await loopTurns(20)
    expect(read.state).toBe('pending')
    hole.change({ connections: [] })
    expect((await read.promise)?.toString()).toBe('a')
  })
})

describe('reset with a time', () => {
  test('comes then, though nothing passes', async () => {
    const { client, server, clock, proxy } = through({ faults: [{ kind: 'reset', afterMs: 500 }] })
    const ends = [watch(client.closed), watch(server.closed)]
    await clock.advance(499)
    expect(ends.map(({ state }) => state)).toEqual(['pending', 'pending'])
    await clock.advance(1)
    expect(ends.map(({ value }) => value?.reason.kind)).toEqual(['reset', 'reset'])
    expect(proxy.stats.applied).toEqual({ reset: 1 })
  })

  test('comes before it when the bytes are reached first', async () => {
    const { client, clock } = through({ faults: [{ kind: 'reset', afterMs: 500, afterBytes: 2 }] })
    await clock.advance(100)
    client.writer.write('abc')
    expect((await client.closed).reason.kind).toBe('reset')
    expect(clock.now()).toBe(100)
  })

  test('comes also while a receiver does not read, and behind a black hole', async () => {
    for (const hole of [true, false]) {
      const { client, clock, proxy } = through({
        faults: [{ kind: 'reset', afterMs: 500, direction: 'toTarget' }],
        pair: { both: { limit: 1000 } },
      })
      if (hole) proxy.add({ kind: 'black-hole' })
      client.writer.write(Buffer.alloc(800_000))
      await loopTurns(100)
      const closed = watch(client.closed)
      await clock.advance(500)
      await loopTurns(10)
      expect(closed.value?.reason.kind).toBe('reset')
    }
  })

  test('counts from when the fault began, and anew when it is changed', async () => {
    const { client, clock, proxy } = through()
    await clock.advance(1000)
    const reset = proxy.add({ kind: 'reset', afterMs: 500 })
    const closed = watch(client.closed)
    await clock.advance(400)
    reset.change({ afterMs: 10_000 })
    await clock.advance(9_599)
    expect(closed.state).toBe('pending')
    await clock.advance(1)
    expect(closed.value?.reason.kind).toBe('reset')
  })
})

test('black-hole with an end comes to it also while a receiver does not read', async () => {
  const { client, clock, proxy } = through({ pair: { both: { limit: 1000 } } })
  client.writer.write(Buffer.alloc(800_000))
  await loopTurns(100)
  proxy.add({ kind: 'black-hole', endAfterMs: 1000 })
  const read = watch(client.reader.read())
  await clock.advance(999)
  expect(read.state).toBe('pending')
  await clock.advance(1)
  await loopTurns(10)
  expect(read).toMatchObject({ state: 'resolved', value: null })
})

describe('FaultProxy.connections', () => {
  test('tells of each connection what passed, what is kept and what was done to it', async () => {
    const { client, server, proxy } = through({
      faults: [{ kind: 'data-limit', bytes: 2, direction: 'toTarget' }],
    })
    client.writer.write('abcde')
    expect((await server.reader.readAll()).toString()).toBe('ab')
    proxy.add({ kind: 'black-hole', direction: 'toClient' })
    server.writer.write('kept')
    await proxy.until(({ heldBytes }) => heldBytes.toClient === 4)
    expect(proxy.connections).toEqual([
      {
        connection: 1,
        client: 'an unknown address',
        target: 'an unknown address',
        heldBytes: { toTarget: 0, toClient: 4 },
        passedBytes: { toTarget: 2, toClient: 0 },
        droppedBytes: { toTarget: 3, toClient: 0 },
        applied: { 'data-limit': 1, 'black-hole': 1 },
      },
    ])
    proxy.abort(1)
    expect((await client.closed).reason.kind).toBe('reset')
    await proxy.until(({ open }) => open === 0)
    expect(proxy.connections).toEqual([])
    expect(proxy.stats.heldBytes).toEqual({ toTarget: 0, toClient: 0 })
  })

  test('can be reset one by one', async () => {
    const proxy = new FaultProxy({ clock: new FakeClock() })
    const pairs = [1, 2, 3].map(() => proxy.connectionPair({ both: { logger: false } }))
    proxy.abort(2)
    proxy.abort(77)
    expect(thrownBy(() => proxy.abort(0))).toMatchObject({
      name: 'RangeError',
      message: 'connection must be a whole number above 0, not 0',
    })
    await pairs[1]?.client.closed
    await loopTurns(5)
    expect(proxy.connections.map(({ connection }) => connection)).toEqual([1, 3])
    await Promise.all(pairs.map((pair) => pair[Symbol.asyncDispose]()))
  })
})

describe('FaultProxy.until()', () => {
  test('gives the numbers at once where it is so already', async () => {
    const proxy = new FaultProxy()
    expect(await proxy.until(({ accepted }) => accepted === 0)).toEqual(proxy.stats)
  })

  test('waits for a fault to strike', async () => {
    const { client, proxy } = through()
    const hole = proxy.add({ kind: 'black-hole', direction: 'toTarget' })
    const limit = proxy.add({ kind: 'data-limit', bytes: 0, direction: 'toClient' })
    await proxy.until(() => hole.applied > 0 && limit.applied > 0)
    expect(await client.reader.read()).toBe(null)
  })

  test('ends after its time on the clock of the proxy, with the numbers', async () => {
    const { clock, proxy } = through()
    const wait = watch(proxy.until(({ accepted }) => accepted === 2, { timeoutMs: 1000 }))
    await clock.advance(999)
    expect(wait.state).toBe('pending')
    await clock.advance(1)
    expect(wait.error).toBeInstanceOf(TimeoutError)
    expect((wait.error as Error).message).toMatch(
      /^FaultProxy\.until\(\): not so after 1000 ms: \{"accepted":1,/,
    )
  })

  test('looks once more at the end of its time', async () => {
    const { clock, proxy } = through()
    let asked = 0
    const wait = proxy.until(() => ++asked === 2, { timeoutMs: 1000 })
    await clock.advance(1000)
    await wait
    expect(asked).toBe(2)
  })

  test('ends with its signal, and with what its condition throws', async () => {
    const proxy = new FaultProxy()
    const reason = new Error('enough')
    expect(await rejection(proxy.until(() => false, { signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    )
    const giveUp = new AbortController()
    const wait = proxy.until(() => false, { signal: giveUp.signal })
    giveUp.abort(reason)
    expect(await rejection(wait)).toBe(reason)
    const broken = proxy.until(() => {
      throw reason
    })
    expect(await rejection(broken)).toBe(reason)
  })

  test('refuses a condition that is none, or waits, and a time that is none', async () => {
    const proxy = new FaultProxy()
    expect(await rejection(proxy.until('open' as never))).toMatchObject({
      message: 'condition must be a function, not string',
    })
    const waiting = () => Promise.reject(new Error('never heard'))
    expect(await rejection(proxy.until(waiting as never))).toMatchObject({
      message: 'condition must look and not wait: it may not be an async function',
    })
    expect(await rejection(proxy.until(() => false, { timeoutMs: 0 }))).toBeInstanceOf(RangeError)
  })
})

test('connectionPair().serve() runs a handler between faults as a server does', async () => {
  const { client, serve } = through({ faults: [{ kind: 'slicer', bytes: 1 }] })
  const served = serve(lineEcho({ prefix: '' }))
  client.writer.write('hello\n')
  expect(await client.reader.readLine()).toBe('hello')
  await client.close()
  await served
})

describe('What makes no sense is refused:', () => {
  test.each<[unknown, string]>([
    [undefined, "fault must be an object such as { kind: 'reset' }, not undefined"],
    ['latency', 'fault must be an object such as { kind: \'reset\' }, not "latency"'],
    [{ kind: 'gremlins' }, 'kind must be one of latency, bandwidth'],
    [{ kind: 'toString' }, 'not "toString"'],
    [{ kind: 'reset_peer' }, 'not "reset_peer", which is reset here'],
    [{ kind: 'timeout' }, 'not "timeout", which is black-hole here'],
    [{ kind: 'latency' }, 'latency: latencyMs must be a number, not undefined'],
    [{ kind: 'latency', latencyMs: '5ms' }, 'latencyMs must be a number, not "5ms"'],
    [{ kind: 'latency', latencyMs: -1 }, 'latencyMs must be a number, 0 or above, not -1'],
    [{ kind: 'slicer', bytes: 0 }, 'bytes must be a whole number, 1 or above, not 0'],
    [{ kind: 'slicer', bytes: 1.5 }, 'bytes must be a whole number, 1 or above, not 1.5'],
    [{ kind: 'bandwidth', bytesPerSecond: Infinity }, 'not Infinity'],
    [{ kind: 'reset', direction: 'up' }, 'direction must be toTarget, toClient or both, not "up"'],
    [{ kind: 'reset', probability: 2 }, 'probability must be a number from 0 to 1, not 2'],
    [{ kind: 'reset', probability: '0.5' }, 'probability must be a number, not "0.5"'],
    [{ kind: 'reset', connections: 2 }, 'connections must be an array of numbers, not 2'],
    [{ kind: 'reset', connections: [0] }, 'connections must be whole numbers, 1 or above, not 0'],
    [{ kind: 'reset', name: '' }, 'name must be a text that is not empty, not ""'],
    [
      { kind: 'latency', latency: 2 },
      'a fault of kind latency has no latency; it has latencyMs, jitterMs, direction, probability, connections',
    ],
    [
      { kind: 'down', direction: 'both' },
      'a fault of kind down has no direction; it has nothing to set but a name',
    ],
  ])('add(%j)', (fault, message) => {
    const proxy = new FaultProxy()
    expect(() => proxy.add(fault as Fault)).toThrow(message)
    expect(proxy.faults).toEqual([])
    expect(proxy.add({ kind: 'down' }).id).toBe(1)
  })

  test.each<[object, string]>([
    [{ seed: 1.5 }, 'seed must be a whole number, not 1.5'],
    [{ maxHeldBytes: 0 }, 'maxHeldBytes must be a whole number above 0, not 0'],
    [{ faults: { kind: 'reset' } }, 'faults must be an array of faults, not object'],
    [{ onEvent: 'log' }, 'onEvent must be a function, not string'],
  ])('new FaultProxy(%j)', (options, message) => {
    expect(() => new FaultProxy(options)).toThrow(message)
  })

  test.each<[unknown, string]>([
    [undefined, 'target must be { host, port } or { path }, not undefined'],
    [{}, 'target must be { host, port } or { path }, not undefined'],
    [{ target: 'localhost:80' }, 'target must be { host, port } or { path }, not "localhost:80"'],
    [{ target: {} }, 'target: port must be a whole number from 1 to 65535, not undefined'],
    [{ target: { port: 0 } }, 'target: port must be a whole number from 1 to 65535, not 0'],
    [{ target: { path: '' } }, 'target: path must be the path of a socket, not ""'],
    [{ target: { port: 1 }, connectMs: -3 }, 'connectMs must be a number of milliseconds above 0'],
    [{ target: { port: 1 }, maxConnections: 0 }, 'maxConnections must be a whole number above 0'],
  ])('FaultProxy.start(%j)', async (options, message) => {
    const started = rejection(FaultProxy.start(options as FaultProxyServerOptions))
    expect(((await started) as Error).message).toContain(message)
  })

  test('a grace, after which the proxy can still be stopped', async () => {
    const proxy = new FaultProxy()
    expect(await rejection(proxy.stop({ graceMs: -1 }))).toBeInstanceOf(RangeError)
    expect(await proxy.stop()).toMatchObject({ aborted: 0 })
  })

  test('an address of a proxy that does not listen', () => {
    expect(() => new FaultProxy().address).toThrow('this proxy does not listen')
  })
})

describe('ActiveFault.change()', () => {
  test('takes all of its settings again, and refuses another kind or name', () => {
    const fault = new FaultProxy().add({ kind: 'latency', latencyMs: 5 })
    fault.change({ ...fault.settings, latencyMs: 6 })
    expect(fault.settings.latencyMs).toBe(6)
    for (const changes of [{ kind: 'down' }, { name: 'other' }] as object[]) {
      const [fixed] = Object.keys(changes)
      expect(() => {
        fault.change(changes)
      }).toThrow(`the ${fixed} of latency-1 cannot be changed; add another fault`)
    }
    expect(fault.settings).toEqual({ kind: 'latency', latencyMs: 6 })
  })
})
