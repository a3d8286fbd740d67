/** The histogram against a sorted list of the same numbers, and its edges. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Histogram } from '../../src/observe/histogram.js'

/** The smallest number that `percent` of the numbers do not pass. */
function exactPercentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = Math.max(1, Math.ceil((percent * sorted.length) / 100))
  return sorted[rank - 1] ?? 0
}

/** Numbers of every size, small ones as often as large ones. */
const anyValue = fc
  .tuple(fc.integer({ min: 0, max: 52 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([exponent, fraction]) => Math.floor(2 ** exponent * (1 + fraction)) - 1)

const HIGHEST = Number.MAX_SAFE_INTEGER

describe('Histogram', () => {
  it('knows nothing at first, as zeros', () => {
    const zeros = { count: 0, total: 0, min: 0, mean: 0, max: 0, p50: 0, p95: 0, p99: 0 }
    expect(new Histogram().summary()).toEqual(zeros)
    expect([...new Histogram().buckets()]).toEqual([])
  })

  it('has count, total, min, mean and max exactly', () => {
    const histogram = new Histogram()
    for (const value of [3, 1_000_003, 0, 2 ** 40]) histogram.record(value)
    const total = 3 + 1_000_003 + 2 ** 40
    expect(histogram.summary()).toMatchObject({ count: 4, total, min: 0, max: 2 ** 40 })
    expect(histogram).toMatchObject({ count: 4, total, min: 0, mean: total / 4, max: 2 ** 40 })
  })

  it('gives percentiles that are never too low, and too high by the precision at most', () => {
    const property = fc.property(
      fc.array(anyValue, { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.integer({ min: 1, max: 8 }),
      (values, percent, precisionBits) => {
        const histogram = new Histogram({ precisionBits, highest: HIGHEST })
        for (const value of values) histogram.record(value)
        const exact = exactPercentile(values, percent)
        const found = histogram.percentile(percent)
        expect(found).toBeGreaterThanOrEqual(exact)
        expect(found).toBeLessThanOrEqual(exact * (1 + 2 ** -precisionBits))
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  it('has buckets that do not overlap and hold all that was recorded', () => {
    const property = fc.property(fc.array(anyValue, { maxLength: 200 }), (values) => {
      const histogram = new Histogram({ highest: HIGHEST })
      for (const value of values) histogram.record(value)
      let end = -1
      for (const { from, upTo, count } of histogram.buckets()) {
        expect(from).toBeGreaterThan(end)
        expect(values.filter((value) => value >= from && value <= upTo)).toHaveLength(count)
        end = upTo
      }
      expect([...histogram.buckets()].reduce((sum, { count }) => sum + count, 0)).toBe(
        values.length,
      )
    })
    fc.assert(property, { numRuns: 100 })
  })

  it('gives each small number a bucket of its own', () => {
    const histogram = new Histogram({ precisionBits: 5 })
    for (let value = 0; value < 64; value++) histogram.record(value)
    expect([...histogram.buckets()]).toEqual(
      Array.from({ length: 64 }, (_, value) => ({ from: value, upTo: value, count: 1 })),
    )
  })

  it('counts what is above the highest in the last bucket, with its exact maximum', () => {
    const histogram = new Histogram({ highest: 1000 })
    histogram.record(10)
    histogram.record(5_000_000)
    histogram.record(7_000_000)
    expect(histogram.percentile(50)).toBe(7_000_000)
    expect(histogram.max).toBe(7_000_000)
    expect([...histogram.buckets()].at(-1)).toMatchObject({ upTo: 7_000_000, count: 2 })
  })

  it('is of a fixed size: 10 KiB by default', () => {
    const histogram = new Histogram()
    const { sizeBytes } = histogram
    expect(sizeBytes).toBeLessThan(10_240)
    for (let exponent = 0; exponent < 53; exponent++) histogram.record(2 ** exponent)
    expect(histogram.sizeBytes).toBe(sizeBytes)
  })
})

describe('Histogram.record()', () => {
  it('counts a number several times at once', () => {
    const histogram = new Histogram()
    histogram.record(7, 99)
    histogram.record(70)
    expect(histogram.summary()).toMatchObject({ count: 100, total: 763, p99: 7, max: 70 })
  })

  it.each([-1, 1.5, NaN, Infinity, 2 ** 53])('refuses %d, and counts nothing', (value) => {
    const histogram = new Histogram()
    expect(() => histogram.record(value)).toThrow(RangeError)
    expect(histogram.count).toBe(0)
  })

  it.each([0, -1, 0.5, NaN])('refuses to count %d times', (times) => {
    expect(() => new Histogram().record(1, times)).toThrow(RangeError)
  })
})

describe('Histogram.percentile()', () => {
  it('gives the minimum at 0 and the maximum at 100', () => {
    const histogram = new Histogram()
    for (const value of [1_000_001, 9_999_999, 5_000_000]) histogram.record(value)
    expect(histogram.percentile(0)).toBe(1_000_001)
    expect(histogram.percentile(100)).toBe(9_999_999)
  })

  it.each([-0.1, 100.1, NaN])('refuses %d', (percent) => {
    expect(() => new Histogram().percentile(percent)).toThrow(RangeError)
  })
})

describe('Histogram.merge()', () => {
  it('is as if all had been recorded in one, and leaves the other alone', () => {
    const property = fc.property(fc.array(anyValue), fc.array(anyValue), (left, right) => {
      const [one, other, both] = [new Histogram(), new Histogram(), new Histogram()]
      for (const value of left) one.record(value)
      for (const value of right) other.record(value)
      for (const value of [...left, ...right]) both.record(value)
      const before = JSON.stringify(other)
      one.merge(other)
      expect([...one.buckets()]).toEqual([...both.buckets()])
      expect(one.summary()).toMatchObject({
        count: both.count,
        min: both.min,
        max: both.max,
        p99: both.percentile(99),
      })
      expect(JSON.stringify(other)).toBe(before)
    })
    fc.assert(property, { numRuns: 100 })
  })

  it('refuses one that is cut differently', () => {
    const histogram = new Histogram()
    expect(() => histogram.merge(new Histogram({ precisionBits: 6 }))).toThrow(/6 bits.*5 bits/)
    expect(() => histogram.merge(new Histogram({ highest: 1000 }))).toThrow(RangeError)
  })
})

describe('Histogram.reset()', () => {
  it('makes it as new', () => {
    const histogram = new Histogram()
    histogram.record(123_456)
    histogram.reset()
    expect(histogram.summary()).toEqual(new Histogram().summary())
    histogram.record(5)
    expect(histogram.summary()).toMatchObject({ count: 1, min: 5, max: 5, p50: 5 })
  })
})

describe('Histogram options', () => {
  it.each([0, 13, 1.5, NaN])('refuses %d precisionBits', (precisionBits) => {
    expect(() => new Histogram({ precisionBits })).toThrow(RangeError)
  })

  it.each([0, -1, 1.5, NaN, Infinity])('refuses %d as the highest', (highest) => {
    expect(() => new Histogram({ highest })).toThrow(RangeError)
  })
})
