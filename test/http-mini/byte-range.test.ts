import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  describeRange,
  describeUnsatisfiable,
  MAX_RANGES,
  selectRanges,
} from '../../src/http-mini/byte-range.js'

/** `start-end` with the end included, as people read it. */
function select(field: string, length = 1000, maxRanges?: number): string | string[] {
  const selected = selectRanges(field, length, maxRanges)
  if (typeof selected === 'string') return selected
  return selected.map(({ start, end }) => `${start}-${end - 1}`)
}

describe('selectRanges()', () => {
  it.each([
    ['bytes=0-499', ['0-499']],
    ['bytes=500-', ['500-999']],
    ['bytes=-1', ['999-999']],
    ['bytes=-5000', ['0-999']],
    ['bytes=0-0', ['0-0']],
    ['bytes=999-999999', ['999-999']],
    ['bytes=0-99999999999999999999999999', ['0-999']],
    ['BYTES=0-1', ['0-1']],
    ['bytes= 0-1 ,\t, 500-501,', ['0-1', '500-501']],
    ['bytes=500-501,0-1', ['500-501', '0-1']],
    ['bytes=0-1,-1', ['0-1', '999-999']],
    ['bytes=0-1,5000-', ['0-1']],
  ])('%s is %j', (field, ranges) => {
    expect(select(field)).toEqual(ranges)
  })

  it.each([
    ['bytes=0-99,50-149', ['0-149']],
    ['bytes=50-149,0-99', ['0-149']],
    ['bytes=0-99,100-199', ['0-199']],
    ['bytes=0-9,90-99', ['0-99']],
    ['bytes=0-9,91-99', ['0-9', '91-99']],
    ['bytes=0-999,5-6,7-8', ['0-999']],
    ['bytes=900-999,0-9,5-20', ['900-999', '0-20']],
  ])('%s is joined to %j', (field, ranges) => {
    expect(select(field)).toEqual(ranges)
  })

  it.each([
    '',
    'bytes',
    'bytes=',
    'bytes=,',
    'bytes=-',
    'bytes=a-b',
    'bytes=1',
    'bytes=5-4',
    'bytes=100000000000000000001-100000000000000000000',
    'bytes=0-1,x',
    'bytes=0-1, bytes=5-6',
    'bytes=0 -1',
    'bytes=0x0-0x5',
    'bytes=+1-2',
    'bytes=1-2-3',
    'bytes =0-1',
    'items=0-1',
    'bytes=0-1\u00a0',
  ])('%j is ignored', (field) => {
    expect(select(field)).toBe('whole')
  })

  it.each(['bytes=1000-', 'bytes=5000-6000', 'bytes=-0', 'bytes=1000-1001,-0'])(
    '%s cannot be satisfied',
    (field) => {
      expect(select(field)).toBe('unsatisfiable')
    },
  )

  it('has nothing of an empty representation, and its last bytes are all of it', () => {
    expect(select('bytes=0-', 0)).toBe('unsatisfiable')
    expect(select('bytes=-0', 0)).toBe('unsatisfiable')
    expect(select('bytes=-5', 0)).toBe('whole')
  })

  it('gives the whole to who asks for more ranges than are allowed', () => {
    const ask = (count: number): string =>
      `bytes=${Array.from({ length: count }, (_, at) => `${at * 200}-${at * 200}`).join(',')}`
    expect(select(ask(MAX_RANGES), 1e6)).toHaveLength(MAX_RANGES)
    expect(select(ask(MAX_RANGES + 1), 1e6)).toBe('whole')
    expect(select(ask(2), 1000, 1)).toBe('whole')
  })

  it('has the bytes that a slow model has, once each, and no more than the gaps beside them', () => {
    const spec = fc.oneof(
      fc.tuple(fc.nat(400), fc.nat(400)).map(([first, more]) => `${first}-${first + more}`),
      fc.nat(500).map((first) => `${first}-`),
      fc.nat(500).map((last) => `-${last}`),
    )
    const property = fc.property(
      fc.array(spec, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 400 }),
      (specs, length) => {
        const wanted = new Set<number>()
        for (let at = 0; at < length; at++)
          if (specs.some((one) => isIn(at, one, length))) wanted.add(at)
        const selected = selectRanges(`bytes=${specs.join(', ')}`, length)
        expect(selected === 'unsatisfiable').toBe(wanted.size === 0)
        const sent = typeof selected === 'string' ? [] : selected
        const bytes = sent.flatMap(({ start, end }) =>
          Array.from({ length: end - start }, (_, at) => start + at),
        )
        expect(new Set(bytes).size).toBe(bytes.length)
        expect(bytes.length).toBeLessThanOrEqual(length)
        expect([...wanted].every((at) => bytes.includes(at))).toBe(true)
        expect(longestRun(bytes.filter((at) => !wanted.has(at)))).toBeLessThanOrEqual(80)
      },
    )
    fc.assert(property, { numRuns: 500 })
  })
})

function isIn(at: number, spec: string, length: number): boolean {
  const [first = '', last = ''] = spec.split('-')
  if (first === '') return at >= length - Number(last)
  return at >= Number(first) && (last === '' || at <= Number(last))
}

function longestRun(numbers: readonly number[]): number {
  let longest = 0
  let run = 0
  for (const [at, number] of numbers.entries()) {
    run = numbers[at - 1] === number - 1 ? run + 1 : 1
    longest = Math.max(longest, run)
  }
  return longest
}

describe('Content-Range', () => {
  it('includes its last byte', () => {
    expect(describeRange({ start: 0, end: 500 }, 1000)).toBe('bytes 0-499/1000')
  })

  it('of what cannot be satisfied has the length alone', () => {
    expect(describeUnsatisfiable(0)).toBe('bytes */0')
  })
})
