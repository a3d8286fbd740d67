import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../../src/errors.js'

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

test('docs/errors.md has a heading for each error code, in order, and for nothing else', () => {
  const headings = [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1])
  expect(headings).toEqual([...ERROR_CODES])
})
