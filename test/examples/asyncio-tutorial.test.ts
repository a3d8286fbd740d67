/** Every example of the tutorial is run against the build, and prints what it says at its end. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { examplesOf, runExample } from '../support/examples.js'

const SECTIONS =
  '4.1 4.2 4.3 4.4 4.5 4.6 4.7 5.1.2 5.1.3 5.2.1 5.3.1 5.3.2 5.3.3 5.4.1 ' +
  '6.2 6.3 6.4 7.1 7.2 8.1 9.1.1 9.1.2 9.1.3 9.3.1'

const FOLDER = 'examples/asyncio-tutorial'
const examples = examplesOf(FOLDER)

/** `5.1.2` of `5-1-2-tcp-server`. */
function sectionOf(name: string): string {
  return (/^\d+(-\d+)*/.exec(name)?.[0] ?? '').replaceAll('-', '.')
}

test('the tutorial has one example for each of its sections, in its order', () => {
  expect(examples.map(({ name }) => sectionOf(name))).toEqual(SECTIONS.split(' '))
})

test.each(examples)(
  'example $name says what it shows and what it prints',
  ({ name, source, prints }) => {
    expect(
      source.startsWith(`/** ${sectionOf(name)} `) ||
        source.startsWith(`/**\n * ${sectionOf(name)} `),
    ).toBe(true)
    expect(prints.length).toBeGreaterThan(0)
  },
)

test('examples/README.md lists every example once', () => {
  const page = readFileSync(new URL('../../examples/README.md', import.meta.url), 'utf8')
  const linked = [...page.matchAll(/\]\(asyncio-tutorial\/(\d[^)]*)\.ts\)/g)].map(
    ([, name]) => name,
  )
  expect(linked).toEqual(examples.map(({ name }) => name))
})

describe.concurrent('npm run example', () => {
  test.each(examples)(
    '$name prints what it says',
    async (example) => {
      expect(await runExample(example)).toEqual(example.prints)
    },
    60_000,
  )
})
