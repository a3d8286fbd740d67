/** Peers that are slow, silent or gone, beside others that are not: those are served all along. */
import { expect } from 'vitest'
import { SlowConsumerError } from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import type { Server } from '../../src/server/start-server.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection } from '../support/settled.js'
import { dial, receiveAll, send, wasReset, wire } from '../support/wire.js'

guardAgainstLeaks()

const MIB = 1024 * 1024
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

fault(
  'F03',
  'a client that drips is closed at the message deadline; the others are unaffected',
  async (scene) => {
    const clock = new FakeClock()
    const server = await scene.serve(echo, { clock, deadlines: { messageMs: 10_000 } })
    const speak = await talk(server)
    await speak()
    const drip = dial(server.address)
    const received = receiveAll(drip)
    let sent = 0
    const answers: string[] = []
    while (server.stats.closedBy['timed-out'] === undefined && sent < 1000) {
      await send(drip, 'x').catch(() => {})
      sent++
      await eventually(() => {
        const slow = [...server.connections].find(({ bytesRead }) => bytesRead === sent)
        return slow !== undefined || server.stats.closedBy['timed-out'] === 1
      })
      await clock.advance(50)
      if (sent % 20 === 0) answers.push(await speak())
    }
    expect((await received).bytes.length).toBe(0)
    expect(sent).toBe(200)
    scene.figure('closed after a begun line', clock.now(), 'ms')
    expect(answers).toEqual(Array.from({ length: 10 }, (_, i) => `line ${i + 2}\n`))
    expect(server.stats).toMatchObject({ open: 1, closedBy: { 'timed-out': 1 } })
    await speak()
  },
)

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
