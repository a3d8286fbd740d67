/** Pools of connections whose peers are dead or leave, and that are closed while somebody waits. */
import { expect } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import { deferred } from '../../src/concurrency/deferred.js'
import { ResourcePool } from '../../src/concurrency/resource-pool.js'
import { ClosedError, ConnectError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'
import { portOf } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

fault(
  'F56',
  'a pool whose factory always fails rejects with the cause, and makes no more than its backoff allows',
  async ({ figure }) => {
    const port = await closedPort()
    const clock = new FakeClock()
    const createdAt: number[] = []
    const pool = new ResourcePool<Connection>({
      max: 4,
      clock,
      // No chance: each pause is as long as it can be.
      backoff: { baseMs: 100, maxDelayMs: 10_000, random: () => 0.999_999 },
      create: (signal) => {
        createdAt.push(clock.now())
        return openConnection({ port, signal, logger: false })
      },
    })
    const errors: unknown[] = []
    const callers = Array.from({ length: 20 }, async () => {
      for (let n = 0; n < 6; n++) errors.push(await rejection(pool.acquire()))
    })
    const all = watch(Promise.all(callers))
    while (all.state === 'pending') await clock.advance(100)
    for (const error of errors) expect(error).toBeInstanceOf(ConnectError)
    expect(errors).toHaveLength(120)
    // The first of each place at once; then one at a time, after 100, 200, 400 … ms.
    const later = createdAt.slice(3)
    expect(createdAt.slice(0, 4)).toEqual([0, 0, 0, 0])
    expect(later.length).toBeGreaterThan(4)
    const pauses = later.slice(1).map((at, n) => at - (later[n] ?? 0))
    for (const [n, ms] of pauses.entries()) expect(ms).toBeGreaterThanOrEqual(100 * 2 ** n - 1)
    figure('attempts for 120 calls', createdAt.length)
    const createFailures = createdAt.length
    expect(pool.stats).toMatchObject({ size: 0, waiting: 0, createFailures })
    await pool.close()
  },
)

fault(
  'F57',
  'a pooled connection whose peer has closed it is never handed out, and another is opened',
  async ({ serve }) => {
    const server = await serve(lineEcho({ prefix: '' }))
    const pool = new ResourcePool<Connection>({
      max: 2,
      create: (signal) => openConnection({ port: portOf(server.address), signal, logger: false }),
      validate: ({ state }) => state === 'open',
    })
    const ask = async (line: string): Promise<{ id: number; reply: string | null }> =>
      await pool.use(async ({ id, reader, writer }) => {
        writer.write(`${line}\n`)
        return { id, reply: await reader.readLine() }
      })
    const first = await ask('one')
    expect(await ask('two')).toEqual({ id: first.id, reply: 'two' })

    for (const end of ['closes', 'resets']) {
      const before = await ask(end)
      const lease = await pool.acquire()
      const { resource } = lease
      expect(resource.id).toBe(before.id)
      lease.release()
      if (end === 'closes') server.closeClients()
      else server.abortClients()
      await eventually(() => resource.state !== 'open')
      const after = await ask('after')
      expect(after.reply).toBe('after')
      expect(after.id).not.toBe(before.id)
    }
    expect(pool.stats).toMatchObject({ invalid: 2, created: 3 })
    await pool.close()
  },
)

fault(
  'F58',
  'a pool that is closed rejects who waits, and destroys what is being made',
  async ({ serve, figure }) => {
    const server = await serve(lineEcho())
    const deaf = await fullPort()
    let ports = [portOf(server.address), deaf]
    const signals: AbortSignal[] = []
    const pool = new ResourcePool<Connection>({
      max: 2,
      create: (signal) => {
        signals.push(signal)
        const [port = deaf, ...rest] = ports
        ports = rest
        return openConnection({ port, signal, logger: false })
      },
    })
    const lease = await pool.acquire()
    const waiting = Array.from({ length: 5 }, () => watch(pool.acquire()))
    await eventually(() => signals.length === 2 && pool.stats.creating === 1)
    const from = performance.now()
    const closing = pool.close({ graceMs: 0 })
    for (const { promise } of waiting) expect(await rejection(promise)).toBeInstanceOf(ClosedError)
    expect(signals[1]?.aborted).toBe(true)
    expect(await closing).toMatchObject({ cut: 1 })
    figure('closed after', performance.now() - from, 'ms')
    expect(lease.resource.state).toBe('closed')
    expect(pool.stats).toMatchObject({ size: 0, waiting: 0, creating: 0 })
    expect(await rejection(pool.acquire())).toBeInstanceOf(ClosedError)
  },
)

fault(
  'F58',
  'a connection that is made only after its pool was closed is closed at once, and given to nobody',
  async ({ serve }) => {
    const server = await serve(lineEcho())
    const mayDial = deferred()
    const made = deferred<Connection>()
    const pool = new ResourcePool<Connection>({
      max: 1,
      // It does not heed the signal.
      create: async () => {
        await mayDial.promise
        const connection = await openConnection({ port: portOf(server.address), logger: false })
        made.resolve(connection)
        return connection
      },
    })
    const waiting = watch(pool.acquire())
    await eventually(() => pool.stats.creating === 1)
    const closing = pool.close({ graceMs: 0 })
    expect(await rejection(waiting.promise)).toBeInstanceOf(ClosedError)
    mayDial.resolve()
    expect((await (await made.promise).closed).bytesWritten).toBe(0)
    await closing
    await eventually(() => server.stats.accepted === 1 && server.stats.open === 0)
    expect(pool.stats).toMatchObject({ size: 0, creating: 0 })
  },
)
