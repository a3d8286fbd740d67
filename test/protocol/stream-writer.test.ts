import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import { BrokenError, ClosedError, SlowConsumerError, TimeoutError } from '../../src/errors.js'
import type { Chunk, Framing } from '../../src/protocol/framing.js'
import {
  DEFAULT_HIGH_WATER_MARK,
  DEFAULT_LOW_WATER_MARK,
  DEFAULT_MAX_BUFFERED_BYTES,
} from '../../src/protocol/stream-writer.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { makeWriter } from '../support/made-writer.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

const SLICE = 64 * 1024

function text(size: number): string {
  return 'x'.repeat(size)
}

describe('new StreamWriter()', () => {
  test('has marks of 64 and 16 KiB and a cap of 1 MiB unless told otherwise', () => {
    expect(DEFAULT_HIGH_WATER_MARK).toBe(65_536)
    expect(DEFAULT_LOW_WATER_MARK).toBe(16_384)
    expect(DEFAULT_MAX_BUFFERED_BYTES).toBe(1_048_576)
  })

  test('refuses marks that are not 0 <= low <= high', () => {
    expect(() => makeWriter({ highWaterMark: 10, lowWaterMark: 11 })).toThrow(
      new RangeError('the marks must be 0 <= lowWaterMark <= highWaterMark, not 11 and 10'),
    )
    expect(() => makeWriter({ lowWaterMark: -1 })).toThrow(RangeError)
    expect(() => makeWriter({ highWaterMark: Number.NaN })).toThrow(RangeError)
  })

  test('refuses a cap that is not above 0', () => {
    expect(() => makeWriter({ maxBufferedBytes: 0 })).toThrow(
      new RangeError('maxBufferedBytes must be above 0, not 0'),
    )
  })
})

