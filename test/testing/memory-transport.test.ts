import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import {
  failNth,
  memoryTransportPair,
  type MemoryOperation,
  type MemoryTransport,
  type MemoryTransportOptions,
} from '../../src/testing/memory-transport.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { TransportTrace } from '../support/transport-trace.js'

let pair: MemoryTransport[] = []
afterEach(() => {
  for (const transport of pair) transport.destroy()
})

function makePair(
  options?: MemoryTransportOptions,
): [MemoryTransport, MemoryTransport, TransportTrace] {
  const [a, b] = memoryTransportPair(options)
  pair = [a, b]
  const trace = new TransportTrace()
  trace.watch('a', a)
  trace.watch('b', b)
  return [a, b, trace]
}

function collect(transport: MemoryTransport): Buffer[] {
  const chunks: Buffer[] = []
  transport.on('data', (chunk: Buffer) => chunks.push(chunk))
  return chunks
}

describe('MemoryTransport.write()', () => {
  test('delivers on a later turn, never at once', async () => {
    const [a, b, trace] = makePair()
    const chunks = collect(b)
    a.write(Buffer.from('x'), trace.done('a'))
    expect(chunks).toEqual([])
    await Promise.resolve()
    expect(chunks).toEqual([])
    await loopTurns(1)
    expect(chunks).toEqual([Buffer.from('x')])
  })

  test('copies what the kernel took, so that the caller may reuse its buffer', async () => {
    const [a, b, trace] = makePair()
    const chunks = collect(b)
    const bytes = Buffer.from('before')
    a.write(bytes, trace.done('a'))
    bytes.write('after!')
    await loopTurns(2)
    expect(Buffer.concat(chunks).toString()).toBe('before')
  })

  test('holds on to what the kernel did not take, as a socket does', async () => {
    const [a, b, trace] = makePair({ bufferBytes: 3 })
    const chunks = collect(b)
    const bytes = Buffer.from('before')
    a.write(bytes, trace.done('a'))
    bytes.fill('!')
    await trace.seen('a done ok')
    await loopTurns(2)
    expect(Buffer.concat(chunks).toString()).toBe('bef!!!')
  })

  test('encodes strings', async () => {
    const [a, b, trace] = makePair()
    const chunks = collect(b)
    a.write('ä', 'utf8', trace.done('a'))
    a.write('ä', 'latin1', trace.done('a'))
    await loopTurns(2)
    expect(Buffer.concat(chunks)).toEqual(Buffer.from([0xc3, 0xa4, 0xe4]))
  })

  test('waits while the kernel buffer is full, and goes on in parts as the peer reads', async () => {
    const [a, b, trace] = makePair({ bufferBytes: 4 })
    b.pause()
    a.write(Buffer.from('0123456789'), trace.done('a'))
    await loopTurns(5)
    expect(trace.lines).toEqual([])
    expect([a.writableLength, b.unreadLength]).toEqual([10, 4])

    const chunks = collect(b)
    b.resume()
    await trace.seen('a done ok')
    expect(a.writableLength).toBe(0)
    await loopTurns(3)
    expect(chunks.map(String)).toEqual(['0123', '4567', '89'])
  })

  test('calls back in order, and only when its own bytes are handed over', async () => {
    const [a, b, trace] = makePair({ bufferBytes: 4 })
    a.write(Buffer.from('0123'), trace.done('first'))
    a.write(Buffer.from('4'), trace.done('second'))
    a.write(Buffer.from('5'), trace.done('third'))
    await loopTurns(5)
    expect(trace.lines).toEqual(['first done ok'])
    expect(a.writableLength).toBe(2)
    b.resume()
    await trace.seen('third done ok')
    expect(trace.lines).toEqual(['first done ok', 'second done ok', 'third done ok'])
  })

  test('gives false when 64 KiB wait', () => {
    const [a, , trace] = makePair({ bufferBytes: 1 })
    expect(a.write(Buffer.alloc(64 * 1024 - 1), trace.done('a'))).toBe(true)
    expect(a.write(Buffer.alloc(1), trace.done('a'))).toBe(false)
  })
})

