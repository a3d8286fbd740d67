import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReceiveBuffer } from '../../src/protocol/receive-buffer.js'
import { awkwardBytes, cut, cuts, LONG_BLOCK_BYTES, longAwkwardBytes } from '../support/bytes.js'

const LF = 10

function bufferOf(...chunks: (string | Buffer)[]): ReceiveBuffer {
  const buffer = new ReceiveBuffer()
  for (const chunk of chunks) buffer.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  return buffer
}

/** A block that is not gathered with its neighbours. */
function long(text = ''): string {
  return text + 'x'.repeat(LONG_BLOCK_BYTES)
}

describe('ReceiveBuffer.push()', () => {
  test('ignores a chunk without bytes', () => {
    const buffer = bufferOf('')
    expect(buffer.size).toBe(0)
    expect(buffer.takeBlock(10)).toEqual(Buffer.alloc(0))
  })

  test('gathers tiny chunks, so that a dripping peer makes no object for each byte', () => {
    const buffer = new ReceiveBuffer()
    for (let i = 0; i < 40_000; i++) buffer.push(Buffer.of(i % 251))
    let blocks = 0
    let at = 0
    while (buffer.size > 0) {
      const block = buffer.takeBlock(Infinity)
      const first = at
      expect(block.every((byte, i) => byte === (first + i) % 251)).toBe(true)
      at += block.length
      blocks++
    }
    expect(at).toBe(40_000)
    expect(blocks).toBeLessThan(5)
  })

  test('leaves what was taken from a gathered block as it was', () => {
    const buffer = bufferOf('a', 'b')
    const taken = buffer.takeBlock(Infinity)
    buffer.push(Buffer.from('c'))
    buffer.push(Buffer.from('d'))
    expect(taken.toString()).toBe('ab')
    expect(buffer.take(9).toString()).toBe('cd')
  })

  test('forgets blocks that are spent, however many there were', () => {
    const blocks = Array.from({ length: 100 }, (_, i) => long(String(i)))
    const buffer = bufferOf(...blocks)
    for (const block of blocks.slice(0, 70)) expect(buffer.takeBlock(1e9).toString()).toBe(block)
    expect(buffer.take(1e9).toString()).toBe(blocks.slice(70).join(''))
  })

  test('keeps the order when long and tiny chunks take turns', () => {
    const buffer = bufferOf('a', long('b'), 'c', 'd', long('e'), 'f')
    expect(buffer.take(Infinity).toString()).toBe(`a${long('b')}cd${long('e')}f`)
  })
})

describe('ReceiveBuffer.take()', () => {
  test('gives a view where the bytes lie in one block', () => {
    const chunk = Buffer.from(long())
    const buffer = new ReceiveBuffer()
    buffer.push(chunk)
    const taken = buffer.take(10)
    expect(taken.buffer).toBe(chunk.buffer)
  })

  test('gives a copy where they span several', () => {
    expect(
      bufferOf(long('a'), long('b'))
        .take(LONG_BLOCK_BYTES + 2)
        .toString(),
    ).toBe(long('a') + 'b')
  })

  test('gives all there is when there is less', () => {
    expect(bufferOf('ab').take(3).toString()).toBe('ab')
  })
})

describe('ReceiveBuffer.byteAt()', () => {
  test('finds a byte in a later block, and after a taken one', () => {
    const buffer = bufferOf(long('a'), long('b'), 'c')
    expect(buffer.byteAt(LONG_BLOCK_BYTES + 1)).toBe(98)
    buffer.skip(1)
    expect(buffer.byteAt(2 * LONG_BLOCK_BYTES + 1)).toBe(99)
  })

  test('refuses an index that is not below the size', () => {
    expect(() => bufferOf('ab').byteAt(2)).toThrow(
      new RangeError('byte 2 is not among the 2 that are buffered'),
    )
  })
})

describe('ReceiveBuffer.peek()', () => {
  test('leaves the bytes where they are', () => {
    const buffer = bufferOf('ab', long())
    expect(buffer.peek(3).toString()).toBe('abx')
    expect(buffer.peek(3).toString()).toBe('abx')
    expect(buffer.size).toBe(2 + LONG_BLOCK_BYTES)
  })
})

