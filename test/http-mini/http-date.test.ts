import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatHttpDate, parseHttpDate } from '../../src/http-mini/http-date.js'

const NOW = Date.UTC(2026, 5, 15)
const RFC_EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)

describe('formatHttpDate()', () => {
  it('writes the preferred form, without what is below the second', () => {
    expect(formatHttpDate(RFC_EXAMPLE + 999)).toBe('Sun, 06 Nov 1994 08:49:37 GMT')
  })
})

describe('parseHttpDate()', () => {
  it.each([
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ])('reads %s', (text) => {
    expect(parseHttpDate(text, NOW)).toBe(RFC_EXAMPLE)
  })

  it.each([
    ['76', 2076],
    ['77', 1977],
    ['00', 2000],
    ['99', 1999],
  ])('takes the year %s for %d', (digits, year) => {
    expect(parseHttpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, NOW)).toBe(
      Date.UTC(year, 10, 6, 8, 49, 37),
    )
  })

  it('takes a leap second for the one before', () => {
    expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT')).toBe(Date.UTC(2016, 11, 31, 23, 59, 59))
  })

  it('reads the year that a Date would take for another century', () => {
    expect(parseHttpDate('Sun, 06 Nov 0094 08:49:37 GMT')).toBe(
      new Date('0094-11-06T08:49:37Z').getTime(),
    )
  })

  it.each([
    '',
    'now',
    '0',
    '1994-11-06T08:49:37Z',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 nov 1994 08:49:37 GMT',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 30 Feb 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 23:60:00 GMT',
    'Sun, 06 Nov 1994 23:59:61 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
    ' Sun, 06 Nov 1994 08:49:37 GMT',
  ])('has no time for %j', (text) => {
    expect(parseHttpDate(text)).toBeUndefined()
  })

  it('reads whatever is written', () => {
    const seconds = fc.integer({ min: -62_167_219_200, max: 253_402_300_799 })
    fc.assert(
      fc.property(seconds, (second) => {
        expect(parseHttpDate(formatHttpDate(second * 1000))).toBe(second * 1000)
      }),
    )
  })
})
