/** The deadlines of a connection: over sockets and in memory, with time in the test's hand; and once with real time. */
import { describe, expect, test } from 'vitest'
import { TimeoutError, type TimeoutPhase } from '../../src/errors.js'
import { Connection } from '../../src/protocol/connection.js'
import type { DeadlineOptions } from '../../src/protocol/deadlines.js'
import type { Transport } from '../../src/protocol/transport.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { memoryTransportPair } from '../../src/testing/memory-transport.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { watch } from '../support/settled.js'
import {
  clog,
  CLOG_BYTES,
  hasRead,
  receiveAll,
  send,
  standsStill,
  wasReset,
  wire,
  WIRE_KINDS,
  type WireKind,
} from '../support/wire.js'

guardAgainstLeaks()

const MIB = 1024 * 1024

interface Timed {
  readonly connection: Connection
  readonly peer: Transport
  readonly clock: FakeClock
}

async function wireTimed(kind: WireKind, deadlines: DeadlineOptions): Promise<Timed> {
  const clock = new FakeClock()
  return { ...(await wire(kind, { clock, deadlines })), clock }
}

/** The connection lives until just before `ms`, and then ends with this phase. */
async function endsAfter(
  { connection, clock }: Timed,
  ms: number,
  phase: TimeoutPhase,
): Promise<void> {
  await clock.advance(ms - 1)
  expect(connection.state).not.toBe('closed')
  expect(connection.signal.aborted).toBe(false)
  await clock.advance(1)
  const info = await connection.closed
  expect(info.reason).toEqual({ kind: 'timed-out', phase })
  expect(info.error).toBeInstanceOf(TimeoutError)
  expect(info.error).toMatchObject({ phase, retryable: true })
  expect(connection.signal.reason).toBe(info.error)
  expect(clock.pendingTimers).toBe(0)
}

