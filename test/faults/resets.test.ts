/** Connections that end hard, by the peer or by us: whoever waits hears of it at once, and nobody hears of it twice. */
import { expect } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { BrokenError, ClosedError, StandpipeError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'
import { clog, dial, hasRead, send, standsStill, wire, WIRE_KINDS } from '../support/wire.js'

guardAgainstLeaks()

fault(
  'F11',
  'a reset of an idle client rejects the read, settles the handler, and is the reason',
  async (scene) => {
    const ended = deferred<{ error: unknown; atMs: number }>()
    const server = await scene.serve(async ({ reader }) => {
      expect(await reader.readLine()).toBe('hello')
      await reader.readLine().catch((error: unknown) => {
        ended.resolve({ error, atMs: performance.now() })
        throw error
      })
    })
    const client = dial(server.address)
    await send(client, 'hello\n')
    await eventually(() => [...server.connections][0]?.bytesRead === 6)
    await loopTurns(2)
    const resetAt = performance.now()
    client.resetAndDestroy()
    const { error, atMs } = await ended.promise
    expect(error).toBeInstanceOf(BrokenError)
    expect(error).toMatchObject({ code: 'ERR_STANDPIPE_RESET', cause: { code: 'ECONNRESET' } })
    await eventually(() => server.stats.open === 0)
    expect(server.stats.closedBy).toEqual({ reset: 1 })
    expect(server.stats.recentCloses).toMatchObject([{ reason: { kind: 'reset' }, bytesRead: 6 }])
    scene.figure('known after', atMs - resetAt, 'ms')
  },
)

for (const kind of WIRE_KINDS) {
  fault(
    'F13',
    `a reset while we write rejects every drain, flush and write over ${kind}`,
    async (scene) => {
      const { connection, peer } = await wire(kind, { maxBufferedBytes: 1e9 })
      await clog(connection)
      const { writer } = connection
      const waits = [
        writer.drain(),
        writer.flush(),
        writer.drain(),
        writer.pipeFrom(endless()),
      ].map(watch)
      await loopTurns(2)
      expect(waits.map(({ state }) => state)).toEqual(Array.from({ length: 4 }, () => 'pending'))
      const from = performance.now()
      if (peer.resetAndDestroy === undefined || kind === 'unix') peer.destroy()
      else peer.resetAndDestroy()
      const errors = await Promise.all(waits.map(async ({ promise }) => await rejection(promise)))
      const tookMs = performance.now() - from
      for (const error of errors) expect(error).toBeInstanceOf(BrokenError)
      expect(tookMs).toBeLessThanOrEqual(100)
      expect(thrownBy(() => writer.write('more'))).toBe(errors[0])
      const { reason, error } = await connection.closed
      expect(reason.kind).toBe('reset')
      expect(error).toBe(errors[0])
      for (const one of errors) expect(one).toBe(error)
      expect(connection.signal.reason).toBe(error)
      scene.figure('rejected after', tookMs, 'ms')
    },
  )
}

fault(
  'F13',
  'a handler that waits in drain() hears of the reset, which is logged once and counted once',
  async (scene) => {
    const heard = deferred<unknown>()
    const server = await scene.serve(async ({ writer }) => {
      const block = Buffer.alloc(64 * 1024)
      try {
        for (;;) {
          writer.write(block)
          await writer.drain()
        }
      } catch (error) {
        heard.resolve(error)
        throw error
      }
    })
    const client = dial(server.address)
    await eventually(() => server.connections.size === 1)
    const [connection] = server.connections
    await standsStill(connection as Connection)
    client.resetAndDestroy()
    const error = await heard.promise
    expect(error).toMatchObject({ code: 'ERR_STANDPIPE_RESET' })
    await eventually(() => server.stats.open === 0)
    expect(server.stats).toMatchObject({ accepted: 1, closedBy: { reset: 1 }, lossyCloses: 0 })
    expect(scene.log.records).toMatchObject([
      { level: 'info', fields: { err: error, reason: 'reset', conn: connection?.id } },
    ])
  },
)

async function* endless(): AsyncGenerator<string> {
  for (;;)
    yield await new Promise<string>((resolve) => setImmediate(() => resolve('x'.repeat(1000))))
}

const localEnds: [string, (connection: Connection) => void][] = [
  ['close()', (connection) => void connection.close()],
  ['abort()', (connection) => connection.abort()],
]
for (const kind of WIRE_KINDS) {
  for (const [call, end] of localEnds) {
    fault(
      'F15',
      `our ${call} while drain() waits over ${kind} rejects it within one turn`,
      async () => {
        const { connection } = await wire(kind, { maxBufferedBytes: 1e9 })
        await clog(connection)
        const draining = watch(connection.writer.drain())
        end(connection)
        await loopTurns(1)
        expect(draining.error).toBeInstanceOf(ClosedError)
        // What was accepted before a clean close would still be flushed; this peer takes nothing.
        connection.abort()
        await connection.closed
      },
    )
  }
}

const ends: [string, string, (connection: Connection) => Promise<unknown> | void][] = [
  ['writeEof()', 'ERR_STANDPIPE_CLOSED', ({ writer }) => writer.writeEof()],
  ['close()', 'ERR_STANDPIPE_CLOSED', (connection) => void connection.close()],
  ['abort()', 'ERR_STANDPIPE_CLOSED', (connection) => connection.abort()],
]
for (const [call, code, end] of ends) {
  fault('F47', `a write after ${call} throws a typed error, and nothing is emitted`, async () => {
    const { connection } = await wire('tcp')
    const { writer } = connection
    await end(connection)
    for (const write of [
      () => writer.write('x'),
      () => writer.writeAll(['x']),
      () => writer.write(Buffer.alloc(100_000)),
    ]) {
      const error = thrownBy(write)
      expect(error).toBeInstanceOf(StandpipeError)
      expect(error).toMatchObject({ code })
    }
    expect(await rejection(writer.pipeFrom(['x']))).toMatchObject({ code })
    await loopTurns(5)
  })
}

fault(
  'F47',
  'a write after a reset throws the error of the reset, and drain() rejects with it',
  async () => {
    const { connection, peer } = await wire('tcp')
    const { reader, writer } = connection
    await send(peer, 'x')
    await hasRead(connection, 1)
    peer.resetAndDestroy?.()
    await connection.closed
    const error = thrownBy(() => writer.write('x'))
    expect(error).toMatchObject({ code: 'ERR_STANDPIPE_RESET' })
    expect((await reader.read())?.toString()).toBe('x')
    expect(await rejection(reader.read())).toBe(error)
    expect(await rejection(writer.waitClosed())).toBe(error)
  },
)

fault('F54', 'a hundred clients that reset before they are looked at do no harm', async (scene) => {
  const seen: Connection[] = []
  const server = await scene.serve(async (connection) => {
    seen.push(connection)
    await connection.reader.readLine()
  })
  const count = 100
  for (let i = 0; i < count; i++) {
    const client = dial(server.address)
    client.once('connect', () => client.resetAndDestroy())
  }
  await eventually(() => server.stats.accepted === count && server.stats.open === 0)
  const client = dial(server.address)
  client.end('still there\n')
  await eventually(() => server.stats.accepted === count + 1 && server.stats.open === 0)
  expect(server.stats.closedBy['handler-failed']).toBeUndefined()
  // The kernel has forgotten the addresses of those that had gone by then.
  expect(seen.filter(({ remote }) => remote === undefined)).not.toEqual([])
  scene.figure('survived', count)
})