describe('ReceiveBuffer.clear()', () => {
  test('forgets bytes, decoded lines and the search point', () => {
    const buffer = bufferOf('a\nb\n')
    buffer.takeTextLine('utf8', false)
    buffer.clear()
    expect(buffer.size).toBe(0)
    buffer.push(Buffer.from('c\n'))
    expect(buffer.indexOf(LF)).toBe(1)
    expect(buffer.takeTextLine('utf8', false)).toBe('c')
  })
})

describe('ReceiveBuffer.absorb()', () => {
  test('moves all of another buffer behind what it holds', () => {
    const buffer = bufferOf('a')
    const other = bufferOf(long('b'), 'c')
    buffer.absorb(other)
    expect(other.size).toBe(0)
    expect(buffer.take(Infinity).toString()).toBe(`a${long('b')}c`)
  })
})

describe('ReceiveBuffer.indexOf()', () => {
  test('finds a needle that lies across blocks', () => {
    const buffer = bufferOf(long(), `\r\n\r`, long('\n'))
    expect(buffer.indexOf(Buffer.from('\r\n\r\n'))).toBe(LONG_BLOCK_BYTES)
  })

  test('finds a needle in the middle of a later block', () => {
    const buffer = bufferOf(long(), `${long()}\r\n\r\n${long()}`)
    expect(buffer.indexOf(Buffer.from('\r\n\r\n'))).toBe(2 * LONG_BLOCK_BYTES)
  })

  test('finds a needle that lies across three blocks', () => {
    const buffer = bufferOf(long('1'), long('2'), long('3'))
    const needle = Buffer.from(`x${long('2')}3`)
    expect(buffer.indexOf(needle)).toBe(LONG_BLOCK_BYTES)
  })

  test('does not pass over a match that comes after bytes in front of it were taken', () => {
    const buffer = bufferOf('a\nb\nc\nz')
    expect(buffer.indexOf(LF)).toBe(1)
    expect(buffer.takeTextLine('utf8', false)).toBe('a')
    expect(buffer.indexOf(Buffer.from('zz'))).toBe(-1)
    buffer.skip(2)
    buffer.push(Buffer.from('z'))
    expect(buffer.indexOf(Buffer.from('zz'))).toBe(2)
  })

  test('asked for another needle, begins anew', () => {
    const buffer = bufferOf('abc')
    expect(buffer.indexOf(99)).toBe(2)
    expect(buffer.indexOf(97)).toBe(0)
    expect(buffer.indexOf(Buffer.from('bc'))).toBe(1)
    expect(buffer.indexOf(Buffer.from('abc'))).toBe(0)
  })

  test('looks at no byte twice for the same needle', () => {
    const buffer = new ReceiveBuffer()
    let looked = 0
    for (let i = 0; i < 50; i++) {
      const chunk = Buffer.from(long())
      chunk.indexOf = ((value: number, from: number) => {
        looked += chunk.length - from
        return Buffer.prototype.indexOf.call(chunk, value, from)
      }) as typeof chunk.indexOf
      buffer.push(chunk)
      expect(buffer.indexOf(LF)).toBe(-1)
    }
    expect(looked).toBe(50 * LONG_BLOCK_BYTES)
  })

  test('does not begin anew when lines and bytes in front of it are taken', () => {
    let looked = 0
    const chunk = Buffer.from('x\nyy'.repeat(10_000))
    chunk.indexOf = ((value: Buffer, from: number) => {
      looked += chunk.length - from
      return Buffer.prototype.indexOf.call(chunk, value, from)
    }) as typeof chunk.indexOf
    const buffer = new ReceiveBuffer()
    buffer.push(chunk)
    for (let i = 0; i < 10_000; i++) {
      expect(buffer.indexOf(Buffer.from('zz'))).toBe(-1)
      expect(buffer.takeTextLine('utf8', false)).toBe('x')
      buffer.skip(2)
    }
    expect(looked).toBeLessThan(3 * chunk.length)
  })
})

