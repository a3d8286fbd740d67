/** Dialling: where to, what comes back, and how it is given up. */
import { getEventListeners, once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openConnection, type OpenConnectionOptions } from '../../src/client/open-connection.js'
import { ConnectError, LookupError, TimeoutError } from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'
import { portOf, serve } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

const echo = lineEcho({ prefix: '' })

const lookups: unknown[] = []
/** A look-up that never answers, and tells that it was asked. */
const hangingLookup: net.LookupFunction = (host) => {
  lookups.push(host)
}

describe('openConnection()', () => {
  test('gives a connection over TCP that speaks at once', async () => {
    const server = await serve(echo)
    await using connection = await openConnection({ port: portOf(server.address) })
    expect(connection).toMatchObject({ role: 'outbound', state: 'open' })
    expect(connection.remote).toEqual(server.address)
    expect(connection.local).toEqual({ host: '127.0.0.1', port: expect.any(Number) })
    connection.writer.write('hello\n')
    expect(await connection.reader.readLine()).toBe('hello')
  })

  test('knows the addresses still when the connection is closed', async () => {
    const server = await serve(echo)
    const connection = await openConnection({ port: portOf(server.address) })
    await connection.close()
    expect(connection.remote).toEqual(server.address)
    expect((await connection.closed).reason).toEqual({ kind: 'closed-here' })
  })

  test('connects over IPv6 and by name', async () => {
    const six = await serve(echo, { host: '::1' })
    const four = await serve(echo)
    for (const [host, server] of [
      ['::1', six],
      ['localhost', four],
    ] as const) {
      await using connection = await openConnection({ host, port: portOf(server.address) })
      connection.writer.write('hello\n')
      expect(await connection.reader.readLine()).toBe('hello')
    }
  })

  test('connects over a Unix socket', async () => {
    const path = join(await temporaryFolder(), 's')
    await serve(echo, { path })
    await using connection = await openConnection({ path })
    connection.writer.write('hello\n')
    expect(await connection.reader.readLine()).toBe('hello')
    expect(connection.remote).toEqual({ path })
    expect(connection.getExtraInfo('peername')).toBe(path)
  })

  test('has no deadlines once it is connected', async () => {
    const server = await serve(echo)
    await using connection = await openConnection({
      port: portOf(server.address),
      deadlines: { connectMs: 500 },
    })
    const read = watch(connection.reader.readLine())
    // The guard of the test counts timers: none is set for this read.
    await eventually(() => server.connections.size === 1)
    expect(read.state).toBe('pending')
    connection.abort()
    await read.promise.catch(() => {})
  })

  test('refused, says so in a ConnectError with the attempt', async () => {
    const port = await closedPort()
    const error = await rejection(openConnection({ port }))
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({
      name: 'ConnectError',
      code: 'ERR_STANDPIPE_CONNECT',
      retryable: true,
      attempts: [
        { address: `127.0.0.1:${port}`, code: 'ECONNREFUSED', durationMs: expect.any(Number) },
      ],
      cause: { code: 'ECONNREFUSED' },
    })
    expect((error as ConnectError).message).toMatch(
      new RegExp(
        `^connect 127\\.0\\.0\\.1:${port}: refused after \\d+ ms \\(nothing is listening\\)$`,
      ),
    )
  })

  test('refused on each address of a name, names them all', async () => {
    const port = await closedPort()
    const lookup: net.LookupFunction = (_host, _options, callback) => {
      callback(null, [
        { address: '::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ])
    }
    const error = await rejection(openConnection({ host: 'both.test', port, lookup }))
    expect(error).toBeInstanceOf(ConnectError)
    const { attempts, message } = error as ConnectError
    expect(attempts.map(({ address, code }) => `${address} ${code}`)).toEqual([
      `[::1]:${port} ECONNREFUSED`,
      `127.0.0.1:${port} ECONNREFUSED`,
    ])
    expect(message).toMatch(
      /^connect both\.test:\d+: \[::1\]:\d+ refused .*127\.0\.0\.1:\d+ refused/,
    )
  })

  test('of a Unix socket that is not there, or that nobody listens on, is a ConnectError', async () => {
    const path = join(await temporaryFolder(), 's')
    const error = await rejection(openConnection({ path }))
    expect(error).toBeInstanceOf(ConnectError)
    expect(error).toMatchObject({ attempts: [{ address: `unix:${path}`, code: 'ENOENT' }] })
    expect((error as ConnectError).message).toMatch(/: no such file or folder after \d+ ms$/)
  })

  test('of a name that does not exist is a LookupError with the name', async () => {
    const error = await rejection(openConnection({ host: 'no-such-host.invalid', port: 1 }))
    expect(error).toBeInstanceOf(LookupError)
    expect(error).toMatchObject({
      name: 'LookupError',
      code: 'ERR_STANDPIPE_LOOKUP',
      host: 'no-such-host.invalid',
      retryable: true,
      message: expect.stringMatching(/^look up no-such-host\.invalid: the name /),
    })
  })

  test('without an answer gives up at its deadline, with a TimeoutError of phase connect', async () => {
    const port = await fullPort()
    const from = performance.now()
    const error = await rejection(openConnection({ port, deadlines: { connectMs: 150 } }))
    const tookMs = performance.now() - from
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({
      phase: 'connect',
      timeoutMs: 150,
      message: `connect 127.0.0.1:${port}: no answer within 150 ms`,
    })
    expect(tookMs).toBeGreaterThanOrEqual(149)
    expect(tookMs).toBeLessThan(400)
  })

  test('counts the look-up in its deadline', async () => {
    const dialling = openConnection({
      host: 'slow.test',
      port: 1,
      lookup: hangingLookup,
      deadlines: { connectMs: 50 },
    })
    expect(await rejection(dialling)).toMatchObject({ phase: 'connect', timeoutMs: 50 })
  })

  test('with a signal that is aborted already rejects before it does anything', async () => {
    const server = await serve(echo)
    const reason = new Error('not today')
    const signal = AbortSignal.abort(reason)
    lookups.length = 0
    const options = { port: portOf(server.address), signal }
    expect(await rejection(openConnection(options))).toBe(reason)
    const byName = { ...options, host: 'x.test', lookup: hangingLookup }
    expect(await rejection(openConnection(byName))).toBe(reason)
    expect(lookups).toEqual([])
    await using proof = await openConnection({ port: portOf(server.address) })
    await eventually(() => server.stats.accepted > 0)
    expect(server.stats.accepted).toBe(1)
    await proof.close()
  })

  test('aborted while it connects rejects at once with the reason, and leaves no socket', async () => {
    const port = await fullPort()
    const giveUp = new AbortController()
    const reason = new Error('enough')
    const dialling = watch(openConnection({ port, signal: giveUp.signal }))
    await eventually(() => process.getActiveResourcesInfo().includes('ConnectWrap'))
    giveUp.abort(reason)
    await Promise.resolve()
    await Promise.resolve()
    expect(dialling.error).toBe(reason)
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
  })

  test('aborted during the look-up rejects at once, and ignores the late answer', async () => {
    const server = await serve(echo)
    let answer: (() => void) | undefined
    const lookup: net.LookupFunction = (_host, _options, callback) => {
      answer = () => callback(null, [{ address: '127.0.0.1', family: 4 }])
    }
    const giveUp = new AbortController()
    const reason = new Error('enough')
    const options = { host: 'slow.test', port: portOf(server.address), lookup }
    const dialling = openConnection({ ...options, signal: giveUp.signal })
    await eventually(() => answer !== undefined)
    giveUp.abort(reason)
    expect(await rejection(dialling)).toBe(reason)
    answer?.()
    await using proof = await openConnection({ port: portOf(server.address) })
    await eventually(() => server.stats.accepted > 0)
    expect(server.stats.accepted).toBe(1)
    await proof.close()
  })

  test('has done with its signal once it is connected, or has failed', async () => {
    const server = await serve(echo)
    const { signal } = new AbortController()
    const connection = await openConnection({ port: portOf(server.address), signal })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    await connection.close()
    await rejection(openConnection({ port: await closedPort(), signal }))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test.each<[string, Partial<OpenConnectionOptions>, typeof RangeError | typeof TypeError, string]>(
    [
      ['no port', {}, RangeError, 'undefined'],
      ['port 0', { port: 0 }, RangeError, '0'],
      ['a port above 65535', { port: 65_536 }, RangeError, '65536'],
      ['a port that is no number', { port: Number.NaN }, RangeError, 'NaN'],
      ['a path and a port', { path: '/tmp/x', port: 1 }, TypeError, ''],
      ['an empty host', { host: '', port: 1 }, TypeError, ''],
      ['an empty path', { path: '' }, TypeError, '""'],
      ['a connect deadline of 0', { port: 1, deadlines: { connectMs: 0 } }, RangeError, '0'],
      ['a deadline below 0', { port: 1, deadlines: { idleMs: -5 } }, RangeError, '-5'],
      ['a limit of half a byte', { port: 1, limit: 0.5 }, RangeError, '0.5'],
      [
        'marks the wrong way round',
        { port: 1, highWaterMark: 1, lowWaterMark: 2 },
        RangeError,
        '2',
      ],
      ['a word that is none', { port: 1, partial: 'maybe' as 'drop' }, TypeError, 'maybe'],
    ],
  )('refuses %s, and names what it got', async (_what, options, kind, named) => {
    const error = await rejection(openConnection(options))
    expect(error).toBeInstanceOf(kind)
    expect((error as Error).message).toContain(named)
  })

  test('whose connection is reset names the peer in the error', async () => {
    const listener = net.createServer((socket) => {
      socket.once('data', () => socket.resetAndDestroy())
    })
    onTestFinished(() => void listener.close())
    listener.listen({ port: 0, host: '127.0.0.1' })
    await once(listener, 'listening')
    const { port } = listener.address() as net.AddressInfo
    const connection = await openConnection({ port, logger: false })
    connection.writer.write('hello\n')
    await expect(connection.reader.readLine()).rejects.toMatchObject({
      code: 'ERR_STANDPIPE_RESET',
      message: `connection to 127.0.0.1:${port}: reset by the peer`,
    })
    expect((await connection.closed).reason).toEqual({ kind: 'reset' })
  })
})