describe('StreamWriter.write()', () => {
  test('sends what was written during one turn as one write', async () => {
    const { writer, transport } = makeWriter()
    writer.write('one ')
    writer.write(Buffer.from('two '))
    await Promise.resolve()
    writer.write('three')
    expect(transport.sent).toEqual([])
    await loopTurns(1)
    expect(transport.sent).toEqual([Buffer.from('one two three')])
    expect(writer.bufferedBytes).toBe(0)
    expect(writer.flushedBytes).toBe(13)
    writer.write('four')
    await loopTurns(1)
    expect(transport.sent).toEqual([Buffer.from('one two three'), Buffer.from('four')])
  })

  test('writes text as UTF-8, or one byte a character as latin1', async () => {
    const { writer, transport } = makeWriter()
    writer.write('ä')
    writer.write('ä', 'latin1')
    writer.write('€')
    expect(writer.bufferedBytes).toBe(6)
    await loopTurns(1)
    expect(transport.sent).toEqual([Buffer.from('c3a4e4e282ac', 'hex')])
  })

  test.each([
    ['ASCII', 'x'],
    ['other', 'é€'],
  ])('writes long text exactly: %s', async (_, unit) => {
    const { writer, transport } = makeWriter()
    writer.write(unit.repeat(6_000))
    await writer.flush()
    expect(transport.bytes.equals(Buffer.from(unit.repeat(6_000)))).toBe(true)
  })

  test('of nothing writes nothing', async () => {
    const { writer, transport } = makeWriter()
    writer.write('')
    writer.write(new Uint8Array())
    await loopTurns(1)
    expect(transport.sent).toEqual([])
  })

  test('keeps no more than one slice of 64 KiB with the transport', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    const bytes = Buffer.alloc(150_000).map((_, i) => i % 251)
    writer.write(bytes)
    await loopTurns(2)
    expect(transport.sent.map((one) => one.length)).toEqual([SLICE])
    expect(writer.bufferedBytes).toBe(150_000)
    transport.take()
    expect(transport.sent.map((one) => one.length)).toEqual([SLICE, SLICE])
    expect(writer.bufferedBytes).toBe(150_000 - SLICE)
    transport.release()
    expect(transport.bytes.equals(bytes)).toBe(true)
    expect(writer.bufferedBytes).toBe(0)
  })

  test('waits with the next slice until the transport has called back', async () => {
    const { writer, transport } = makeWriter()
    writer.write(text(2 * SLICE))
    expect(transport.sent).toHaveLength(1)
    await loopTurns(1)
    expect(transport.sent).toHaveLength(2)
  })

  test('does not wait for the end of the turn with a slice that is full', async () => {
    const { writer, transport } = makeWriter()
    writer.write(text(SLICE))
    expect(transport.sent).toHaveLength(1)
    await loopTurns(1)
    writer.write(text(SLICE - 1))
    expect(transport.sent).toHaveLength(1)
    await writer.flush()
  })

  test('joins small pieces up to a slice while they wait', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write('first')
    await loopTurns(1)
    for (let i = 0; i < 100; i++) {
      writer.write(Buffer.alloc(1000))
    }
    transport.release()
    await writer.flush()
    expect(transport.sent.map((one) => one.length)).toEqual([5, 65_000, 35_000])
  })

  test('copies bytes up to 16 KiB, so that the caller may use its buffer again', async () => {
    const { writer, transport } = makeWriter()
    const buffers = [Buffer.alloc(16 * 1024, 'a'), Buffer.alloc(10, 'a'), Buffer.alloc(3000, 'a')]
    for (const buffer of buffers) {
      writer.write(buffer)
      buffer.fill('b')
    }
    await loopTurns(1)
    expect(transport.bytes.includes('b')).toBe(false)
  })

  test('does not copy a larger buffer: it belongs to the writer until flush()', async () => {
    const { writer, transport } = makeWriter()
    const buffer = Buffer.alloc(16 * 1024 + 1, 'a')
    writer.write(buffer)
    buffer.fill('b')
    await loopTurns(1)
    expect(transport.bytes.includes('a')).toBe(false)
  })

  test('takes a Uint8Array that is a part of a larger one', async () => {
    const { writer, transport } = makeWriter()
    const whole = new Uint8Array(40_000).map((_, i) => i % 251)
    writer.write(whole.subarray(1, 3))
    writer.write(whole.subarray(1, 20_001))
    await loopTurns(1)
    const expected = Buffer.concat([whole.subarray(1, 3), whole.subarray(1, 20_001)])
    expect(transport.bytes.equals(expected)).toBe(true)
  })

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'number'],
    [new ArrayBuffer(1), 'ArrayBuffer'],
    [Object.create(null), 'object'],
  ])('refuses %o', (data, name) => {
    const { writer } = makeWriter()
    const refused = (): void => writer.write(data as string)
    expect(refused).toThrow(new TypeError(`data must be a string or a Uint8Array, not ${name}`))
    expect(writer.bufferedBytes).toBe(0)
  })

  test('joins the halves of a surrogate pair that one turn writes, and sizes them alike', async () => {
    const { writer, transport } = makeWriter()
    writer.write('\ud83d')
    expect(writer.bufferedBytes).toBe(3)
    writer.write('\ude00')
    expect(writer.bufferedBytes).toBe(4)
    await loopTurns(1)
    expect(transport.bytes).toEqual(Buffer.from('\u{1f600}'))
    expect(writer.flushedBytes).toBe(4)
  })

  test('counts exactly, also when text is added to counted text', () => {
    const { writer } = makeWriter()
    writer.write('ä')
    expect(writer.bufferedBytes).toBe(2)
    writer.write('€')
    expect(writer.bufferedBytes).toBe(5)
    writer.write('ä', 'latin1')
    expect(writer.bufferedBytes).toBe(6)
    writer.write('ö', 'latin1')
    expect(writer.bufferedBytes).toBe(7)
  })

  const piece = fc.oneof(
    fc.record({
      data: fc.string({ unit: 'binary', maxLength: 20 }),
      encoding: fc.constant('utf8'),
    }),
    fc.record({
      data: fc.string({ unit: 'binary-ascii', maxLength: 20 }),
      encoding: fc.constant('latin1'),
    }),
    fc.record({
      data: fc.constantFrom(
        'ÿä',
        text(3000),
        text(70_000),
        // Whole: two halves that one turn writes are joined, as a test above states.
        '\ud83d\ude00',
        'é'.repeat(6_000),
        'é'.repeat(40_000),
      ),
      encoding: fc.constantFrom('utf8', 'latin1'),
    }),
    fc.record({
      data: fc
        .constantFrom(1, 100, 2048, 2049, 16_384, 16_385, 65_536, 65_537, 140_000)
        .map((size) => Buffer.alloc(size, `${size}.`)),
      encoding: fc.constant('utf8'),
    }),
  )
  const step = fc.oneof(
    { weight: 6, arbitrary: piece },
    { weight: 2, arbitrary: fc.constantFrom('turn', 'hold', 'take', 'count') },
  )

  test('sends text, latin1 and bytes in the order of the calls, for any sizes and any pace', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
        const { writer, transport } = makeWriter({ maxBufferedBytes: Infinity })
        const expected: Buffer[] = []
        const sizes: [number, number][] = []
        for (const one of steps) {
          if (one === 'turn') await loopTurns(1)
          else if (one === 'hold') transport.isHeld = true
          else if (one === 'take' && transport.writableLength > 0) transport.take()
          else if (one === 'count') {
            const total = expected.reduce((sum, bytes) => sum + bytes.length, 0)
            sizes.push([writer.bufferedBytes + writer.flushedBytes, total])
          } else if (typeof one === 'object') {
            const encoding = one.encoding
            writer.write(one.data, encoding)
            expected.push(typeof one.data === 'string' ? Buffer.from(one.data, encoding) : one.data)
          }
        }
        transport.release()
        await writer.flush()
        for (const [seen, total] of sizes) expect(seen).toBe(total)
        expect(transport.bytes.equals(Buffer.concat(expected))).toBe(true)
        expect(Math.max(0, ...transport.sent.map((one) => one.length))).toBeLessThanOrEqual(SLICE)
      }),
      { numRuns: 150 },
    )
  })
})