describe.each(WIRE_KINDS)('Deadlines over %s', (kind) => {
  test('first byte: a peer that connects and sends nothing', async () => {
    const timed = await wireTimed(kind, { firstByteMs: 300_000 })
    const received = receiveAll(timed.peer)
    const read = watch(timed.connection.reader.readLine())
    await endsAfter(timed, 300_000, 'first-byte')
    expect(read.error).toBe((await timed.connection.closed).error)
    expect(await received).toEqual({ end: 'end', bytes: Buffer.alloc(0) })
  })

  test('first byte: does not run while no read waits', async () => {
    const { connection, clock } = await wireTimed(kind, { firstByteMs: 1000, idleMs: 1000 })
    await clock.advance(3_600_000)
    expect(connection.state).toBe('open')
    expect(clock.pendingTimers).toBe(0)
  })

  test('message: a line that drips in, whatever the rate of the drip', async () => {
    const timed = await wireTimed(kind, { messageMs: 30_000, idleMs: 60_000 })
    const { connection, peer, clock } = timed
    const read = watch(connection.reader.readLine())
    await send(peer, 'x')
    await hasRead(connection, 1)
    for (let i = 1; i < 30; i++) {
      await clock.advance(1000)
      await send(peer, 'x')
      await hasRead(connection, i + 1)
    }
    await endsAfter(timed, 1000, 'message')
    expect(read.error).toMatchObject({ phase: 'message', timeoutMs: 30_000 })
    await expect(connection.reader.readLine()).rejects.toBe(read.error)
  })

  test('message: each line has its own time, and none runs while nothing has begun', async () => {
    const { connection, peer, clock } = await wireTimed(kind, {
      messageMs: 1000,
      idleMs: Infinity,
      firstByteMs: Infinity,
    })
    for (let round = 1; round <= 3; round++) {
      const read = connection.reader.readLine()
      await clock.advance(50_000)
      await send(peer, 'a')
      await hasRead(connection, round * 3 - 2)
      await clock.advance(900)
      await send(peer, 'b\n')
      expect(await read).toBe('ab')
    }
    expect(connection.state).toBe('open')
  })

  test('message: a read that is aborted and begun again does not start its time anew', async () => {
    const timed = await wireTimed(kind, { messageMs: 1000 })
    const { connection, peer, clock } = timed
    await send(peer, 'begun')
    await hasRead(connection, 5)
    for (let i = 0; i < 3; i++) {
      const giveUp = new AbortController()
      const read = watch(connection.reader.readLine({ signal: giveUp.signal }))
      await clock.advance(300)
      giveUp.abort()
      await loopTurns(1)
      expect(read.state).toBe('rejected')
    }
    const read = watch(connection.reader.readLine())
    await endsAfter(timed, 100, 'message')
    expect(read.error).toMatchObject({ phase: 'message' })
  })

  test('idle: not a byte either way while a read waits; a byte of either side starts it anew', async () => {
    const timed = await wireTimed(kind, { idleMs: 5000, messageMs: Infinity })
    const { connection, peer, clock } = timed
    await send(peer, 'hello\n')
    expect(await connection.reader.readLine()).toBe('hello')
    const read = watch(connection.reader.readLine())
    await clock.advance(4000)
    await send(peer, 'x')
    await hasRead(connection, 7)
    await clock.advance(4000)
    connection.writer.write('a heartbeat\n')
    await connection.writer.flush()
    await endsAfter(timed, 5000, 'idle')
    expect(read.error).toMatchObject({ phase: 'idle', timeoutMs: 5000 })
  })

  test('idle: nothing runs while the handler works elsewhere', async () => {
    const { connection, peer, clock } = await wireTimed(kind, { idleMs: 1000, messageMs: 1000 })
    await send(peer, 'hello\nand a begun')
    expect(await connection.reader.readLine()).toBe('hello')
    await clock.advance(3_600_000)
    expect(connection.state).toBe('open')
  })

  test('write stall: a peer that reads nothing; whoever waits is rejected, the peer is reset', async () => {
    const timed = await wireTimed(kind, { writeStallMs: 60_000 })
    const { connection, peer } = timed
    await clog(connection)
    const waiting = [watch(connection.writer.drain()), watch(connection.writer.flush())]
    await endsAfter(timed, 60_000, 'write')
    for (const { error } of waiting) expect(error).toMatchObject({ phase: 'write' })
    // A Unix socket knows no reset.
    expect(kind === 'unix' || (await wasReset(peer))).toBe(true)
  })

  test('write stall: begins anew with each piece that the peer takes', async () => {
    const timed = await wireTimed(kind, { writeStallMs: 1000 })
    const { connection, peer, clock } = timed
    connection.writer.write(Buffer.alloc(32 * MIB))
    await standsStill(connection)
    // The peer pauses at the first piece that makes room: a poll would let all of it through where nothing slows it.
    let before = Infinity
    peer.on('data', () => {
      if (connection.bytesWritten > before) peer.pause()
    })
    for (let round = 0; round < 3; round++) {
      await clock.advance(900)
      before = connection.bytesWritten
      peer.resume()
      await eventually(() => connection.bytesWritten > before)
      await standsStill(connection)
      expect(connection.state).toBe('open')
    }
    expect(connection.writer.bufferedBytes).toBeGreaterThan(0)
    await endsAfter(timed, 1000, 'write')
  })

  test('write stall: also while close() waits for its bytes to leave', async () => {
    const { connection, clock } = await wireTimed(kind, { writeStallMs: 60_000 })
    await clog(connection)
    const closing = watch(connection.close())
    await clock.advance(59_999)
    expect(closing.state).toBe('pending')
    await clock.advance(1)
    await closing.promise
    const info = await connection.closed
    expect(info.reason).toEqual({ kind: 'closed-here' })
    expect(info.error).toMatchObject({ phase: 'write' })
    await expect(connection.writer.waitClosed()).rejects.toMatchObject({ phase: 'write' })
  })

  test('a call with timeoutMs: ends the call alone, and nothing is consumed', async () => {
    const { connection, peer, clock } = await wireTimed(kind, {})
    await send(peer, 'begun')
    await hasRead(connection, 5)
    const read = watch(connection.reader.readLine({ timeoutMs: 250 }))
    await clock.advance(249)
    expect(read.state).toBe('pending')
    await clock.advance(1)
    expect(read.error).toMatchObject({ phase: 'call', timeoutMs: 250 })
    expect(connection.state).toBe('open')
    await send(peer, ' and ended\n')
    expect(await connection.reader.readLine()).toBe('begun and ended')
  })

  test('a drain() with timeoutMs: ends the call alone, and what was written stays', async () => {
    const { connection, peer, clock } = await wireTimed(kind, {})
    await clog(connection)
    const drain = watch(connection.writer.drain({ timeoutMs: 250 }))
    const other = watch(connection.writer.drain({ timeoutMs: 500 }))
    await clock.advance(250)
    expect(drain.error).toMatchObject({ phase: 'call', timeoutMs: 250 })
    expect(other.state).toBe('pending')
    const received = receiveAll(peer)
    await other.promise
    peer.end()
    void connection.close()
    expect((await received).bytes.length).toBe(CLOG_BYTES)
  })

  test('a client has none unless it asks', async () => {
    const clock = new FakeClock()
    const { connection } = await wire(kind, { clock, role: 'outbound' })
    void connection.reader.readLine()
    await clog(connection)
    await clock.advance(24 * 3_600_000)
    expect(connection.state).toBe('open')
    expect(clock.pendingTimers).toBe(0)
  })
})

