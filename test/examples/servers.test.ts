/** The examples of servers: run against the build, each prints what it says at its end. */
import { describe, expect, test } from 'vitest'
import { examplesOf, runExample } from '../support/examples.js'

const examples = examplesOf('servers')

test('there are examples', () => {
  expect(examples.length).toBeGreaterThan(0)
})

describe.concurrent('npm run example', () => {
  test.each(examples)(
    '$name prints what it says',
    async (example) => {
      expect(await runExample(example)).toEqual(example.prints)
    },
    240_000,
  )
})