describe('StreamWriter.drain()', () => {
  test('resolves at once at or under the high mark, though bytes wait', async () => {
    const { writer, transport } = makeWriter({ highWaterMark: 10 })
    transport.isHeld = true
    writer.write('0123456789')
    await writer.drain()
    expect(writer.bufferedBytes).toBe(10)
  })

  test('above it waits until the low mark is reached', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(3 * SLICE))
    const drain = watch(writer.drain())
    transport.take()
    transport.take()
    await loopTurns(1)
    expect(drain.state).toBe('pending')
    expect(writer.bufferedBytes).toBe(SLICE)
    transport.take()
    await drain.promise
    expect(writer.bufferedBytes).toBe(0)
  })

  test('has a low mark of a quarter of the high mark', async () => {
    for (const [left, state] of [
      [1001, 'pending'],
      [1000, 'resolved'],
    ] as const) {
      const { writer, transport } = makeWriter({ highWaterMark: 4000 })
      transport.isHeld = true
      writer.write(Buffer.alloc(SLICE + left))
      const drain = watch(writer.drain())
      transport.take()
      await loopTurns(1)
      expect(drain.state).toBe(state)
      transport.release()
    }
  })

  test('may be waited for any number of times', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    const drains = Array.from({ length: 1000 }, () => writer.drain())
    transport.release()
    expect(await Promise.all(drains)).toHaveLength(1000)
  })

  test('counts text in bytes', async () => {
    const { writer, transport } = makeWriter({ highWaterMark: 4, lowWaterMark: 0 })
    transport.isHeld = true
    writer.write('ä€')
    const drain = watch(writer.drain())
    await loopTurns(1)
    expect(drain.state).toBe('pending')
    transport.take()
    await drain.promise
  })

  test('lets the loop turn at least every 1024 calls', async () => {
    const { writer } = makeWriter()
    const loop = { hasTurned: false }
    setImmediate(() => (loop.hasTurned = true))
    let calls = 0
    while (!loop.hasTurned) {
      await writer.drain()
      calls++
    }
    expect(calls).toBe(1024)
  })

  test('rejects when what was written can no longer be delivered, then and afterwards', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    const drains = [rejection(writer.drain()), rejection(writer.drain())]
    const reset = new BrokenError('reset by the peer')
    writer.fail(reset)
    expect(await Promise.all(drains)).toEqual([reset, reset])
    expect(await rejection(writer.drain())).toBe(reset)
    expect(await rejection(writer.flush())).toBe(reset)
    expect(writer.bufferedBytes).toBe(0)
  })

  test('rejects when the connection is closed while it waits: there is no more to write', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    const drain = rejection(writer.drain())
    const closed = new ClosedError('closed here')
    writer.finish(closed)
    expect(await drain).toBe(closed)
    expect(await rejection(writer.drain())).toBe(closed)
    transport.release()
    await writer.drain()
  })

  test('that nobody awaits ends no process when it rejects', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    void writer.drain()
    void writer.flush()
    writer.fail(new BrokenError('reset by the peer'))
    void writer.drain()
    void writer.flush()
    void writer.waitClosed()
    // The guard of this file sees what is unhandled by then.
    await loopTurns(1)
    expect(writer.isClosing).toBe(true)
  })

  test('ends with a TimeoutError after timeoutMs; what was written stays written', async () => {
    const { writer, transport, clock } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    const late = rejection(writer.drain({ timeoutMs: 100 }))
    const later = rejection(writer.flush({ timeoutMs: 200 }))
    const latest = watch(writer.drain())
    expect(clock.pendingTimers).toBe(1)
    await clock.advance(100)
    const error = await late
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({
      message: `${SLICE + 1} bytes are still waiting after 100 ms`,
      phase: 'call',
      timeoutMs: 100,
    })
    await clock.advance(100)
    expect(await later).toMatchObject({ timeoutMs: 200 })
    await clock.advance(10_000)
    expect(latest.state).toBe('pending')
    expect(clock.pendingTimers).toBe(0)
    transport.release()
    await latest.promise
    expect(transport.bytes).toHaveLength(SLICE + 1)
  })

  test('that ends in time leaves nothing to pass', async () => {
    const { writer, transport, clock } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    const drain = writer.drain({ timeoutMs: 100 })
    transport.release()
    await drain
    await clock.advance(200)
    expect(clock.pendingTimers).toBe(0)
  })

  test('ends with the reason of an abort; what was written stays written', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    const abort = new AbortController()
    const { signal } = abort
    const aborted = rejection(writer.drain({ signal }))
    const other = writer.drain({ signal: new AbortController().signal })
    const reason = new Error('no longer wanted')
    abort.abort(reason)
    expect(await aborted).toBe(reason)
    expect(await rejection(writer.drain({ signal }))).toBe(reason)
    expect(await rejection(writer.flush({ signal }))).toBe(reason)
    transport.release()
    await other
    expect(transport.bytes).toHaveLength(SLICE + 1)
  })

  test('leaves no listener on its signal', async () => {
    const { writer, transport } = makeWriter()
    const { signal } = new AbortController()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    const resolved = writer.drain({ signal })
    transport.release()
    await resolved
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 1))
    const rejected = rejection(writer.drain({ signal }))
    writer.fail(new Error('it broke'))
    await rejected
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('refuses a timeoutMs that is not above 0', async () => {
    const { writer } = makeWriter()
    const error = new RangeError('timeoutMs must be a number of milliseconds above 0, not 0')
    await expect(writer.drain({ timeoutMs: 0 })).rejects.toThrow(error)
    await expect(writer.flush({ timeoutMs: 0 })).rejects.toThrow(error)
  })
})

