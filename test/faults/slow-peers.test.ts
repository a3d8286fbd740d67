/** Peers that are slow, silent or gone, beside others that are not: those are served all along. */
import { expect } from 'vitest'
import { SlowConsumerError, TimeoutError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import { lineEcho } from '../../src/server/line-echo.js'
import type { Server, ServerOptions } from '../../src/server/start-server.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { fault, type FaultScene } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { dial, receiveAll, send, standsStill, wasReset, wire } from '../support/wire.js'

guardAgainstLeaks()

const KIB = 1024
const MIB = 1024 * KIB
const echo = lineEcho({ prefix: '' })

/** A client that speaks now and then, and is answered at once. */
async function talk(server: Server): Promise<() => Promise<string>> {
  const client = dial(server.address)
  let received = ''
  let count = 0
  client.on('data', (chunk: Buffer) => {
    received += chunk.toString()
  })
  client.resume()
  return async () => {
    const line = `line ${++count}\n`
    received = ''
    await send(client, line)
    await eventually(() => received === line, { what: `an answer to ${line}` })
    return received
  }
}

for (const everyMs of [25, 50, 9000]) {
  fault(
    'F03',
    `a client that drips a byte each ${everyMs} ms is closed at the message deadline; the others are unaffected`,
    async (scene) => {
      const clock = new FakeClock()
      const messageMs = 10_000
      const server = await scene.serve(echo, { clock, deadlines: { messageMs } })
      const speak = await talk(server)
      await speak()
      const drip = dial(server.address)
      const received = receiveAll(drip)
      const begunAt = clock.now()
      let sent = 0
      const answers: string[] = []
      while (server.stats.open === 2 || sent === 0) {
        await send(drip, 'x')
        sent++
        await eventually(() => [...server.connections].some(({ bytesRead }) => bytesRead === sent))
        // Not one is cut before its time, however late the byte before it came.
        const leftMs = begunAt + messageMs - clock.now()
        await clock.advance(Math.min(everyMs, leftMs - 1))
        expect(server.stats.open).toBe(2)
        if (sent % 20 === 0) answers.push(await speak())
        if (leftMs > everyMs) continue
        await clock.advance(1)
        await eventually(() => server.stats.open === 1)
      }
      expect(await received).toEqual({ end: 'end', bytes: Buffer.alloc(0) })
      expect(sent).toBe(Math.ceil(messageMs / everyMs))
      scene.figure(`at a byte each ${everyMs} ms closed after`, clock.now() - begunAt, 'ms')
      expect(answers).toEqual(answers.map((_, i) => `line ${i + 2}\n`))
      expect(server.stats).toMatchObject({
        closedBy: { 'timed-out': 1 },
        timedOutBy: { message: 1 },
        recentCloses: [{ code: 'ERR_STANDPIPE_TIMED_OUT', bytesRead: sent }],
      })
      await speak()
    },
  )
}

fault(
  'F04',
  'a client that connects and says nothing is closed at the first-byte deadline',
  async (scene) => {
    const clock = new FakeClock()
    const server = await scene.serve(echo, { clock, deadlines: { firstByteMs: 5000 } })
    const silent = Array.from({ length: 20 }, () => dial(server.address))
    const received = silent.map(receiveAll)
    await eventually(() => server.connections.size === 20)
    await clock.advance(4999)
    expect(server.connections.size).toBe(20)
    await clock.advance(1)
    for (const { end } of await Promise.all(received)) expect(end).toBe('end')
    await eventually(() => server.connections.size === 0)
    expect(server.stats.closedBy).toEqual({ 'timed-out': 20 })
    expect(server.stats.timedOutBy).toEqual({ 'first-byte': 20 })
    scene.figure('closed after', clock.now(), 'ms')
    expect(clock.pendingTimers).toBe(0)
  },
)

fault(
  'F02',
  'a client that takes no answers is cut at the write deadline; the others are unaffected',
  async (scene) => {
    const clock = new FakeClock()
    const server = await scene.serve(echo, { clock, deadlines: { writeStallMs: 60_000 } })
    const speak = await talk(server)
    await speak()
    const stuck = dial(server.address)
    const block = Buffer.from('x'.repeat(1023).concat('\n').repeat(1024))
    const offering = (async () => {
      for (let i = 0; i < 64; i++) await send(stuck, block)
    })().catch((error: unknown) => error)
    let before = -1
    await eventually(async () => {
      await speak()
      const { bytesRead = 0 } = [...server.connections].find(({ bytesRead: n }) => n > MIB) ?? {}
      const isStill = bytesRead > 0 && bytesRead === before
      before = bytesRead
      return isStill
    })
    await clock.advance(59_999)
    expect(server.connections.size).toBe(2)
    await clock.advance(1)
    await eventually(() => server.connections.size === 1)
    expect(server.stats.closedBy).toEqual({ 'timed-out': 1 })
    expect(server.stats.timedOutBy).toEqual({ write: 1 })
    scene.figure('cut after the last byte that was taken', clock.now(), 'ms')
    expect(await offering).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) })
    await speak()
  },
)

