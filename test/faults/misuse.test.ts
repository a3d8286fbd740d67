/** What a program can do wrong with a connection, or oddly: it gets a clear error at once, or nothing happens. */
import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished } from 'vitest'
import { LineClient } from '../../src/client/line-client.js'
import { openConnection } from '../../src/client/open-connection.js'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import { ResourcePool } from '../../src/concurrency/resource-pool.js'
import { retry } from '../../src/concurrency/retry.js'
import { Semaphore } from '../../src/concurrency/semaphore.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { withTimeout } from '../../src/concurrency/timeout.js'
import { BusyError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import type { Framing } from '../../src/protocol/framing.js'
import { StreamReader } from '../../src/protocol/stream-reader.js'
import { startServer } from '../../src/server/start-server.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf } from '../support/serve.js'
import { rejection, watch } from '../support/settled.js'
import { receiveAll, send, wire, WIRE_KINDS } from '../support/wire.js'

guardAgainstLeaks()

const MIB = 1024 * 1024

/** A frame ends with a semicolon. */
const ENDED: Framing<string> = {
  decode(source) {
    const at = source.indexOf(0x3b)
    return at < 0 ? undefined : source.take(at + 1).toString()
  },
  encode: (value) => value,
}

const reads: [string, (connection: Connection, signal?: AbortSignal) => Promise<unknown>][] = [
  ['read()', async ({ reader }, signal) => await reader.read(5, { signal })],
  ['readExactly()', async ({ reader }, signal) => await reader.readExactly(5, { signal })],
  ['readUntil()', async ({ reader }, signal) => await reader.readUntil('\n', { signal })],
  ['readLine()', async ({ reader }, signal) => await reader.readLine({ signal })],
  ['readAll()', async ({ reader }, signal) => await reader.readAll({ signal })],
  ['peek()', async ({ reader }, signal) => await reader.peek(5, { signal })],
  ['lines()', async ({ reader }, signal) => await reader.lines({ signal }).next()],
  ['lineBatches()', async ({ reader }, signal) => await reader.lineBatches({ signal }).next()],
  ['chunks()', async ({ reader }, signal) => await reader.chunks({ signal }).next()],
  ['readFrame()', async ({ reader }, signal) => await reader.readFrame(ENDED, { signal })],
  ['frames()', async ({ reader }, signal) => await reader.frames(ENDED, { signal }).next()],
]

for (const [form, read] of reads) {
  fault(
    'F48',
    `a ${form} while another read waits is busy at once; the first is unaffected`,
    async () => {
      const { connection, peer } = await wire('tcp')
      const first = watch(connection.reader.readLine())
      await loopTurns(1)
      const second = watch(read(connection))
      await Promise.resolve()
      await loopTurns(1)
      expect(second.error).toBeInstanceOf(BusyError)
      expect(second.error).toMatchObject({ code: 'ERR_STANDPIPE_BUSY', retryable: false })
      expect(() => connection.reader.tryRead()).toThrow(BusyError)
      expect(() => connection.reader.tryReadLine()).toThrow(BusyError)
      expect(() => connection.reader.tryReadUntil('\n')).toThrow(BusyError)
      expect(() => connection.reader.tryReadExactly(1)).toThrow(BusyError)
      expect(() => connection.reader.tryReadFrame(ENDED)).toThrow(BusyError)
      expect(first.state).toBe('pending')
      await send(peer, 'hello\nwor')
      expect(await first.promise).toBe('hello')
      await send(peer, 'ld\n')
      expect(await connection.reader.readLine()).toBe('world')
    },
  )

  fault(
    'F48',
    `a second read while ${form} waits is busy at once; that is unaffected`,
    async () => {
      const { connection, peer } = await wire('tcp')
      const first = watch(read(connection))
      await loopTurns(1)
      expect(await rejection(connection.reader.readLine())).toBeInstanceOf(BusyError)
      expect(first.state).toBe('pending')
      await send(peer, 'hello;\n')
      peer.end()
      await first.promise
      expect(inspect(first.value)).toMatch(/hello|68 65 6c 6c 6f/)
    },
  )

  fault(
    'F50',
    `a signal that is aborted already lets ${form} reject before anything is done`,
    async () => {
      const { connection, peer } = await wire('tcp')
      await send(peer, 'hello\n')
      expect((await connection.reader.peek(6))?.toString()).toBe('hello\n')
      const reason = new Error('not today')
      expect(await rejection(read(connection, AbortSignal.abort(reason)))).toBe(reason)
      expect(connection.reader.bufferedBytes).toBe(6)
      expect(await connection.reader.readLine()).toBe('hello')
    },
  )

  fault(
    'F50',
    `a read that is aborted as ${form} consumes nothing, and the next read has it all`,
    async () => {
      const { connection, peer } = await wire('tcp')
      const giveUp = new AbortController()
      const reason = new Error('enough')
      const waiting = watch(read(connection, giveUp.signal))
      await loopTurns(1)
      giveUp.abort(reason)
      await loopTurns(1)
      expect(waiting.error).toBe(reason)
      await send(peer, 'hello\n')
      expect(await connection.reader.readLine()).toBe('hello')
    },
  )
}

fault('F48', 'any number of drains and flushes may wait', async () => {
  const { connection, peer } = await wire('tcp')
  connection.writer.write(Buffer.alloc(16 * MIB))
  const waiting = Array.from({ length: 50 }, async (_, i) =>
    i % 2 === 0 ? await connection.writer.drain() : await connection.writer.flush(),
  )
  peer.resume()
  expect(await Promise.all(waiting)).toHaveLength(50)
})

fault(
  'F50',
  'a signal that is aborted already lets drain(), flush() and pipeFrom() reject before anything is done',
  async () => {
    const { connection } = await wire('tcp')
    const reason = new Error('not today')
    const signal = AbortSignal.abort(reason)
    let taken = 0
    const source = {
      *[Symbol.iterator]() {
        taken++
        yield 'x'
      },
    }
    expect(await rejection(connection.writer.drain({ signal }))).toBe(reason)
    expect(await rejection(connection.writer.flush({ signal }))).toBe(reason)
    expect(await rejection(connection.writer.pipeFrom(source, { signal }))).toBe(reason)
    expect(taken).toBe(0)
    expect(connection.writer.bufferedBytes + connection.bytesWritten).toBe(0)
  },
)

const reason = new Error('not today')
const refused = { signal: AbortSignal.abort(reason) }

fault('F50', 'a signal that is aborted already lets no request and no line be sent', async () => {
  const { connection, peer } = await wire('tcp')
  const client = new LineClient(connection)
  expect(await rejection(client.request('one', refused))).toBe(reason)
  expect(await rejection(client.send('two', refused))).toBe(reason)
  expect(await rejection(client.unasked(refused).next())).toBe(reason)
  expect(client.inFlight).toBe(0)
  const received = receiveAll(peer)
  const closing = client.close()
  expect((await received).bytes).toHaveLength(0)
  peer.end()
  await closing
})

fault('F50', 'a signal that is aborted already lets nothing listen, dial or be made', async () => {
  const inUse = await startServer(() => {}, { logger: false })
  onTestFinished(async () => void (await inUse.stop()))
  const port = portOf(inUse.address)
  const made: string[] = []
  const pool = new ResourcePool({ max: 1, create: () => void made.push('resource') })
  // The port is in use: who tries to listen hears of that instead.
  const calls: [string, () => Promise<unknown>][] = [
    ['startServer()', () => startServer(() => {}, { port, logger: false, ...refused })],
    ['openConnection()', () => openConnection({ port, ...refused })],
    ['LineClient.open()', () => LineClient.open({ port, ...refused })],
    ['ResourcePool.acquire()', () => pool.acquire(refused)],
    ['ResourcePool.use()', () => pool.use(() => void made.push('use'), refused)],
    ['retry()', () => retry(() => void made.push('attempt'), refused)],
    ['withTimeout()', () => withTimeout(async () => void made.push('call'), 1000, refused)],
    ['Semaphore.acquire()', () => new Semaphore(1).acquire(refused)],
    ['BoundedQueue.put()', () => new BoundedQueue<number>({ maxSize: 1 }).put(1, refused)],
    ['BoundedQueue.get()', () => new BoundedQueue<number>({ maxSize: 1 }).get(refused)],
    ['sleep()', () => sleep(1000, refused)],
  ]
  for (const [call, make] of calls) expect([call, await rejection(make())]).toEqual([call, reason])
  expect(made).toEqual([])
  expect(inUse.stats.accepted).toBe(0)
  await pool.close()
})

fault(
  'F51',
  'one signal for 100,000 operations keeps no listener, causes no warning, and the heap stays',
  async ({ figure }) => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void

    const { signal } = new AbortController()
    const reader = new StreamReader()
    const line = Buffer.from('line\n')
    const readMany = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const read = reader.readLine({ signal })
        reader.feedData(line)
        await read
      }
    }
    await readMany(10_000)
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    await readMany(100_000)
    await loopTurns(1)
    collectGarbage()
    const growth = process.memoryUsage().heapUsed - before
    expect(growth).toBeLessThan(MIB)
    figure('heap after 100,000 reads', growth, 'bytes')
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(warnings).toEqual([])
  },
)

