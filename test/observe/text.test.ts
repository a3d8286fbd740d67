/** How durations, sizes and tables are written for people. */
import { expect, it } from 'vitest'
import { bytesText } from '../../src/observe/bytes-text.js'
import { durationText } from '../../src/observe/duration-text.js'
import { textTable } from '../../src/observe/text-table.js'

it.each([
  [0, '0 ns'],
  [0.00085, '850 ns'],
  [0.0009999, '1 µs'],
  [0.0125, '12.5 µs'],
  [1, '1 ms'],
  [123.456, '123 ms'],
  [999.9995, '1 s'],
  [1234, '1.23 s'],
  [90_000, '90 s'],
  [150_000, '2.5 min'],
  [9_000_000, '2.5 h'],
  [Infinity, 'Infinity ms'],
])('durationText(%d) is %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [1024 ** 2 - 1, '1 MiB'],
  [-47.25 * 1024 ** 2, '-47.3 MiB'],
  [3 * 1024 ** 3, '3 GiB'],
  [5000 * 1024 ** 4, '5000 TiB'],
])('bytesText(%d) is %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

it('textTable() aligns names to the left and numbers to the right', () => {
  const table = textTable(
    ['name', 'size'],
    [
      ['a', '1'],
      ['longer', '10'],
      ['short', ''],
    ],
  )
  expect(table.split('\n')).toEqual(['name    size', 'a          1', 'longer    10', 'short'])
})