describe('StreamWriter.flush()', () => {
  test('resolves at once when nothing waits', async () => {
    await expect(makeWriter().writer.flush()).resolves.toBeUndefined()
  })

  test('sends at once, and resolves when the transport has it', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write('now')
    const flush = watch(writer.flush())
    expect(transport.sent).toEqual([Buffer.from('now')])
    await loopTurns(1)
    expect(flush.state).toBe('pending')
    transport.take()
    await flush.promise
    expect(writer.flushedBytes).toBe(3)
  })

  test('waits for what was written before it, and for nothing later', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write('first')
    const first = watch(writer.flush())
    writer.write('second')
    const second = watch(writer.flush())
    await loopTurns(1)
    transport.take()
    await first.promise
    await loopTurns(1)
    expect(second.state).toBe('pending')
    transport.take()
    await second.promise
  })

  test('still resolves after the connection was closed', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write('last words')
    const flush = writer.flush()
    writer.finish(new ClosedError('closed here'))
    transport.release()
    await flush
    expect(transport.sent).toEqual([Buffer.from('last words'), 'end'])
  })

  test('rejects when the transport fails while it sends', async () => {
    const { writer, transport } = makeWriter()
    const reset = new BrokenError('reset by the peer')
    transport.write = () => {
      writer.fail(reset)
      return false
    }
    writer.write('x')
    expect(await rejection(writer.flush())).toBe(reset)
  })
})

