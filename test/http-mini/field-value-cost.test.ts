/** A field value of any kind is read in time that grows with its length, and not with the square of it. */
import { describe, expect, test } from 'vitest'
import { chooseCoding } from '../../src/http-mini/accept-encoding.js'
import { selectRanges } from '../../src/http-mini/byte-range.js'
import { splitList } from '../../src/http-mini/message-framing.js'
import { trimWhite } from '../../src/http-mini/octets.js'

/** Far more than a head holds: the square of it takes seconds of a processor, and it itself about a millisecond. */
const LENGTH = 128 * 1024
const ENOUGH_MS = 250

/** The processor's time that this takes: that of a machine that is busy is no other. */
function cpuMsOf(read: () => unknown): number {
  const before = process.cpuUsage()
  read()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const white = ' '.repeat(LENGTH)
const hostile: readonly (readonly [string, string])[] = [
  ['white space within a member', `a${white}b`],
  ['white space around a member', `${white}a${white}`],
  ['white space and nothing else', white],
  ['empty members', ','.repeat(LENGTH)],
  ['members of white space', ' ,'.repeat(LENGTH / 2)],
  ['parameters without an end', 'a;'.repeat(LENGTH / 2)],
  ['white space behind a semicolon', `a;${white}b`],
]

describe.each(hostile)('%s', (_name, value) => {
  test('splitList() takes no more than its time', () => {
    expect(cpuMsOf(() => splitList(value))).toBeLessThan(ENOUGH_MS)
  })

  test('chooseCoding() takes no more than its time', () => {
    expect(cpuMsOf(() => chooseCoding(value, ['br', 'gzip']))).toBeLessThan(ENOUGH_MS)
  })

  test('selectRanges() takes no more than its time', () => {
    expect(cpuMsOf(() => selectRanges(`bytes=${value}`, 1000))).toBeLessThan(ENOUGH_MS)
  })
})

test('trimWhite() takes spaces and tabs away at both ends, and nothing else', () => {
  expect(trimWhite(' \t a \t b\xa0\t ')).toBe('a \t b\xa0')
  expect(trimWhite(' \t ')).toBe('')
  expect(trimWhite('\va\f')).toBe('\va\f')
})
