/** Names with several addresses over real sockets, and how dialling them is given up. */
import { getEventListeners } from 'node:events'
import net from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { dial } from '../../src/client/dial.js'
import { openConnection } from '../../src/client/open-connection.js'
import { ConnectError, TimeoutError } from '../../src/errors.js'
import { systemClock } from '../../src/concurrency/clock.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'
import { portOf, serve } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

const echo = lineEcho({ prefix: '' })

/** A resolver that knows one name, `both.test`. */
function resolver(...addresses: string[]): net.LookupFunction {
  return (_host, _options, callback) => {
    const all = addresses.map((address) => ({ address, family: net.isIP(address) }))
    setImmediate(() => callback(null, all))
  }
}

function dialsUnderWay(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'ConnectWrap').length
}

describe('openConnection() to a name with several addresses', () => {
  test('whose first address is a black hole connects by the second after the stagger, and waits for nothing more', async () => {
    const port = await fullPort()
    await serve(echo, { host: '::1', port })
    const clock = new FakeClock()
    const opening = watch(
      openConnection({ host: 'both.test', port, clock, lookup: resolver('127.0.0.1', '::1') }),
    )
    await clock.advance(249)
    expect(opening.state).toBe('pending')
    expect(dialsUnderWay()).toBe(1)
    await clock.advance(1)
    // The clock stands still from here on: only the kernel is waited for.
    const connection = await opening.promise
    onTestFinished(() => connection.close())
    expect(clock.now()).toBe(250)
    expect(connection.remote).toEqual({ host: '::1', port })
    connection.writer.write('hello\n')
    expect(await connection.reader.readLine()).toBe('hello')
    await eventually(() => dialsUnderWay() === 0)
  })

  test('whose first address refuses connects by the second at once', async () => {
    const server = await serve(echo, { host: '127.0.0.1' })
    const clock = new FakeClock()
    const connection = await openConnection({
      host: 'both.test',
      port: portOf(server.address),
      lookup: resolver('::1', '127.0.0.1'),
      clock,
    })
    expect(connection.remote).toEqual(server.address)
    await connection.close()
    expect(clock.pendingTimers).toBe(0)
  })

  test('whose first address answers tries no other', async () => {
    const server = await serve(echo)
    const six = await serve(echo, { host: '::1', port: portOf(server.address) })
    const connection = await openConnection({
      host: 'both.test',
      port: portOf(server.address),
      lookup: resolver('127.0.0.1', '::1'),
    })
    expect(connection.remote).toEqual(server.address)
    await connection.close()
    expect(six.stats.accepted).toBe(0)
  })

  test('of which both are dead gives one error that names both', async () => {
    const port = await closedPort()
    const error = await rejection(
      openConnection({ host: 'both.test', port, lookup: resolver('::1', '127.0.0.1') }),
    )
    expect(error).toBeInstanceOf(ConnectError)
    expect((error as Error).message).toMatch(
      new RegExp(
        `^connect both\\.test:${port}: \\[::1\\]:${port} refused \\(nothing is listening\\), ` +
          `127\\.0\\.0\\.1:${port} refused \\(nothing is listening\\) \\(\\d+ ms in all\\)$`,
      ),
    )
    expect(error).toMatchObject({
      attempts: [
        { address: `[::1]:${port}`, code: 'ECONNREFUSED', durationMs: expect.any(Number) },
        { address: `127.0.0.1:${port}`, code: 'ECONNREFUSED', durationMs: expect.any(Number) },
      ],
      cause: {
        name: 'AggregateError',
        errors: [{ code: 'ECONNREFUSED' }, { code: 'ECONNREFUSED' }],
        message: expect.stringContaining(`[::1]:${port} refused`),
      },
    })
  })

  test('with one address gives an error that names the address as well as the name', async () => {
    const port = await closedPort()
    const error = await rejection(
      openConnection({ host: 'one.test', port, lookup: resolver('127.0.0.1') }),
    )
    expect((error as Error).message).toMatch(
      new RegExp(
        `^connect one\\.test:${port}: 127\\.0\\.0\\.1:${port} refused after \\d+ ms \\(nothing is listening\\)$`,
      ),
    )
  })
})

