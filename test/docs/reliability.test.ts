/** The table of faults, its tests and its page say the same. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { FAULTS, NOT_BUILT, type Fault } from '../faults/fault-table.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = fileURLToPath(new URL('../faults/', import.meta.url))

/** The ids that the tests of faults name as the first argument of `fault()`, or in the list that a loop takes it from. */
const tested = new Set(
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.test.ts'))
    .flatMap((name) => [...readFileSync(FOLDER + name, 'utf8').matchAll(/['(]'?(F\d\d)'/g)])
    .map(([, id]) => id),
)

const rows = Object.entries(FAULTS) as [string, Fault][]

describe('The table of faults', () => {
  test.each(rows.filter(([, { open }]) => open === undefined))('%s has a test', (id) => {
    expect([...tested]).toContain(id)
  })

  test.each(rows.filter(([, { open }]) => open !== undefined))('%s is open, and has none', (id) => {
    expect([...tested]).not.toContain(id)
  })

  test('has a row for each id that a test names, in order', () => {
    const ids = rows.map(([id]) => id)
    expect([...tested].filter((id) => id !== undefined && !ids.includes(id))).toEqual([])
    expect(ids).toEqual(ids.toSorted())
  })
})

describe('docs/reliability.md', () => {
  test('says what the table says', () => {
    const check = (): string =>
      execFileSync(process.execPath, ['tools/print-reliability.mjs', '--check'], {
        cwd: ROOT,
        encoding: 'utf8',
      })
    expect(check()).toBe('')
  })

  test('names what is open, and has a figure or a dash for all else', () => {
    const page = readFileSync(`${ROOT}/docs/reliability.md`, 'utf8')
    for (const [id, { open, openPart }] of rows) {
      const line = new RegExp(`^\\| ${id} .*$`, 'm').exec(page)?.[0] ?? ''
      expect(line).toMatch(open === undefined ? /\| [^|]+ \|$/ : /\*\*open\*\*.*\| not tested +\|$/)
      expect(line).toContain(openPart === undefined ? '' : `**open**: ${openPart} `)
    }
    const words = page.replaceAll(/\s+/g, ' ')
    for (const part of NOT_BUILT) expect(words).toContain(part)
  })
})