describe('ReceiveBuffer.takeTextLine()', () => {
  test('cuts lines off without their LF or CRLF', () => {
    const buffer = bufferOf('a\nb\r\n\r\nc\rd\n')
    const lines = [1, 2, 3, 4, 5].map(() => buffer.takeTextLine('utf8', false))
    expect(lines).toEqual(['a', 'b', '', 'c\rd', undefined])
  })

  test('counts what was cut off as read', () => {
    const buffer = bufferOf('ä\nb\n12')
    buffer.takeTextLine('utf8', false)
    expect(buffer.roughSize).toBeGreaterThanOrEqual(4)
    expect(buffer.size).toBe(4)
    buffer.takeTextLine('utf8', false)
    expect(buffer.size).toBe(2)
  })

  test('leaves lines that are not valid UTF-8 to the caller, and goes on behind them', () => {
    const buffer = bufferOf(Buffer.from('a\n\xff\nb\n', 'latin1'))
    expect(buffer.takeTextLine('utf8', false)).toBeUndefined()
    expect(buffer.takeTextLine('latin1', false)).toBe('a')
    buffer.take(2)
    expect(buffer.takeTextLine('utf8', false)).toBeUndefined()
    buffer.take(2)
    buffer.push(Buffer.from('c\n'))
    expect(buffer.takeTextLine('utf8', false)).toBe('c')
  })

  test('takes U+FFFD that was sent for what it is', () => {
    expect(bufferOf('\ufffd\n').takeTextLine('utf8', false)).toBe('\ufffd')
  })

  test('decodes anew when the encoding changes', () => {
    const buffer = bufferOf('ä\nä\nä\n')
    expect(buffer.takeTextLine('utf8', false)).toBe('ä')
    expect(buffer.takeTextLine('latin1', false)).toBe('Ã¤')
    expect(buffer.takeTextLine('utf8', true)).toBe('ä\n')
  })

  test.each([
    ['bytes are taken', '4\nbody', 4, 'utf8'],
    ['bytes are taken that end inside a character', '2\n\u{1f600}é', 5, 'utf8'],
    ['lines of another encoding are taken', '4\nbody\n', 0, 'latin1'],
  ] as const)('stays linear when %s between the lines of one block', (_, message, body, other) => {
    const decode = Buffer.prototype.toString
    let decoded = 0
    const chunk = Buffer.from(message.repeat(10_000))
    chunk.toString = function (this: Buffer, encoding, from = 0, to = chunk.length) {
      decoded += to - from
      return decode.call(this, encoding, from, to)
    }
    const buffer = new ReceiveBuffer()
    buffer.push(chunk)
    const length = Buffer.byteLength(message)
    for (let left = chunk.length; left > length; left -= length) {
      expect(buffer.size).toBe(left)
      buffer.takeTextLine('utf8', false)
      if (body === 0) buffer.takeTextLine(other, false)
      buffer.take(body)
      buffer.skip(buffer.size - left + length)
    }
    expect(decoded).toBeLessThan(chunk.length + 10_000 * 2 * 256)
  })
})

describe('ReceiveBuffer.takeTextLines()', () => {
  test('cuts off every whole line of the first block', () => {
    const buffer = bufferOf('a\r\nb\n\nc')
    expect(buffer.takeTextLines('utf8', false, 100)).toEqual(['a', 'b', ''])
    expect(buffer.size).toBe(1)
    expect(buffer.takeTextLines('utf8', false, 100)).toBeUndefined()
  })

  test('goes on where takeTextLine() stopped', () => {
    const buffer = bufferOf('a\nb\nc\n')
    buffer.takeTextLine('utf8', false)
    expect(buffer.takeTextLines('utf8', false, 100)).toEqual(['b', 'c'])
  })

  test('stops before a line that is longer than the limit', () => {
    for (const keepTerminator of [false, true]) {
      const buffer = bufferOf('ab\näb\r\nabcd\nab\n')
      const lines = buffer.takeTextLines('utf8', keepTerminator, 3)
      expect(lines).toEqual(keepTerminator ? ['ab\n', 'äb\r\n'] : ['ab', 'äb'])
      expect(buffer.takeTextLines('utf8', keepTerminator, 3)).toBeUndefined()
      expect(buffer.size).toBe(8)
    }
  })

  test('leaves the terminators on the lines when asked to', () => {
    const buffer = bufferOf('a\n\r\nb\r\nc')
    expect(buffer.takeTextLines('latin1', true, 100)).toEqual(['a\n', '\r\n', 'b\r\n'])
    expect(buffer.size).toBe(1)
  })
})

describe('ReceiveBuffer.fits()', () => {
  test('counts bytes, not characters', () => {
    const buffer = bufferOf('äöü\n')
    const line = buffer.takeTextLine('utf8', false) as string
    expect(buffer.fits(line, 6)).toBe(true)
    expect(buffer.fits(line, 5)).toBe(false)
    expect(buffer.fits(line, 2)).toBe(false)
  })
})