describe('StreamWriter, its cap', () => {
  test('refuses a write while as much waits already; nothing of it is taken', async () => {
    const { writer, transport } = makeWriter({ maxBufferedBytes: 10 })
    transport.isHeld = true
    writer.write('0123456789')
    const error = await rejection((async () => writer.write('x'))())
    expect(error).toBeInstanceOf(SlowConsumerError)
    expect(error).toMatchObject({ bufferedBytes: 10, maxBufferedBytes: 10 })
    expect(() => writer.writeAll(['x', 'y'])).toThrow(SlowConsumerError)
    expect(() => writer.write(Buffer.from('x'))).toThrow(SlowConsumerError)
    expect(writer.bufferedBytes).toBe(10)
    await writer.drain()
    transport.release()
    await writer.flush()
    writer.write('x')
    await writer.flush()
    expect(transport.bytes).toEqual(Buffer.from('0123456789x'))
  })

  test('is checked before the write: one of any size is taken while there is room', () => {
    const { writer } = makeWriter({ maxBufferedBytes: 10 })
    writer.write('012345678')
    writer.write(Buffer.alloc(5_000_000))
    expect(writer.bufferedBytes).toBe(5_000_009)
    expect(() => writer.write('')).toThrow(SlowConsumerError)
  })

  test('counts bytes, not characters', () => {
    const { writer } = makeWriter({ maxBufferedBytes: 10 })
    writer.write('aaaa')
    writer.write('ä€')
    expect(writer.bufferedBytes).toBe(9)
    writer.write('a')
    expect(() => writer.write('a')).toThrow(SlowConsumerError)
  })

  test('is 1 MiB unless told otherwise', () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(2 ** 20 - 1))
    writer.write('x')
    expect(() => writer.write('x')).toThrow(
      'the peer does not keep up: 1048576 bytes are waiting, the cap is 1048576; await drain() between writes',
    )
  })

  test('tells the connection to abort, where that is asked for, and throws too', () => {
    const { writer, told } = makeWriter({ maxBufferedBytes: 1, onOverflow: 'abort' })
    writer.write('x')
    expect(told).toEqual([])
    expect(() => writer.write('y')).toThrow(SlowConsumerError)
    expect(told).toEqual([expect.stringMatching(/^overflowed: the peer does not keep up/)])
  })
})

describe('StreamWriter.writeAll()', () => {
  test('writes each chunk, as one write', async () => {
    const { writer, transport } = makeWriter()
    writer.writeAll(new Set(['a', Buffer.from('b'), 'ä']))
    await loopTurns(1)
    expect(transport.sent).toEqual([Buffer.from('abä')])
  })

  test('takes all or none', async () => {
    const { writer, transport } = makeWriter()
    const bad = ['a', Buffer.from('b'), 7 as unknown as string]
    expect(() => writer.writeAll(bad)).toThrow(
      new TypeError('each chunk must be a string or a Uint8Array, not number'),
    )
    const failing = function* (): Generator<string> {
      yield 'a'
      throw new Error('no more')
    }
    expect(() => writer.writeAll(failing())).toThrow('no more')
    await loopTurns(1)
    expect(transport.sent).toEqual([])
  })

  test('throws as write() does after the end', () => {
    const { writer } = makeWriter()
    writer.writeEof()
    expect(() => writer.writeAll(['x'])).toThrow(ClosedError)
  })
})

describe('StreamWriter.writeFrame()', () => {
  test.each([
    ['text', (value: string): Chunk => `<${value}>`],
    ['bytes', (value: string): Chunk => Buffer.from(`<${value}>`)],
    ['several chunks', (value: string): readonly Chunk[] => ['<', Buffer.from(value), '>']],
  ])('writes a frame of %s', async (_, encode) => {
    const { writer, transport } = makeWriter()
    const framing: Framing<string> = { decode: () => undefined, encode }
    writer.writeFrame(framing, 'x')
    await loopTurns(1)
    expect(transport.sent).toEqual([Buffer.from('<x>')])
  })
})