test('A deadline over output that has not left resets, so that the peer does not take a part for the whole', async () => {
  const timed = await wireTimed('tcp', { idleMs: 1000, firstByteMs: 1000, writeStallMs: 60_000 })
  await clog(timed.connection)
  const read = watch(timed.connection.reader.readLine())
  await endsAfter(timed, 1000, 'first-byte')
  expect(read.state).toBe('rejected')
  expect(await wasReset(timed.peer)).toBe(true)
})

test('A connection keeps one timer at most, whatever it waits for', async () => {
  const { connection, peer, clock } = await wireTimed('tcp', {
    firstByteMs: 10_000,
    idleMs: 10_000,
    messageMs: 10_000,
    writeStallMs: 10_000,
  })
  await clog(connection)
  void connection.writer.drain({ timeoutMs: 5000 })
  void connection.writer.flush({ timeoutMs: 6000 })
  const read = watch(connection.reader.readLine({ timeoutMs: 7000 }))
  await send(peer, 'begun')
  await hasRead(connection, 5)
  expect(clock.pendingTimers).toBe(1)
  await clock.advance(7000)
  expect(read.error).toMatchObject({ phase: 'call' })
  expect(clock.pendingTimers).toBeLessThanOrEqual(1)
})

test('After a stalled loop a deadline first looks at what the kernel has had all along', async () => {
  const { connection, peer } = await wire('tcp', { deadlines: { firstByteMs: 50, idleMs: 50 } })
  const read = connection.reader.readLine()
  await send(peer, 'in time\n')
  const until = performance.now() + 200
  while (performance.now() < until);
  expect(await read).toBe('in time')
  await loopTurns(3)
  expect(connection.state).toBe('open')
})

test('With the clock of the process a deadline passes in time: not before, and soon after', async () => {
  const { connection } = await wire('tcp', { deadlines: { firstByteMs: 100 } })
  const from = performance.now()
  await expect(connection.reader.readLine()).rejects.toMatchObject({ phase: 'first-byte' })
  const tookMs = performance.now() - from
  expect(tookMs).toBeGreaterThanOrEqual(100)
  expect(tookMs).toBeLessThan(350)
})

describe('Keep-alive probes', () => {
  function probed(): { connection: Connection; clock: FakeClock; calls: unknown[][] } {
    const clock = new FakeClock()
    const calls: unknown[][] = []
    const [peer, transport] = memoryTransportPair()
    peer.on('error', () => {})
    const setKeepAlive = (...args: unknown[]): void => void calls.push(args)
    const options = { role: 'outbound', clock, logger: false } as const
    return {
      connection: new Connection(Object.assign(transport, { setKeepAlive }), options),
      clock,
      calls,
    }
  }

  test('are asked for once, at the age of 5 s: after a minute of silence', async () => {
    const { connection, clock, calls } = probed()
    await clock.advance(4_999)
    expect(calls).toEqual([])
    await clock.advance(1)
    expect(calls).toEqual([[true, 60_000]])
    await clock.advance(3_600_000)
    expect(calls).toHaveLength(1)
    expect(clock.pendingTimers).toBe(0)
    connection.abort()
    await connection.closed
  })

  test('are not asked for when the connection has ended before', async () => {
    const { connection, clock, calls } = probed()
    await clock.advance(1_000)
    connection.abort()
    await connection.closed
    expect(clock.pendingTimers).toBe(0)
    await clock.advance(10_000)
    expect(calls).toEqual([])
  })

  test('do not put off a deadline', async () => {
    const { connection, clock, calls } = probed()
    const read = watch(connection.reader.readLine({ timeoutMs: 5_000 }))
    await clock.advance(5_000)
    expect(read.error).toMatchObject({ phase: 'call' })
    await clock.advance(1)
    expect(calls).toHaveLength(1)
    connection.abort()
    await connection.closed
  })
})