type Step =
  | { do: 'take' | 'takeBlock' | 'skip' | 'peek'; count: number }
  | { do: 'indexOf'; needle: string }
  | { do: 'line' | 'lines'; encoding: 'utf8' | 'latin1' }
  | { do: 'byteAt'; index: number }
  | { do: 'push'; chunks: number }
  | { do: 'size' }

/** Does the steps on a receive buffer and on one flat Buffer; gives what either said, step by step. */
function play(chunks: Buffer[], steps: readonly Step[]): { seen: unknown[]; expected: unknown[] } {
  const buffer = new ReceiveBuffer()
  let flat = Buffer.alloc(0)
  const seen: unknown[] = []
  const expected: unknown[] = []
  const note = (one: unknown, other: unknown): void => {
    seen.push(one)
    expected.push(other)
  }
  const drop = (length: number): Buffer => {
    const taken = flat.subarray(0, length)
    flat = flat.subarray(length)
    return taken
  }
  const noteLine = (encoding: 'utf8' | 'latin1', line: string): void => {
    const taken = drop(flat.indexOf(LF) + 1)
    note(line, taken.toString(encoding).replace(/\r?\n$/, ''))
  }
  for (const step of steps) {
    switch (step.do) {
      case 'push': {
        for (const chunk of chunks.splice(0, step.chunks)) {
          flat = Buffer.concat([flat, chunk])
          buffer.push(chunk)
        }
        break
      }
      case 'take':
        note(buffer.take(step.count), drop(step.count))
        break
      case 'takeBlock': {
        const mayBeEmpty = step.count === 0 || flat.length === 0
        const block = buffer.takeBlock(step.count)
        note(block, drop(block.length))
        note(block.length === 0, mayBeEmpty)
        break
      }
      case 'skip':
        buffer.skip(step.count)
        drop(step.count)
        break
      case 'peek':
        note(buffer.peek(step.count), flat.subarray(0, step.count))
        break
      case 'indexOf': {
        const needle = Buffer.from(step.needle)
        note(buffer.indexOf(needle.length === 1 ? LF : needle), flat.indexOf(needle))
        break
      }
      case 'byteAt':
        if (step.index < flat.length) note(buffer.byteAt(step.index), flat[step.index])
        break
      case 'size':
        note(buffer.size, flat.length)
        note(flat.length === 0 ? undefined : buffer.lastByte(), flat.at(-1))
        break
      case 'line': {
        const line = buffer.takeTextLine(step.encoding, false)
        if (line !== undefined) noteLine(step.encoding, line)
        break
      }
      case 'lines':
        for (const line of buffer.takeTextLines(step.encoding, false, 1e9) ?? []) {
          noteLine(step.encoding, line)
        }
    }
    // Asking for the exact size settles what was cut off: only a step of its own does.
    note(buffer.roughSize >= flat.length, true)
  }
  return { seen, expected }
}

describe('ReceiveBuffer', () => {
  const count = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 7 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 6000 }) },
  )
  const taking = fc.record({ do: fc.constantFrom('take', 'takeBlock', 'skip', 'peek'), count })
  const lines = fc.record({
    do: fc.constantFrom('line', 'line', 'lines'),
    encoding: fc.constantFrom('utf8', 'utf8', 'latin1'),
  })
  const searching = fc.record({
    do: fc.constant('indexOf' as const),
    needle: fc.constantFrom('\n', '\r\n', '\r\n\r\n', 'xx\n', 'é\n\n', 'twelve bytes'),
  })
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: taking },
    { weight: 4, arbitrary: lines },
    { weight: 2, arbitrary: searching },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('byteAt' as const), index: count }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('size' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('push' as const), chunks: count }) },
  )

  test('says what one flat Buffer says, for any steps and any cut', () => {
    fc.assert(
      fc.property(
        fc.oneof(awkwardBytes(), awkwardBytes({ validOnly: true }), longAwkwardBytes()),
        cuts(),
        fc.array(step, { maxLength: 60, size: 'max' }),
        (bytes, sizes, steps) => {
          const { seen, expected } = play(cut(bytes, sizes), steps)
          expect(seen).toEqual(expected)
        },
      ),
      { numRuns: 500 },
    )
  })
})
