/** Whatever is put in comes out in its order and once, as text or as slices, however both are interleaved. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SendBuffer, SLICE_BYTES } from '../../src/protocol/send-buffer.js'

type Piece = { readonly text: string; readonly encoding: 'utf8' | 'latin1' } | Uint8Array

/** Small, gathered, copied, shared, and more than a slice. */
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom(2047, 2048, 2049, 16_384, 16_385, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1),
)
// No halves of surrogate pairs: what becomes of those is a matter of joining, and has a test of its own.
const unit = fc.constantFrom('a', 'é', '中', '🚰')
const texts = (units: fc.Arbitrary<string>, encoding: 'utf8' | 'latin1'): fc.Arbitrary<Piece> =>
  fc.tuple(units, sizes).map(([one, count]) => ({ text: one.repeat(count), encoding }))
const bytes: fc.Arbitrary<Piece> = fc
  .tuple(fc.integer({ min: 0, max: 255 }), sizes)
  .map(([byte, count]) => new Uint8Array(count).fill(byte))
const pieces = fc.oneof(texts(unit, 'utf8'), texts(fc.constantFrom('a', 'é'), 'latin1'), bytes)
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: pieces }, fc.constant('take' as const)), {
  maxLength: 30,
})

function put(buffer: SendBuffer, piece: Piece): Buffer {
  if (piece instanceof Uint8Array) {
    buffer.appendBytes(piece)
    return Buffer.from(piece)
  }
  buffer.appendText(piece.text, piece.encoding)
  return Buffer.from(piece.text, piece.encoding)
}

/** As a writer takes: one text where that will do, else a slice. */
function take(buffer: SendBuffer): Buffer {
  if (!buffer.isShortText) return buffer.takeSlice()
  const { size, sendEncoding } = buffer
  const sent = Buffer.from(buffer.takeText(), sendEncoding)
  expect(sent.length).toBe(size)
  return sent
}

describe('SendBuffer', () => {
  test('gives every byte once and in order, at most a slice at a time, and knows its size', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const buffer = new SendBuffer()
        const [written, taken]: [Buffer[], Buffer[]] = [[], []]
        let size = 0
        const takeOne = (): void => {
          const sent = take(buffer)
          expect(sent.length).toBeGreaterThan(0)
          expect(sent.length).toBeLessThanOrEqual(SLICE_BYTES)
          taken.push(sent)
          size -= sent.length
        }
        for (const step of all) {
          if (step === 'take') {
            if (!buffer.isEmpty) takeOne()
          } else {
            const given = put(buffer, step)
            written.push(given)
            size += given.length
          }
          expect(buffer.leastSize).toBeLessThanOrEqual(size)
          expect(buffer.mostSize).toBeGreaterThanOrEqual(size)
          expect(buffer.isEmpty).toBe(size === 0)
        }
        expect(buffer.size).toBe(size)
        while (!buffer.isEmpty) takeOne()
        expect(Buffer.concat(taken).equals(Buffer.concat(written))).toBe(true)
        expect([buffer.size, buffer.hasParts]).toEqual([0, false])
      }),
      { numRuns: 200 },
    )
  })

  test('makes one character of the two halves of a pair, also where it was measured in between', () => {
    const [high = '', low = ''] = '🚰'.split('')
    const buffer = new SendBuffer()
    buffer.appendText(`a${high}`, 'utf8')
    expect(buffer.size).toBe(4)
    buffer.appendText(low, 'utf8')
    expect(buffer.size).toBe(5)
    expect(take(buffer).toString()).toBe('a🚰')
  })

  test('shares nothing with another one', () => {
    const [one, other] = [new SendBuffer(), new SendBuffer()]
    one.appendBytes(Buffer.from('one'))
    one.clear()
    one.appendBytes(Buffer.from('two'))
    expect(other.isEmpty).toBe(true)
    expect(take(one).toString()).toBe('two')
  })

  test('does not change what it has given out', () => {
    const buffer = new SendBuffer()
    buffer.appendBytes(Buffer.alloc(20_000, 1))
    buffer.appendBytes(Buffer.alloc(10, 2))
    const first = take(buffer)
    const before = Buffer.from(first)
    buffer.appendBytes(Buffer.alloc(10, 3))
    buffer.appendBytes(Buffer.alloc(10, 4))
    expect(first.equals(before)).toBe(true)
    expect([...take(buffer)]).toEqual([...Buffer.alloc(10, 3), ...Buffer.alloc(10, 4)])
  })
})

describe('SendBuffer.clear()', () => {
  test('drops text and bytes', () => {
    const buffer = new SendBuffer()
    buffer.appendBytes(Buffer.from('bytes'))
    buffer.appendText('text', 'utf8')
    buffer.clear()
    expect([buffer.isEmpty, buffer.size, buffer.hasParts]).toEqual([true, 0, false])
  })
})

describe('SendBuffer.sendEncoding', () => {
  test.each([
    ['short text', 'a'.repeat(5461), 'utf8', 'utf8'],
    ['long text of one byte a character', 'a'.repeat(5462), 'utf8', 'latin1'],
    ['long text of more', `${'a'.repeat(5462)}é`, 'utf8', 'utf8'],
    ['what was written as latin1', 'é', 'latin1', 'latin1'],
  ] as const)('of %s', (_name, text, written, sent) => {
    const buffer = new SendBuffer()
    buffer.appendText(text, written)
    expect(buffer.sendEncoding).toBe(sent)
  })
})