describe('MemoryTransport.pause()', () => {
  test('holds back data that has arrived, from inside the data listener too', async () => {
    const [a, b, trace] = makePair({ cut: () => 1 })
    const chunks = collect(b)
    b.on('data', () => b.pause())
    a.write(Buffer.from('xyz'), trace.done('a'))
    await loopTurns(5)
    expect(chunks.map(String)).toEqual(['x'])
    expect(b.isFlowing).toBe(false)
    b.resume()
    await loopTurns(5)
    expect(chunks.map(String)).toEqual(['x', 'y'])
  })

  test('makes an end with a full buffer blind for a reset until it resumes', async () => {
    const [a, b, trace] = makePair({ bufferBytes: 4 })
    b.pause()
    a.write(Buffer.from('0123'), trace.done('a'))
    await loopTurns(3)
    a.resetAndDestroy()
    await loopTurns(5)
    expect(trace.lines).toEqual(['a done ok', 'a close false'])
    b.resume()
    await trace.seen('b close true')
    expect(trace.lines.slice(2)).toEqual(['b error ECONNRESET', 'b close true'])
  })

  test('makes a paused end with a full buffer find a reset by its next write', async () => {
    const [a, b, trace] = makePair({ bufferBytes: 4 })
    b.pause()
    a.write(Buffer.from('0123'), trace.done('a'))
    await loopTurns(3)
    a.resetAndDestroy()
    await loopTurns(5)
    b.write(Buffer.from('x'), trace.done('b'))
    await trace.seen('b close true')
    expect(trace.lines.slice(2)).toEqual([
      'b done ECONNRESET',
      'b error ECONNRESET',
      'b close true',
    ])
  })
})

describe('MemoryTransport.clog()', () => {
  test('lets nothing through until unclog()', async () => {
    const [a, b, trace] = makePair()
    const chunks = collect(b)
    a.write(Buffer.from('under way'), trace.done('first'))
    a.clog()
    a.write(Buffer.from(', late'), trace.done('second'))
    await loopTurns(5)
    expect(Buffer.concat(chunks).toString()).toBe('under way')
    a.unclog()
    await trace.seen('second done ok')
    await loopTurns(2)
    expect(Buffer.concat(chunks).toString()).toBe('under way, late')
  })

  test('can be the state at the start, of both directions', async () => {
    const [a, b, trace] = makePair({ clogged: true })
    a.write(Buffer.from('x'), trace.done('a'))
    b.write(Buffer.from('y'), trace.done('b'))
    await loopTurns(5)
    expect(trace.lines).toEqual([])
    b.unclog()
    await trace.seen('b done ok')
    expect(a.unreadLength).toBe(1)
    expect(b.unreadLength).toBe(0)
  })
})

describe('MemoryTransport.destroy()', () => {
  test('settles every pending write: the one in flight as Node 20 does, the others with an error', async () => {
    const [a, , trace] = makePair({ bufferBytes: 1 })
    a.write(Buffer.from('in flight'), trace.done('first'))
    a.write(Buffer.from('queued'), trace.done('second'))
    a.destroy()
    expect([a.destroyed, a.writableLength]).toEqual([true, 0])
    await trace.seen('a close false')
    expect(trace.lines.toSorted()).toEqual([
      'a close false',
      'first done ok',
      'second done ERR_STREAM_DESTROYED',
    ])
  })

  test('loses what was on its way when there is unread input', async () => {
    const [a, b, trace] = makePair()
    const chunks = collect(a)
    a.write(Buffer.from('upload'), trace.done('a'))
    await loopTurns(2)
    b.write(Buffer.from('reply'), trace.done('b'))
    b.destroy()
    await trace.seen('a close true')
    expect(chunks).toEqual([])
    expect(trace.lines).toContain('a error ECONNRESET')
  })

  test('resets a peer whose data arrives afterwards, and breaks its pending writes', async () => {
    const [a, b, trace] = makePair({ bufferBytes: 4 })
    a.resume()
    a.write(Buffer.alloc(10), trace.done('first'))
    a.write(Buffer.alloc(10), trace.done('second'))
    b.destroy()
    await trace.seen('a close true')
    expect(trace.lines.filter((line) => !line.startsWith('b'))).toEqual([
      'a error ECONNRESET',
      'second done ECONNRESET',
      'first done ok',
      'a close true',
    ])
  })

  test('answers data for a clogged direction with a reset too', async () => {
    const [a, b, trace] = makePair({ clogged: true })
    a.resume()
    a.write(Buffer.alloc(10), trace.done('a'))
    b.destroy()
    await trace.seen('a close true')
    expect(trace.lines).toContain('a error ECONNRESET')
  })
})