/** A server that offers 1 GiB to whoever comes, and waits for room as it should; how far it has come. */
async function offerMuch({ serve }: FaultScene, options: ServerOptions) {
  const piece = Buffer.alloc(64 * KIB, 'x')
  const seen = { offered: 0, most: 0, draining: watch(Promise.resolve()) }
  const server = await serve(async ({ writer }) => {
    while (seen.offered < 1024 * MIB) {
      writer.write(piece)
      seen.offered += piece.length
      seen.most = Math.max(seen.most, writer.bufferedBytes)
      seen.draining = watch(writer.drain())
      await seen.draining.promise
    }
  }, options)
  const client = dial(server.address)
  await eventually(() => server.connections.size === 1)
  const [connection] = server.connections
  await standsStill(connection as Connection)
  return { server, client, seen, connection: connection as Connection }
}

fault(
  'F01',
  'a handler that offers 1 GiB waits in drain(), and has buffered its mark and one write',
  async (scene) => {
    const { client, seen, connection } = await offerMuch(scene, { highWaterMark: 100 * KIB })
    expect(seen.draining.state).toBe('pending')
    expect(seen.most).toBeLessThanOrEqual(100 * KIB + 64 * KIB)
    expect(seen.offered).toBeLessThan(64 * MIB)
    const { offered } = seen
    expect(connection.bytesWritten + connection.writer.bufferedBytes).toBe(offered)
    // It goes on as soon as the client does.
    client.resume()
    await eventually(() => seen.offered > 2 * offered)
    scene.figure('offered of 1 GiB', offered, 'bytes')
  },
)

fault(
  'F02',
  'a handler that waits in drain() is cut at the write deadline, told why, and the client is reset',
  async (scene) => {
    const clock = new FakeClock()
    const deadlines = { writeStallMs: 60_000 }
    const { server, client, seen, connection } = await offerMuch(scene, { clock, deadlines })
    await clock.advance(59_999)
    expect(seen.draining.state).toBe('pending')
    await clock.advance(1)
    const { error } = await connection.closed
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ phase: 'write', timeoutMs: 60_000 })
    expect(seen.draining.error).toBe(error)
    expect(connection.signal.reason).toBe(error)
    expect(server.stats).toMatchObject({
      open: 0,
      closedBy: { 'timed-out': 1 },
      timedOutBy: { write: 1 },
    })
    // A client that comes back must not take a part for the whole.
    expect(await wasReset(client)).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  },
)

fault(
  'F01',
  'a writer that does not wait for drain() is stopped at the cap: what is buffered is the cap and one write',
  async () => {
    const maxBufferedBytes = 256 * 1024
    const piece = Buffer.alloc(10_000, 'x')
    const { connection, peer } = await wire('tcp', { maxBufferedBytes })
    const { writer } = connection
    let accepted = 0
    let most = 0
    const flood = async (): Promise<void> => {
      for (;;) {
        writer.write(piece)
        accepted += piece.length
        most = Math.max(most, writer.bufferedBytes)
        if (accepted % 1_000_000 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const error = await rejection(flood())
    expect(error).toBeInstanceOf(SlowConsumerError)
    expect(error).toMatchObject({ maxBufferedBytes })
    expect(most).toBeLessThan(maxBufferedBytes + piece.length)
    expect(connection.state).toBe('open')
    // Nothing of the refused write was taken, and all that was accepted arrives.
    const received = receiveAll(peer)
    void connection.close()
    peer.end()
    expect((await received).bytes.length).toBe(accepted)
  },
)

fault('F01', 'with onOverflow: abort the connection of such a writer is reset', async () => {
  const { connection, peer } = await wire('tcp', { maxBufferedBytes: 100_000, onOverflow: 'abort' })
  const { signal } = connection
  expect(() => {
    for (;;) connection.writer.write(Buffer.alloc(10_000))
  }).toThrow(SlowConsumerError)
  expect(signal.reason).toBeInstanceOf(SlowConsumerError)
  const info = await connection.closed
  expect(info.reason).toEqual({ kind: 'failed' })
  expect(info.error).toBeInstanceOf(SlowConsumerError)
  expect(await wasReset(peer)).toBe(true)
})

fault(
  'F01',
  'with onOverflow: abort such a handler of a server ends with its connection, logged once and counted once',
  async (scene) => {
    const server = await scene.serve(
      ({ writer }) => {
        for (;;) writer.write(Buffer.alloc(10_000))
      },
      { maxBufferedBytes: 100_000, onOverflow: 'abort' },
    )
    const reset = wasReset(dial(server.address))
    await eventually(() => server.stats.closedBy.failed === 1)
    expect(server.stats).toMatchObject({ accepted: 1, open: 0, closedBy: { failed: 1 } })
    const err = { code: 'ERR_STANDPIPE_SLOW_CONSUMER', maxBufferedBytes: 100_000 }
    expect(scene.log.records).toMatchObject([{ level: 'info', fields: { err, reason: 'failed' } }])
    expect(await reset).toBe(true)
  },
)
