/** How a connection lives and ends, over TCP, over Unix sockets and in memory. Its deadlines have a file of their own. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { BrokenError, ClosedError, IncompleteReadError } from '../../src/errors.js'
import { Connection, type CloseInfo } from '../../src/protocol/connection.js'
import type { Transport } from '../../src/protocol/transport.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { memoryTransportPair, type MemoryTransport } from '../../src/testing/memory-transport.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import {
  clog,
  CLOG_BYTES,
  hasRead,
  receiveAll,
  send,
  wasReset,
  wire,
  WIRE_KINDS,
} from '../support/wire.js'

guardAgainstLeaks()

const MIB = 1024 * 1024

function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff
  return bytes
}

describe.each(WIRE_KINDS)('Connection.close() over %s', (kind) => {
  test('delivers a reply of 6,000 bytes while the peer still uploads 10 MiB, 20 times of 20', async () => {
    const reply = pattern(6000)
    const upload = Buffer.alloc(10 * MIB, 'u')
    for (let round = 0; round < 20; round++) {
      const { connection, peer } = await wire(kind)
      const uploaded = send(peer, upload)
      await connection.reader.peek(1)
      connection.writer.write(reply)
      const closing = connection.close()
      const received = await receiveAll(peer)
      expect(received.end).toBe('end')
      expect(received.bytes.equals(reply)).toBe(true)
      await uploaded
      peer.end()
      await closing
      expect(await connection.closed).toMatchObject({
        reason: { kind: 'closed-here' },
        bytesRead: upload.length,
        bytesWritten: reply.length,
      })
    }
  })

  test('stores nothing of what arrives after it', async () => {
    const { connection, peer } = await wire(kind)
    void connection.close()
    await send(peer, Buffer.alloc(MIB))
    await hasRead(connection, MIB)
    expect(connection.reader.bufferedBytes).toBe(0)
  })

  test('drops what had arrived and was not read, and every read is a ClosedError', async () => {
    const { connection, peer } = await wire(kind)
    await send(peer, 'one\ntwo\n')
    await hasRead(connection, 8)
    void connection.close()
    await expect(connection.reader.readLine()).rejects.toThrow(ClosedError)
    await expect(connection.reader.read()).rejects.toThrow(ClosedError)
    expect(() => connection.reader.tryReadLine()).toThrow(ClosedError)
  })

  test('rejects a read that waits, whatever its form, with ClosedError', async () => {
    const forms: ((connection: Connection) => Promise<unknown>)[] = [
      ({ reader }) => reader.readLine(),
      ({ reader }) => reader.read(),
      ({ reader }) => reader.readExactly(5),
      ({ reader }) => reader.readUntil('x'),
      ({ reader }) => reader.readAll(),
      ({ reader }) => reader.peek(5),
      ({ reader }) => reader.lines().next(),
      ({ reader }) => reader.lineBatches().next(),
      ({ reader }) => reader.chunks().next(),
    ]
    for (const read of forms) {
      const { connection } = await wire(kind)
      const waiting = watch(read(connection))
      await loopTurns(1)
      expect(waiting.state).toBe('pending')
      void connection.close()
      await loopTurns(1)
      expect(waiting.error).toBeInstanceOf(ClosedError)
    }
  })

  test('rejects a drain() that waits within one turn, and keeps a flush() waiting', async () => {
    const { connection, peer } = await wire(kind)
    await clog(connection)
    const drains = [watch(connection.writer.drain()), watch(connection.writer.drain())]
    const flush = watch(connection.writer.flush())
    await loopTurns(1)
    expect(drains.map(({ state }) => state)).toEqual(['pending', 'pending'])
    const closing = connection.close()
    await loopTurns(1)
    for (const drain of drains) expect(drain.error).toBeInstanceOf(ClosedError)
    expect(flush.state).toBe('pending')
    const received = await receiveAll(peer)
    expect(received.bytes.length).toBe(CLOG_BYTES)
    await flush.promise
    peer.end()
    await closing
  })

  test('delivers all to a peer that begins to read only after the linger would have ended', async () => {
    const clock = new FakeClock()
    const { connection, peer } = await wire(kind, { clock })
    await clog(connection)
    const closing = connection.close()
    // Under the write stall of a server, 60 s, but over the whole time of a linger.
    await clock.advance(30_000)
    const received = await receiveAll(peer)
    expect(received.end).toBe('end')
    expect(received.bytes.length).toBe(CLOG_BYTES)
    peer.end()
    await closing
  })

  test('never rejects and ends once, however often it is called', async () => {
    const { connection, peer } = await wire(kind)
    const all = [connection.close(), connection.close(), connection[Symbol.asyncDispose]()]
    expect(connection.state).toBe('closing')
    peer.resume()
    peer.end()
    await Promise.all([...all, connection.close(), connection.writer.close()])
    expect(connection.state).toBe('closed')
  })

  test('after the peer’s end and with nothing to say, the reason is `ended`', async () => {
    const { connection, peer } = await wire(kind)
    peer.resume()
    peer.end()
    expect(await connection.reader.readLine()).toBeNull()
    await connection.close()
    expect((await connection.closed).reason).toEqual({ kind: 'ended' })
  })
})

test('Connection.close() delivers the last slice, too, to a peer that is slow to read', async () => {
  const clock = new FakeClock()
  // The kernel of this wire holds 64 KiB, so that half of the second write is left over.
  const { connection, peer } = await wire('memory', { clock })
  connection.writer.write(pattern(48 * 1024))
  await connection.writer.flush()
  connection.writer.write(pattern(32 * 1024))
  const closing = connection.close()
  await clock.advance(30_000)
  expect(connection.state).toBe('closing')
  const received = await receiveAll(peer)
  expect(received.bytes.length).toBe(80 * 1024)
  expect(received.end).toBe('end')
  await clock.advance(1999)
  expect(connection.state).toBe('closing')
  await clock.advance(1)
  await closing
  expect((await connection.closed).bytesWritten).toBe(80 * 1024)
})

describe.each(WIRE_KINDS)('The linger of a connection over %s', (kind) => {
  test('ends with the peer’s FIN', async () => {
    const { connection, peer } = await wire(kind, { clock: new FakeClock() })
    const closing = watch(connection.close())
    expect(await receiveAll(peer)).toMatchObject({ end: 'end' })
    expect(connection.state).toBe('closing')
    expect(closing.state).toBe('pending')
    peer.end()
    await closing.promise
    expect(connection.state).toBe('closed')
  })

  test('ends after 2 s of silence', async () => {
    const clock = new FakeClock()
    const { connection, peer } = await wire(kind, { clock })
    void connection.close()
    expect(await receiveAll(peer)).toMatchObject({ end: 'end' })
    await clock.advance(1999)
    expect(connection.state).toBe('closing')
    await clock.advance(1)
    expect((await connection.closed).reason).toEqual({ kind: 'closed-here' })
    expect(clock.pendingTimers).toBe(0)
  })

  test('goes on while the peer sends, and ends after 10 s in all', async () => {
    const clock = new FakeClock()
    const { connection, peer } = await wire(kind, { clock })
    void connection.close()
    expect(await receiveAll(peer)).toMatchObject({ end: 'end' })
    for (let second = 1; second < 10; second++) {
      await clock.advance(1000)
      await send(peer, 'still here')
      await hasRead(connection, second * 10)
    }
    await clock.advance(999)
    expect(connection.state).toBe('closing')
    await clock.advance(1)
    expect((await connection.closed).reason).toEqual({ kind: 'closed-here' })
  })

  test('that a reset ends keeps the reason of the close', async () => {
    const { connection, peer } = await wire(kind)
    const closing = connection.close()
    await receiveAll(peer)
    if (kind === 'unix') peer.destroy()
    else peer.resetAndDestroy?.()
    await closing
    expect((await connection.closed).reason).toEqual({ kind: 'closed-here' })
    await connection.writer.waitClosed()
  })
})

test('Connection.close() lets at most 256 connections linger, and ends the oldest beyond that', async () => {
  const clock = new FakeClock()
  const made: { connection: Connection; peer: MemoryTransport }[] = []
  onTestFinished(() => {
    for (const { peer } of made) peer.destroy()
  })
  const closeOneMore = async (): Promise<void> => {
    const [transport, peer] = memoryTransportPair()
    peer.resume()
    const connection = new Connection(transport, { role: 'inbound', clock, logger: false })
    made.push({ connection, peer })
    void connection.close()
    await loopTurns(8)
  }
  for (let i = 0; i < 256; i++) await closeOneMore()
  expect(made.filter(({ connection }) => connection.state === 'closed')).toEqual([])
  await closeOneMore()
  await closeOneMore()
  const closed = made.map(({ connection }) => connection.state === 'closed')
  expect(closed.indexOf(false)).toBe(2)
  expect(closed.lastIndexOf(true)).toBe(1)
  // One that has ended by itself makes room.
  made[10]?.peer.end()
  await made[10]?.connection.closed
  await closeOneMore()
  expect(made.filter(({ connection }) => connection.state === 'closed')).toHaveLength(3)
  await clock.advance(2000)
  expect(made.filter(({ connection }) => connection.state !== 'closed')).toEqual([])
  expect(clock.pendingTimers).toBe(0)
})

describe('Connection.abort()', () => {
  test('resets over TCP', async () => {
    const { connection, peer } = await wire('tcp')
    const received = receiveAll(peer)
    connection.abort()
    expect(await received).toEqual({ end: 'ECONNRESET', bytes: Buffer.alloc(0) })
    expect((await connection.closed).reason).toEqual({ kind: 'aborted' })
  })

  test('destroys a Unix socket, which has no reset', async () => {
    const { connection, peer } = await wire('unix')
    const received = receiveAll(peer)
    connection.abort()
    expect(await received).toEqual({ end: 'end', bytes: Buffer.alloc(0) })
    expect((await connection.closed).reason).toEqual({ kind: 'aborted' })
  })

  test.each(WIRE_KINDS)('over %s rejects whoever waits within one turn', async (kind) => {
    const { connection } = await wire(kind)
    await clog(connection)
    const reason = new Error('enough')
    const waiting = [
      watch(connection.reader.readLine()),
      watch(connection.writer.drain()),
      watch(connection.writer.drain()),
      watch(connection.writer.flush()),
    ]
    await loopTurns(1)
    expect(waiting.map(({ state }) => state)).toEqual(Array(4).fill('pending'))
    connection.abort(reason)
    await loopTurns(1)
    expect(waiting.map(({ error }) => error === reason)).toEqual([true, true, true, true])
    expect(await rejection(connection.writer.drain())).toBe(reason)
    expect(await rejection(connection.writer.flush())).toBe(reason)
    expect(() => connection.writer.write('x')).toThrow(reason)
    expect(await rejection(connection.reader.read())).toBe(reason)
    expect(await connection.closed).toMatchObject({ reason: { kind: 'aborted' }, error: reason })
  })

  test.each(WIRE_KINDS)('over %s rejects whom nobody awaits without a word', async (kind) => {
    const { connection } = await wire(kind)
    await clog(connection)
    void connection.reader.readLine()
    void connection.writer.drain()
    void connection.writer.flush()
    void connection.writer.waitClosed()
    void connection.close()
    connection.abort()
    // The leak guard sees to it that no rejection was unhandled.
    expect(await connection.closed).toMatchObject({ reason: { kind: 'closed-here' } })
  })

  test('with a reason that is no Error gives waiting calls a ClosedError with it as the cause', async () => {
    const { connection } = await wire('tcp')
    const read = watch(connection.reader.readLine())
    connection.abort('enough')
    await loopTurns(1)
    expect(read.error).toBeInstanceOf(ClosedError)
    expect(read.error).toMatchObject({ cause: 'enough' })
    expect(connection.signal.reason).toBe('enough')
  })

  test('drops what had arrived: after it every read gives the reason', async () => {
    const { connection, peer } = await wire('tcp')
    await send(peer, 'one\n')
    await hasRead(connection, 4)
    connection.abort()
    await expect(connection.reader.readLine()).rejects.toThrow(ClosedError)
  })

  test('ends a close() that waits for a peer that reads nothing, and the peer learns of the loss', async () => {
    const { connection, peer } = await wire('tcp')
    await clog(connection)
    const closing = connection.close()
    connection.abort()
    await closing
    expect(await wasReset(peer)).toBe(true)
  })

  test('resets a connection that lingers', async () => {
    const { connection, peer } = await wire('tcp')
    void connection.close()
    expect(await receiveAll(peer)).toMatchObject({ end: 'end' })
    connection.abort()
    await connection.closed
    // A peer that has had our end no longer reads: its next write finds out.
    await expect(send(peer, 'x')).rejects.toThrow(/EPIPE|ECONNRESET/)
  })

  // While a FIN is on its way out libuv refuses to reset, and a socket that was told to would stay open for good.
  test.each([
    ['close()', (connection: Connection) => void connection.close()],
    ['writeEof()', (connection: Connection) => connection.writer.writeEof()],
  ])('in the same turn as %s ends the socket', async (_call, end) => {
    for (const kind of WIRE_KINDS) {
      const { connection } = await wire(kind)
      connection.writer.write('last words')
      end(connection)
      connection.abort()
      await connection.closed
      expect(connection.state).toBe('closed')
    }
  })
})

describe.each(WIRE_KINDS)('Connection.closed over %s', (kind) => {
  test('keeps the first reason', async () => {
    const first = new Error('first')
    const { connection, peer } = await wire(kind)
    connection.abort(first)
    connection.abort(new Error('second'))
    void connection.close()
    peer.destroy()
    expect(await connection.closed).toMatchObject({ reason: { kind: 'aborted' }, error: first })
  })

  test('keeps `closed-here` when an abort ends the linger', async () => {
    const { connection } = await wire(kind)
    void connection.close()
    connection.abort()
    expect((await connection.closed).reason).toEqual({ kind: 'closed-here' })
  })

  test('resolves once, with the counts, the time and the same value for all', async () => {
    const clock = new FakeClock(1000)
    const infos: CloseInfo[] = []
    const { connection, peer } = await wire(kind, {
      clock,
      onClosed: (_connection, info) => infos.push(info),
    })
    const early = connection.closed
    await send(peer, 'hello\n')
    expect(await connection.reader.readLine()).toBe('hello')
    connection.writer.write('héllo\n')
    await connection.writer.flush()
    expect(connection.bytesRead).toBe(6)
    expect(connection.bytesWritten).toBe(7)
    await clock.advance(250)
    void connection.close()
    peer.resume()
    peer.end()
    const info = await early
    expect(info).toEqual({
      reason: { kind: 'closed-here' },
      bytesRead: 6,
      bytesWritten: 7,
      durationMs: 250,
    })
    expect(await connection.closed).toBe(info)
    expect(infos).toEqual([info])
    connection.abort()
    await loopTurns(4)
    expect(infos).toHaveLength(1)
  })

  test('comes after everything that waited has been settled', async () => {
    const { connection, peer } = await wire(kind)
    const order: string[] = []
    void connection.closed.then(() => order.push('closed'))
    void connection.reader.readLine().catch(() => order.push('read'))
    peer.destroy()
    void connection.close()
    await connection.closed
    await loopTurns(1)
    expect(order).toEqual(['read', 'closed'])
  })

  test('says `ended` when both sides end of themselves', async () => {
    const { connection, peer } = await wire(kind)
    await send(peer, 'question\n')
    peer.end()
    peer.resume()
    expect(await connection.reader.readLine()).toBe('question')
    expect(await connection.reader.readLine()).toBeNull()
    connection.writer.write('answer\n')
    connection.writer.writeEof()
    expect((await connection.closed).reason).toEqual({ kind: 'ended' })
    await connection.writer.waitClosed()
    expect(connection.state).toBe('closed')
  })
})

describe.each(['tcp', 'memory'] as const)('A reset by the peer over %s', (kind) => {
  test('while nobody waits: the next calls say so, `closed` says so', async () => {
    const { connection, peer } = await wire(kind)
    peer.resetAndDestroy?.()
    const info = await connection.closed
    expect(info.reason).toEqual({ kind: 'reset' })
    expect(info.error).toBeInstanceOf(BrokenError)
    expect(info.error).toMatchObject({ code: 'ERR_STANDPIPE_RESET', cause: { code: 'ECONNRESET' } })
    expect(await rejection(connection.reader.read())).toBe(info.error)
    expect(await rejection(connection.writer.drain())).toBe(info.error)
    expect(() => connection.writer.write('x')).toThrow(info.error)
  })

  test('rejects a read that waits', async () => {
    const { connection, peer } = await wire(kind)
    const read = connection.reader.readLine()
    peer.resetAndDestroy?.()
    await expect(read).rejects.toMatchObject({ code: 'ERR_STANDPIPE_RESET' })
  })

  test('after data: the data first, then the same error each time, whatever is asked', async () => {
    const { connection, peer } = await wire(kind)
    await send(peer, 'one\ntwo\nthr')
    await hasRead(connection, 11)
    peer.resetAndDestroy?.()
    await connection.closed
    const { reader } = connection
    expect(await reader.readLine()).toBe('one')
    expect(await reader.readLine()).toBe('two')
    const errors = [
      await rejection(reader.readLine()),
      await rejection(reader.lines().next()),
      await rejection(reader.readExactly(100)),
      await rejection(reader.readAll()),
    ]
    expect(errors[0]).toBeInstanceOf(BrokenError)
    expect(new Set(errors).size).toBe(1)
  })

  test('at once behind data: never a line that was not whole, and then an end or the error', async () => {
    const { connection, peer } = await wire(kind)
    await send(peer, 'one\ntwo\nthr')
    peer.resetAndDestroy?.()
    const lines: string[] = []
    let end = 'an end'
    try {
      for await (const line of connection.reader.lines()) lines.push(line)
    } catch (error) {
      if (!(error instanceof IncompleteReadError)) end = (error as BrokenError).code
    }
    expect(['one', 'two'].slice(0, lines.length)).toEqual(lines)
    expect(['an end', 'ERR_STANDPIPE_RESET']).toContain(end)
  })

  test('rejects every drain() and flush() that waits, within 100 ms', async () => {
    const { connection, peer } = await wire(kind)
    await clog(connection)
    const waiting = [
      watch(connection.writer.drain()),
      watch(connection.writer.drain()),
      watch(connection.writer.flush()),
    ]
    peer.resetAndDestroy?.()
    await eventually(() => waiting.every(({ state }) => state === 'rejected'), { timeoutMs: 100 })
    for (const { error } of waiting) expect(error).toBeInstanceOf(BrokenError)
    expect((await connection.closed).reason).toEqual({ kind: 'reset' })
    expect(connection.writer.bufferedBytes).toBe(0)
  })

  test('makes waitClosed() reject', async () => {
    const { connection, peer } = await wire(kind)
    const waiting = connection.writer.waitClosed()
    peer.resetAndDestroy?.()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_STANDPIPE_RESET' })
    await expect(connection.writer.waitClosed()).rejects.toThrow(BrokenError)
  })

  test('that loses what close() was still to deliver makes waitClosed() reject', async () => {
    const { connection, peer } = await wire(kind)
    await clog(connection)
    void connection.close()
    peer.resetAndDestroy?.()
    await expect(connection.writer.waitClosed()).rejects.toThrow(BrokenError)
    const info = await connection.closed
    expect(info.reason).toEqual({ kind: 'closed-here' })
    expect(info.error).toBeInstanceOf(BrokenError)
  })

  test('is no unhandled rejection when nobody awaits anything', async () => {
    const { connection, peer } = await wire(kind)
    void connection.reader.readLine()
    void connection.writer.waitClosed()
    peer.resetAndDestroy?.()
    // The leak guard sees to it that no rejection was unhandled.
    expect(await connection.closed).toMatchObject({ reason: { kind: 'reset' } })
  })

  test('names the peer in its message', async () => {
    const { connection, peer } = await wire(kind, { remote: { host: '192.0.2.7', port: 4711 } })
    peer.resetAndDestroy?.()
    const { error } = await connection.closed
    expect((error as Error).message).toBe('connection from 192.0.2.7:4711: reset by the peer')
  })
})

test('A reset by the peer over TCP is told with the peer’s address, though nobody had asked for it', async () => {
  const { connection, peer } = await wire('tcp')
  const port = peer.localPort
  peer.resetAndDestroy?.()
  const { error } = await connection.closed
  expect((error as Error).message).toBe(`connection from 127.0.0.1:${port}: reset by the peer`)
})

describe('Connection.signal', () => {
  test('fires on a reset', async () => {
    const { connection, peer } = await wire('tcp')
    const { signal } = connection
    expect(signal.aborted).toBe(false)
    peer.resetAndDestroy?.()
    const { error } = await connection.closed
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toBe(error)
  })

  test('fires on abort(), at once and with its reason', async () => {
    const { connection } = await wire('tcp')
    const { signal } = connection
    const reason = new Error('enough')
    connection.abort(reason)
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toBe(reason)
  })

  test('fires on a deadline, with its TimeoutError', async () => {
    const clock = new FakeClock()
    const { connection } = await wire('tcp', { clock, deadlines: { firstByteMs: 100 } })
    const { signal } = connection
    const read = watch(connection.reader.readLine())
    await clock.advance(100)
    expect(signal.reason).toMatchObject({ code: 'ERR_STANDPIPE_TIMED_OUT', phase: 'first-byte' })
    expect(read.error).toBe(signal.reason)
  })

  test('does not fire on a FIN, nor on a clean end', async () => {
    const { connection, peer } = await wire('tcp')
    const { signal } = connection
    peer.resume()
    peer.end()
    expect(await connection.reader.readLine()).toBeNull()
    expect(signal.aborted).toBe(false)
    await connection.close()
    expect(signal.aborted).toBe(false)
  })

  test('that is asked for only after the fact has fired already', async () => {
    const { connection } = await wire('tcp')
    const reason = new Error('enough')
    connection.abort(reason)
    expect(connection.signal.aborted).toBe(true)
    expect(connection.signal.reason).toBe(reason)
    await connection.closed
    expect(connection.signal).toBe(connection.signal)
  })
})

describe('Connection.draining', () => {
  test('fires when the server begins to stop, and once', async () => {
    const { connection } = await wire('memory')
    const { draining } = connection
    let fired = 0
    draining.addEventListener('abort', () => fired++)
    connection.beginDraining()
    connection.beginDraining()
    expect(draining.aborted).toBe(true)
    expect(fired).toBe(1)
    expect(connection.signal.aborted).toBe(false)
  })

  test('that is asked for only after the fact has fired already', async () => {
    const { connection } = await wire('memory')
    connection.beginDraining()
    expect(connection.draining.aborted).toBe(true)
  })
})

describe('Connection.getExtraInfo()', () => {
  test('knows asyncio’s names over TCP, and still knows the addresses after the end', async () => {
    const { connection, peer } = await wire('tcp')
    const peername = ['127.0.0.1', peer.localPort]
    const sockname = ['127.0.0.1', peer.remotePort]
    expect(connection.getExtraInfo('peername')).toEqual(peername)
    expect(connection.getExtraInfo('sockname')).toEqual(sockname)
    expect(connection.getExtraInfo('socket')).toBeTypeOf('object')
    expect(connection.getExtraInfo('cipher')).toBeUndefined()
    peer.end()
    peer.resume()
    await connection.close()
    expect(connection.getExtraInfo('peername')).toEqual(peername)
    expect(connection.getExtraInfo('sockname')).toEqual(sockname)
  })

  test('gives the path of a Unix socket, where it was told', async () => {
    const address = { path: '/run/x.sock' }
    const { connection } = await wire('unix', { local: address, remote: address })
    expect(connection.getExtraInfo('peername')).toBe('/run/x.sock')
    expect(connection.getExtraInfo('sockname')).toBe('/run/x.sock')
  })

  test('gives undefined for an address that nobody knows', async () => {
    const { connection } = await wire('memory')
    expect(connection.remote).toBeUndefined()
    expect(connection.getExtraInfo('peername')).toBeUndefined()
  })
})

describe.each(WIRE_KINDS)('Half-open over %s', (kind) => {
  test('by the peer: every reply to lines before its FIN arrives, then ours', async () => {
    const { connection, peer } = await wire(kind)
    await send(peer, 'a\nb\nc\n')
    peer.end()
    const received = receiveAll(peer)
    const lines: string[] = []
    for await (const line of connection.reader.lines()) {
      lines.push(line)
      expect(connection.writer.canWriteEof).toBe(true)
      connection.writer.write(`${line.repeat(10_000)}\n`)
      await connection.writer.drain()
    }
    expect(connection.state).toBe('peerEnded')
    await connection.close()
    const { bytes, end } = await received
    expect(end).toBe('end')
    expect(bytes.toString()).toBe(lines.map((line) => `${line.repeat(10_000)}\n`).join(''))
    expect(lines).toEqual(['a', 'b', 'c'])
    expect((await connection.closed).reason).toEqual({ kind: 'ended' })
  })

  test('by us: after writeEof() we read on to the peer’s end', async () => {
    const { connection, peer } = await wire(kind)
    connection.writer.write('question\n')
    connection.writer.writeEof()
    connection.writer.writeEof()
    expect(connection.state).toBe('localEnded')
    expect(await receiveAll(peer)).toEqual({ end: 'end', bytes: Buffer.from('question\n') })
    await send(peer, 'late answer\n')
    peer.end()
    expect(await connection.reader.readLine()).toBe('late answer')
    expect(await connection.reader.readLine()).toBeNull()
    expect((await connection.closed).reason).toEqual({ kind: 'ended' })
  })

  test('held by the peer after our end: closed at the half-closed deadline', async () => {
    const clock = new FakeClock()
    const { connection, peer } = await wire(kind, { clock, deadlines: { halfClosedMs: 10_000 } })
    const received = receiveAll(peer)
    connection.writer.writeEof()
    await received
    await clock.advance(9999)
    expect(connection.state).toBe('localEnded')
    await clock.advance(1)
    const info = await connection.closed
    expect(info.reason).toEqual({ kind: 'timed-out', phase: 'half-closed' })
    await expect(connection.writer.waitClosed()).rejects.toMatchObject({ phase: 'half-closed' })
    expect(clock.pendingTimers).toBe(0)
  })

  test('a FIN in the middle of a line: the line is not run, and the error has its bytes', async () => {
    const { connection, peer } = await wire(kind)
    await send(peer, 'whole\npart')
    peer.end()
    expect(await connection.reader.readLine()).toBe('whole')
    const error = await rejection(connection.reader.readLine())
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect((error as IncompleteReadError).partial.toString()).toBe('part')
    expect(await connection.reader.readLine()).toBeNull()
  })
})

describe.each(WIRE_KINDS)('A write over %s', (kind) => {
  test('after writeEof() and after close() throws ClosedError, and is never an event', async () => {
    const ended = await wire(kind)
    ended.connection.writer.writeEof()
    expect(() => ended.connection.writer.write('x')).toThrow(ClosedError)
    expect(() => ended.connection.writer.writeAll(['x'])).toThrow(ClosedError)
    expect(ended.connection.writer.isClosing).toBe(true)

    const closed = await wire(kind)
    void closed.connection.close()
    expect(() => closed.connection.writer.write('x')).toThrow(ClosedError)
    expect(() => closed.connection.writer.writeEof()).not.toThrow()
    closed.peer.end()
    closed.peer.resume()
    await closed.connection.closed
    expect(() => closed.connection.writer.write('x')).toThrow(ClosedError)
    await closed.connection.writer.drain()
  })

  test('of nothing sends nothing, and is no end', async () => {
    const { connection, peer } = await wire(kind)
    connection.writer.write('')
    connection.writer.write(Buffer.alloc(0))
    connection.writer.writeAll([])
    await connection.writer.flush()
    connection.writer.write('x')
    const received = receiveAll(peer)
    peer.end()
    await connection.close()
    expect(await received).toEqual({ end: 'end', bytes: Buffer.from('x') })
  })
})

describe('A connection over a transport that is gone already', () => {
  test('is closed from the start: `closed` resolves, calls reject, no address is needed', async () => {
    const [transport, peer] = memoryTransportPair()
    peer.destroy()
    transport.destroy()
    await loopTurns(4)
    const connection = new Connection(transport, { role: 'inbound', logger: false })
    expect(connection.state).toBe('closed')
    expect(connection.remote).toBeUndefined()
    expect((await connection.closed).reason.kind).toBe('failed')
    await expect(connection.reader.readLine()).rejects.toThrow(BrokenError)
    expect(() => connection.writer.write('x')).toThrow(BrokenError)
    expect(connection.signal.aborted).toBe(true)
    connection.abort()
    await connection.close()
  })
})

describe.each(WIRE_KINDS)('A transport that is destroyed from outside, over %s', (kind) => {
  const destroyFromOutside = (connection: Connection): void => {
    const transport = connection.getExtraInfo('socket') as Transport
    transport.destroy()
  }

  test('ends the connection as failed, and says so', async () => {
    const { connection } = await wire(kind)
    const read = watch(connection.reader.readLine())
    destroyFromOutside(connection)
    const info = await connection.closed
    expect(info.reason).toEqual({ kind: 'failed' })
    expect(read.error).toBeInstanceOf(BrokenError)
    expect(read.error).toBe(info.error)
    expect(connection.signal.reason).toBe(info.error)
  })

  test('while close() has still to deliver is a loss that flush() and waitClosed() tell', async () => {
    const { connection } = await wire(kind)
    await clog(connection)
    const flush = watch(connection.writer.flush())
    void connection.close()
    destroyFromOutside(connection)
    const info = await connection.closed
    expect(info.reason).toEqual({ kind: 'closed-here' })
    expect(info.error).toBeInstanceOf(BrokenError)
    expect(flush.error).toBe(info.error)
    expect(await rejection(connection.writer.waitClosed())).toBe(info.error)
  })

  test('during the linger changes nothing', async () => {
    const { connection, peer } = await wire(kind)
    void connection.close()
    await receiveAll(peer)
    destroyFromOutside(connection)
    const info = await connection.closed
    expect(info).toMatchObject({ reason: { kind: 'closed-here' } })
    expect(info.error).toBeUndefined()
  })
})