describe('StreamWriter.writeEof()', () => {
  test('ends our half after what was written, and refuses writes from then on', async () => {
    const { writer, transport, told } = makeWriter()
    expect(writer.isClosing).toBe(false)
    expect(writer.canWriteEof).toBe(true)
    writer.write('last words')
    writer.writeEof()
    writer.writeEof()
    expect(writer.isClosing).toBe(true)
    expect(() => writer.write('x')).toThrow(
      new ClosedError('write after writeEof(): our half of the connection has ended'),
    )
    await loopTurns(1)
    expect(transport.sent).toEqual([Buffer.from('last words'), 'end'])
    expect(told).toEqual(['localEnds', 'allSent'])
    await writer.drain()
    await writer.flush()
  })

  test('with nothing written ends at once', () => {
    const { writer, transport } = makeWriter()
    writer.writeEof()
    expect(transport.sent).toEqual(['end'])
    expect(writer.isSpent).toBe(true)
  })

  test('behind a slice that is under way comes when all slices have gone', async () => {
    const { writer, transport, told } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE + 5))
    await loopTurns(1)
    writer.write('end')
    writer.writeEof()
    await loopTurns(1)
    expect(transport.sent).toHaveLength(1)
    transport.take()
    expect(transport.sent.map((one) => one.length)).toEqual([SLICE, 8, 3])
    expect(transport.sent.at(-1)).toBe('end')
    // The FIN is queued, but the last slice has not gone yet.
    expect(told).toEqual(['localEnds'])
    expect(writer.isSpent).toBe(false)
    transport.take()
    expect(told).toEqual(['localEnds', 'allSent'])
    expect(writer.isSpent).toBe(true)
  })

  test('after the connection broke throws what broke it', () => {
    const { writer } = makeWriter()
    const reset = new BrokenError('reset by the peer')
    writer.fail(reset)
    expect(() => writer.writeEof()).toThrow(reset)
  })

  test('after close() does nothing', () => {
    const { writer, transport, told } = makeWriter()
    writer.finish(new ClosedError('closed here'))
    writer.writeEof()
    expect(transport.sent).toEqual(['end'])
    expect(told).toEqual(['allSent'])
  })
})

describe('StreamWriter.finish()', () => {
  test('sends what was written and an end, and refuses writes with its error', async () => {
    const { writer, transport, told } = makeWriter()
    writer.write('last words')
    const closed = new ClosedError('closed here')
    writer.finish(closed)
    expect(() => writer.write('x')).toThrow(closed)
    expect(transport.sent).toEqual([Buffer.from('last words'), 'end'])
    expect(told).toEqual(['allSent'])
    await loopTurns(1)
    writer.finish(new ClosedError('again'))
    expect(transport.sent).toHaveLength(2)
  })

  test('after the connection broke changes nothing', () => {
    const { writer, transport } = makeWriter()
    const reset = new BrokenError('reset by the peer')
    writer.fail(reset)
    writer.finish(new ClosedError('closed here'))
    expect(() => writer.write('x')).toThrow(reset)
    expect(transport.sent).toEqual([])
  })
})

describe('StreamWriter.fail()', () => {
  test('drops what waits, and its first error stays', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write(Buffer.alloc(SLICE))
    writer.write('text')
    const first = new BrokenError('first')
    writer.fail(first)
    writer.fail(new BrokenError('second'))
    expect(await rejection(writer.flush())).toBe(first)
    expect(() => writer.write('x')).toThrow(first)
    transport.release()
    await loopTurns(1)
    expect(transport.sent).toHaveLength(1)
  })

  test('once everything has left cleanly takes nothing back', async () => {
    const { writer } = makeWriter()
    writer.write('x')
    writer.writeEof()
    await loopTurns(1)
    writer.fail(new BrokenError('late'))
    await writer.drain()
    await writer.flush()
    expect(() => writer.write('x')).toThrow('late')
  })

  test('a write that calls back because the transport was destroyed is none that was taken', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write('x')
    const flush = rejection(writer.flush())
    // Node 20: without an error.
    transport.destroyed = true
    transport.take()
    expect(writer.flushedBytes).toBe(0)
    const reset = new BrokenError('reset by the peer')
    writer.fail(reset)
    expect(await flush).toBe(reset)
  })

  test('a write that calls back with an error changes nothing: an event of the transport follows', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    writer.write('x')
    await loopTurns(1)
    transport.take(new Error('EPIPE'))
    expect(writer.bufferedBytes).toBe(1)
    const reset = new BrokenError('reset by the peer')
    writer.fail(reset)
    expect(() => writer.write('y')).toThrow(reset)
  })
})