fault('F51', 'one signal is as good for many connections that wait at once', async () => {
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const giveUp = new AbortController()
  const { signal } = giveUp
  const wired = await Promise.all(Array.from({ length: 40 }, async () => await wire('memory')))
  const waiting = wired.flatMap(({ connection: { reader, writer } }) => {
    writer.write(Buffer.alloc(MIB))
    return [watch(reader.readLine({ signal })), watch(writer.drain({ signal }))]
  })
  await loopTurns(2)
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  giveUp.abort(new Error('enough'))
  await loopTurns(1)
  expect(waiting.every(({ error }) => error === signal.reason)).toBe(true)
  expect(getEventListeners(signal, 'abort')).toEqual([])
  expect(warnings).toEqual([])
})

fault('F51', 'one signal has no listener left over TCP, whatever the operation', async () => {
  const { signal } = new AbortController()
  const { connection, peer } = await wire('tcp')
  peer.on('data', (chunk) => void peer.write(chunk, () => {}))
  peer.resume()
  for (let i = 0; i < 500; i++) {
    connection.writer.write(`line ${i}\n`)
    await connection.writer.drain({ signal })
    await connection.writer.flush({ signal })
    expect(await connection.reader.readLine({ signal, timeoutMs: 5000 })).toBe(`line ${i}`)
  }
  connection.writer.write(Buffer.alloc(16 * MIB))
  await connection.writer.flush({ signal })
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

for (const kind of WIRE_KINDS) {
  fault('F53', `reads and writes of nothing over ${kind} do nothing, and are no end`, async () => {
    const { connection, peer } = await wire(kind)
    const { reader, writer } = connection
    const nothing = Buffer.alloc(0)
    // None of them waits, though not a byte has come.
    expect(await reader.read(0)).toEqual(nothing)
    expect(await reader.readExactly(0)).toEqual(nothing)
    expect(await reader.peek(0)).toEqual(nothing)
    expect(reader.tryRead(0)).toEqual(nothing)
    expect(reader.tryReadExactly(0)).toEqual(nothing)
    expect(reader.atEof).toBe(false)

    writer.write('')
    writer.write(nothing)
    writer.writeAll(['', nothing])
    await writer.drain()
    await writer.flush()
    expect(writer.bufferedBytes).toBe(0)
    await send(peer, '')
    await send(peer, nothing)
    await loopTurns(5)
    expect(reader.bufferedBytes).toBe(0)

    await send(peer, 'after\n')
    expect(await reader.readLine()).toBe('after')
    peer.end()
    const received = receiveAll(peer)
    expect(await reader.read()).toBeNull()
    expect(await reader.read(0)).toEqual(nothing)
    await connection.close()
    expect(await received).toEqual({ end: 'end', bytes: nothing })
    expect(connection.bytesWritten).toBe(0)
  })
}
