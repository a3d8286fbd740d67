import { describe, expect, it } from 'vitest'
import { chooseCoding } from '../../src/http-mini/accept-encoding.js'

const BOTH = ['br', 'gzip'] as const

describe('chooseCoding()', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['br;q=0.5,gzip;q=0.5', 'br'],
    ['GZIP;Q=1.0', 'gzip'],
    ['x-gzip', 'gzip'],
    ['*', 'br'],
    ['br;q=0, *', 'gzip'],
    ['*;q=0', undefined],
    ['br;q=0,gzip;q=0', undefined],
    ['identity', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['identity;q=0', undefined],
    ['deflate', undefined],
    [' gzip ; q=0.123 ,, ', 'gzip'],
    ['gzip;q=1.5', undefined],
    ['gzip;q=0.1234, br;q=x', undefined],
    ['gzip;level=9', undefined],
  ])('of %j is %s', (field, coding) => {
    expect(chooseCoding(field, BOTH)).toBe(coding)
  })

  it('has no choice where nothing is available', () => {
    expect(chooseCoding('gzip, br, *', [])).toBeUndefined()
    expect(chooseCoding('br', ['gzip'])).toBeUndefined()
  })
})