describe('StreamWriter.close() and waitClosed()', () => {
  test('are those of the connection', async () => {
    const { writer, told } = makeWriter()
    await writer.close()
    expect(told).toEqual(['close'])
    await expect(writer.waitClosed()).rejects.toThrow('it broke')
  })
})

describe('StreamWriter.pipeFrom()', () => {
  /** A source that says what was asked of it. */
  function tracedSource(chunks: readonly Chunk[], calls: string[]): AsyncIterable<Chunk> {
    return {
      async *[Symbol.asyncIterator]() {
        try {
          for (const chunk of chunks) {
            calls.push(`give ${chunk.length}`)
            yield chunk
          }
        } finally {
          calls.push('closed')
        }
      },
    }
  }

  /** A source that waits for ever, and says whether it was closed. */
  function silentSource(): AsyncIterable<Chunk> & { closed: boolean } {
    const source = {
      closed: false,
      [Symbol.asyncIterator]: (): AsyncIterator<Chunk> => ({
        next: () => new Promise<never>(() => {}),
        return: () => {
          source.closed = true
          return Promise.resolve({ done: true, value: undefined })
        },
      }),
    }
    return source
  }

  test('writes all that an iterable, an async iterable or a readable gives, and ends nothing', async () => {
    const { writer, transport } = makeWriter()
    await writer.pipeFrom(['a', Buffer.from('b')])
    await writer.pipeFrom(tracedSource(['c', 'd'], []))
    await writer.pipeFrom(Readable.from([Buffer.from('e'), Buffer.from('f')]))
    writer.write('g')
    await writer.flush()
    expect(transport.bytes.toString()).toBe('abcdefg')
    expect(transport.sent).not.toContain('end')
  })

  test('takes the next chunk only when there is room', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    const calls: string[] = []
    const big = Buffer.alloc(SLICE + 1)
    const pipe = watch(writer.pipeFrom(tracedSource([big, big], calls)))
    await loopTurns(3)
    expect(calls).toEqual([`give ${SLICE + 1}`])
    transport.take()
    transport.take()
    await loopTurns(1)
    expect(calls).toEqual([`give ${SLICE + 1}`, `give ${SLICE + 1}`])
    expect(pipe.state).toBe('pending')
    transport.release()
    await pipe.promise
    expect(calls.at(-1)).toBe('closed')
  })

  test('takes what a queue has at hand in one go, as far as the high mark', async () => {
    const { writer, transport } = makeWriter({ highWaterMark: 3 })
    transport.isHeld = true
    const queue = new BoundedQueue<string>({ maxSize: 10 })
    for (const chunk of ['ab', 'cd', 'ef']) await queue.put(chunk)
    const pipe = watch(writer.pipeFrom(queue))
    await loopTurns(2)
    expect(queue.size).toBe(1)
    transport.release()
    await eventually(() => queue.waitingGets === 1)
    await queue.put('gh')
    queue.close()
    await pipe.promise
    await writer.flush()
    expect(transport.bytes.toString()).toBe('abcdefgh')
  })

  test('ends with a queue that is closed, whatever is at hand', async () => {
    const { writer, transport } = makeWriter()
    const queue = new BoundedQueue<string>({ maxSize: 10 })
    for (const chunk of ['ab', 'cd']) await queue.put(chunk)
    queue.close()
    await writer.pipeFrom(queue)
    await writer.flush()
    expect(transport.bytes.toString()).toBe('abcd')
  })

  test('closes a subscription that fails while it has more at hand', async () => {
    const { writer } = makeWriter()
    const broadcaster = new Broadcaster<string>()
    const subscription = broadcaster.subscribe({ capacity: 1, onOverflow: 'disconnect' })
    broadcaster.publish('a')
    broadcaster.publish('b')
    const error = await rejection(writer.pipeFrom(subscription))
    expect(error).toBe(subscription.signal.reason)
    expect(writer.bufferedBytes).toBe(1)
  })

  test('rejects with the error of the source; what came before stays written', async () => {
    const { writer, transport } = makeWriter()
    const failing = async function* (): AsyncGenerator<string> {
      yield 'before'
      await Promise.resolve()
      throw new Error('the source broke')
    }
    await expect(writer.pipeFrom(failing())).rejects.toThrow('the source broke')
    await writer.flush()
    expect(transport.bytes.toString()).toBe('before')
  })

  test('closes the source when a write is refused, and when it has a chunk that is none', async () => {
    const { writer, transport } = makeWriter({ maxBufferedBytes: 1, highWaterMark: 100 })
    transport.isHeld = true
    const calls: string[] = []
    await expect(writer.pipeFrom(tracedSource(['ab', 'c', 'd'], calls))).rejects.toThrow(
      SlowConsumerError,
    )
    expect(calls).toEqual(['give 2', 'give 1', 'closed'])
    const bad = tracedSource([[] as unknown as string], calls)
    await expect(makeWriter().writer.pipeFrom(bad)).rejects.toThrow(TypeError)
    expect(calls.at(-1)).toBe('closed')
  })

  test('closes the source when the connection breaks during drain()', async () => {
    const { writer, transport } = makeWriter()
    transport.isHeld = true
    const calls: string[] = []
    const pipe = rejection(writer.pipeFrom(tracedSource([Buffer.alloc(SLICE + 1), 'x'], calls)))
    await loopTurns(1)
    const reset = new BrokenError('reset by the peer')
    writer.fail(reset)
    expect(await pipe).toBe(reset)
    expect(calls).toEqual([`give ${SLICE + 1}`, 'closed'])
  })

  test('bounds each drain by timeoutMs', async () => {
    const { writer, transport, clock } = makeWriter()
    transport.isHeld = true
    const calls: string[] = []
    const source = tracedSource([Buffer.alloc(SLICE + 1)], calls)
    const pipe = rejection(writer.pipeFrom(source, { timeoutMs: 50 }))
    await clock.advance(50)
    expect(await pipe).toBeInstanceOf(TimeoutError)
    expect(calls.at(-1)).toBe('closed')
  })

  test('ends at once on an abort, also while the source is waited for', async () => {
    const { writer } = makeWriter()
    const abort = new AbortController()
    const source = silentSource()
    const pipe = rejection(writer.pipeFrom(source, { signal: abort.signal }))
    await loopTurns(1)
    abort.abort(new Error('no longer wanted'))
    expect(await pipe).toBe(abort.signal.reason)
    expect(source.closed).toBe(true)
    expect(getEventListeners(abort.signal, 'abort')).toEqual([])
    const another = silentSource()
    const refused = writer.pipeFrom(another, { signal: abort.signal })
    expect(await rejection(refused)).toBe(abort.signal.reason)
    expect(another.closed).toBe(true)
  })

  test('ends at once when writing ends while the source is waited for', async () => {
    const endings: ((writer: ReturnType<typeof makeWriter>['writer'], error: Error) => void)[] = [
      (writer, error) => writer.fail(error),
      (writer, error) => writer.finish(error),
    ]
    for (const end of endings) {
      const { writer } = makeWriter()
      const source = silentSource()
      const pipe = rejection(writer.pipeFrom(source))
      await loopTurns(1)
      const error = new ClosedError('it ended')
      end(writer, error)
      expect(await pipe).toBe(error)
      expect(source.closed).toBe(true)
      expect(await rejection(writer.pipeFrom(['x']))).toBe(error)
    }
  })

  test('destroys a readable that is waited for, whose iterator could not be closed', async () => {
    const { writer } = makeWriter()
    const readable = new Readable({ read: () => {} })
    const abort = new AbortController()
    const pipe = rejection(writer.pipeFrom(readable, { signal: abort.signal }))
    await loopTurns(1)
    abort.abort()
    expect(await pipe).toBe(abort.signal.reason)
    expect(readable.destroyed).toBe(true)
  })

  test('keeps its own error when closing the source fails', async () => {
    const { writer } = makeWriter()
    writer.fail(new BrokenError('reset by the peer'))
    const source = {
      [Symbol.iterator]: (): Iterator<string> => ({
        next: () => ({ done: false, value: 'x' }),
        return: () => {
          throw new Error('cannot close')
        },
      }),
    }
    await expect(writer.pipeFrom(source)).rejects.toThrow('reset by the peer')
  })
})
