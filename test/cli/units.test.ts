import { describe, expect, test } from 'vitest'
import { parseCount, parseDuration, parseRetries, parseSize } from '../../src/cli/units.js'
import { UsageError } from '../../src/cli/usage-error.js'
import { thrownBy } from '../support/thrown-by.js'

describe('parseDuration()', () => {
  test.each([
    ['500ms', 500],
    ['5s', 5000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1.5s', 1500],
    ['0.5ms', 1],
    ['5 s', 5000],
    ['5S', 5000],
    ['596h', 2_145_600_000],
  ])('takes %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each([
    ['5', '5s or 5ms'],
    ['0', '0s or 0ms'],
    ['', '500ms, 5s, 2m or 1h'],
    ['s', '500ms, 5s, 2m or 1h'],
    ['-5s', '500ms, 5s, 2m or 1h'],
    ['5d', '500ms, 5s, 2m or 1h'],
    ['5s5', '500ms, 5s, 2m or 1h'],
    ['1e3s', '500ms, 5s, 2m or 1h'],
    ['0s', '500ms, 5s, 2m or 1h'],
    ['0.1ms', '500ms, 5s, 2m or 1h'],
    ['off', '500ms, 5s, 2m or 1h'],
    ['597h', '596h'],
  ])('refuses %j and says what to write', (text, hint) => {
    const error = thrownBy(() => parseDuration(text))
    expect(error).toBeInstanceOf(UsageError)
    expect((error as UsageError).message).toContain(`'${text}'`)
    expect((error as UsageError).hint).toContain(hint)
  })

  test('takes off, where a guard can be switched off', () => {
    expect(parseDuration('off', { off: true })).toBe(Infinity)
    expect(() => parseDuration('0s', { off: true })).toThrow(UsageError)
  })

  test('takes no time at all, where that has a meaning', () => {
    expect(parseDuration('0s', { zero: true })).toBe(0)
    expect(() => parseDuration('off', { zero: true })).toThrow(UsageError)
  })
})

describe('parseSize()', () => {
  test.each([
    ['1', 1],
    ['65536', 65_536],
    ['64k', 65_536],
    ['64K', 65_536],
    ['64KiB', 65_536],
    ['1m', 1_048_576],
    ['1.5k', 1536],
    ['2g', 2_147_483_648],
  ])('takes %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  test.each(['', '0', '-1', 'k', '64q', '0.3k', '1e3', '9999999999g'])('refuses %j', (text) => {
    const error = thrownBy(() => parseSize(text))
    expect(error).toBeInstanceOf(UsageError)
    expect((error as UsageError).message).toBe(`'${text}' is no size`)
  })
})

describe('parseCount()', () => {
  test.each([
    ['1', 1],
    ['1000', 1000],
    ['off', Infinity],
  ])('takes %s', (text, count) => {
    expect(parseCount(text)).toBe(count)
  })

  test.each(['0', '-1', '1.5', '1k', '', 'many', '99999999999999999999'])('refuses %j', (text) => {
    const error = thrownBy(() => parseCount(text))
    expect(error).toBeInstanceOf(UsageError)
    expect((error as UsageError).message).toContain(`'${text}'`)
  })
})

describe('parseRetries()', () => {
  test.each([
    ['0', 0],
    ['12', 12],
    ['forever', Infinity],
  ])('takes %s', (text, retries) => {
    expect(parseRetries(text)).toBe(retries)
  })

  test.each(['-1', '1.5', '', 'off', '99999999999999999999'])('refuses %j', (text) => {
    const error = thrownBy(() => parseRetries(text))
    expect(error).toBeInstanceOf(UsageError)
    expect((error as UsageError).message).toContain(`'${text}'`)
  })
})