describe('memoryTransportPair()', () => {
  test('cuts chunks as it is told, within what is there', async () => {
    const sizes = [2, 0, 100, Number.NaN, -5]
    const [a, b, trace] = makePair({ cut: () => sizes.shift() ?? 1 })
    const chunks = collect(b)
    a.write(Buffer.from('abcdefgh'), trace.done('a'))
    a.end()
    await trace.seen('b end')
    expect(chunks.map(String)).toEqual(['ab', 'c', 'defgh'])
  })

  test('never delivers more than 64 KiB at once', async () => {
    const [a, b, trace] = makePair({ bufferBytes: 200_000 })
    const chunks = collect(b)
    a.write(Buffer.alloc(150_000), trace.done('a'))
    a.end()
    await trace.seen('b end')
    expect(chunks.map((chunk) => chunk.length)).toEqual([65_536, 65_536, 18_928])
  })

  test('has a size for each direction', async () => {
    const [a, b, trace] = makePair({ bufferBytes: [3, 5] })
    a.write(Buffer.alloc(10), trace.done('a'))
    b.write(Buffer.alloc(10), trace.done('b'))
    expect([b.unreadLength, a.unreadLength]).toEqual([3, 5])
  })

  test.each([0, -1, 1.5, Number.NaN])('refuses bufferBytes %s', (bufferBytes) => {
    expect(() => memoryTransportPair({ bufferBytes })).toThrow(RangeError)
    expect(() => memoryTransportPair({ bufferBytes: [1, bufferBytes] })).toThrow(
      `not ${bufferBytes}`,
    )
  })

  test('has addresses only where they are given', () => {
    const [bare] = makePair()
    expect([bare.localAddress, bare.remotePort]).toEqual([undefined, undefined])
    const [a, b] = makePair({
      addresses: [
        { host: '127.0.0.1', port: 1 },
        { host: '::1', port: 2 },
      ],
    })
    expect([a.localAddress, a.localPort, a.remoteAddress, a.remotePort]).toEqual([
      '127.0.0.1',
      1,
      '::1',
      2,
    ])
    expect([b.localAddress, b.localPort, b.remoteAddress, b.remotePort]).toEqual([
      '::1',
      2,
      '127.0.0.1',
      1,
    ])
  })

  test('loses, doubles and reorders nothing, whatever is written and however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 100 }),
        async (writes, cuts, bufferBytes) => {
          let cutIndex = 0
          const [a, b, trace] = makePair({
            bufferBytes,
            cut: () => cuts[cutIndex++ % cuts.length] ?? 1,
          })
          const chunks = collect(b)
          for (const bytes of writes) a.write(bytes, trace.done('a'))
          a.end()
          await trace.seen('b end')
          expect(Buffer.concat(chunks)).toEqual(Buffer.concat(writes))
          expect(trace.lines.filter((line) => line === 'a done ok').length).toBe(writes.length)
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('the intercept of a memory pair', () => {
  const play = async (
    intercept: NonNullable<MemoryTransportOptions['intercept']>,
  ): Promise<TransportTrace> => {
    const [a, b, trace] = makePair({ intercept })
    a.resume()
    b.resume()
    a.write(Buffer.from('x'), trace.done('a'))
    a.end()
    await loopTurns(5)
    if (!b.destroyed) b.resetAndDestroy()
    await loopTurns(5)
    return trace
  }

  test('sees each operation, counted over both ends', async () => {
    const operations: MemoryOperation[] = []
    await play((operation) => {
      operations.push(operation)
      return undefined
    })
    expect(operations).toEqual([
      { side: 0, name: 'write', nth: 1 },
      { side: 0, name: 'shutdown', nth: 2 },
      { side: 1, name: 'read', nth: 3 },
      { side: 1, name: 'reset', nth: 4 },
    ])
  })

  test('makes a write fail with its error', async () => {
    const trace = await play(failNth(1, 'EPIPE'))
    expect(trace.lines).toEqual([
      'a done EPIPE',
      'a error EPIPE',
      'b end',
      'a close true',
      'b close false',
    ])
  })

  test('makes a shutdown fail', async () => {
    const trace = await play(failNth(2, 'ENOTCONN'))
    expect(trace.lines).toContain('a error ENOTCONN')
    expect(trace.lines).toContain('a close true')
  })

  test('makes a read fail', async () => {
    const trace = await play(failNth(3, 'ETIMEDOUT'))
    expect(trace.lines).toContain('b error ETIMEDOUT')
    expect(trace.lines).toContain('b close true')
  })

  test('makes a reset throw, as on a Unix socket', async () => {
    await expect(play(failNth(4, 'ERR_INVALID_HANDLE_TYPE'))).rejects.toMatchObject({
      code: 'ERR_INVALID_HANDLE_TYPE',
    })
  })
})

test('failNth() refuses what it could never fail with', () => {
  expect(() => failNth(0, 'EIO')).toThrow('nth must be a whole number above 0, not 0')
  expect(() => failNth(1, 7 as never)).toThrow('code must be a text, not number')
})