describe('the deadline of openConnection()', () => {
  test('names every address, what came of it, and those whose turn had not come', async () => {
    const port = await fullPort()
    const clock = new FakeClock()
    const dialling = watch(
      openConnection({
        host: 'three.test',
        port,
        lookup: resolver('::1', '127.0.0.1', '::ffff:127.0.0.1'),
        deadlines: { connectMs: 240 },
        clock,
      }),
    )
    // The first one fails by itself, and the second one is tried at once.
    await eventually(() => dialsUnderWay() === 1)
    await clock.advance(239)
    expect(dialling.state).toBe('pending')
    await clock.advance(1)
    expect(dialling.error).toBeInstanceOf(TimeoutError)
    expect(dialling.error).toMatchObject({
      phase: 'connect',
      timeoutMs: 240,
      retryable: true,
      message:
        `connect three.test:${port}: not connected within 240 ms: ` +
        `[::1]:${port} refused (nothing is listening), 127.0.0.1:${port} no answer in time, ` +
        `[::ffff:127.0.0.1]:${port} not tried yet`,
      cause: {
        name: 'ConnectError',
        attempts: [
          { address: `[::1]:${port}`, code: 'ECONNREFUSED' },
          { address: `127.0.0.1:${port}`, code: 'ETIMEDOUT', durationMs: 240 },
        ],
      },
    })
    expect(clock.pendingTimers).toBe(0)
  })

  test('says so when the look-up was still under way, and a late answer changes nothing', async () => {
    const server = await serve(echo)
    let answer: (() => void) | undefined
    const clock = new FakeClock()
    const dialling = watch(
      openConnection({
        host: 'slow.test',
        port: portOf(server.address),
        deadlines: { connectMs: 3000 },
        clock,
        lookup: (_host, _options, callback) => {
          answer = () => callback(null, [{ address: '127.0.0.1', family: 4 }])
        },
      }),
    )
    await clock.advance(2999)
    expect(dialling.state).toBe('pending')
    await clock.advance(1)
    expect(dialling.error).toMatchObject({
      phase: 'connect',
      message: `connect slow.test:${portOf(server.address)}: the look-up of slow.test did not end within 3000 ms`,
    })
    answer?.()
    await loopTurns(4)
    expect(server.stats.accepted).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  test('does not hold against the peer that this process was busy', async () => {
    const server = await serve(echo)
    const dialling = openConnection({
      port: portOf(server.address),
      deadlines: { connectMs: 20 },
    })
    await Promise.resolve()
    await new Promise((resolve) => process.nextTick(resolve))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
    await using connection = await dialling
    expect(connection.state).toBe('open')
  })

  test('can be switched off', async () => {
    const server = await serve(echo)
    const clock = new FakeClock()
    const deadlines = { connectMs: Infinity }
    await using connection = await openConnection({
      port: portOf(server.address),
      deadlines,
      clock,
    })
    // The one timer of a connection switches the keep-alive probes on, and has nothing more to do then.
    await clock.advance(3_600_000)
    expect(clock.pendingTimers).toBe(0)
    expect(connection.state).toBe('open')
  })
})

describe('an abort of openConnection()', () => {
  test.each([
    ['during the look-up', 0],
    ['while the first address is tried', 1],
    ['while several addresses are tried', 2],
  ])('%s rejects with the reason at once, and nothing is left', async (_when, dials) => {
    const port = await fullPort()
    const clock = new FakeClock()
    const giveUp = new AbortController()
    const reason = new Error('enough')
    // One black hole, by two names.
    const answer = resolver('127.0.0.1', '::ffff:127.0.0.1')
    let isAsked = false
    const dialling = watch(
      openConnection({
        host: 'x.test',
        port,
        clock,
        signal: giveUp.signal,
        lookup: (...question) => {
          isAsked = true
          if (dials > 0) answer(...question)
        },
      }),
    )
    await eventually(() => isAsked && dialsUnderWay() === Math.min(dials, 1))
    if (dials > 1) await clock.advance(250)
    expect(dialsUnderWay()).toBe(dials)
    expect(dialling.state).toBe('pending')

    giveUp.abort(reason)
    await Promise.resolve()
    await Promise.resolve()
    expect(dialling.error).toBe(reason)
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
    expect(clock.pendingTimers).toBe(0)
    await eventually(() => dialsUnderWay() === 0)
  })
})

describe('dial()', () => {
  test('destroys the socket when the one who takes it over cannot', async () => {
    const server = await serve(echo)
    const fault = new Error('not today')
    let taken: net.Socket | undefined
    const dialling = dial(
      {
        to: server.address,
        lookup: undefined,
        connectMs: 1000,
        clock: systemClock,
        signal: undefined,
      },
      (socket) => {
        taken = socket
        throw fault
      },
    )
    expect(await rejection(dialling)).toBe(fault)
    expect(taken?.destroyed).toBe(true)
  })
})
