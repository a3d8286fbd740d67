/** The examples of the tutorial are whole and in order; run against the build, each prints what it says at its end. */
import { expect, test } from 'vitest'
import { examplesOf, testExamples } from '../support/examples.js'

const SECTIONS =
  '4.1 4.2 4.3 4.4 4.5 4.6 4.7 5.1.1 5.1.2 5.1.3 5.2.1 5.3.1 5.3.2 5.3.3 5.4.1 ' +
  '6.1 6.2 6.3 6.4 7.1 7.2 8.1 8.2 8.3 9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.3.1 10.1 10.2 10.3'

const examples = examplesOf('asyncio-tutorial')

/** `5.1.2` of `asyncio-tutorial/5-1-2-tcp-server`. */
function sectionOf(name: string): string {
  return (/\/(\d+(-\d+)*)/.exec(name)?.[1] ?? '').replaceAll('-', '.')
}

test('the tutorial has one example for each of its sections, in its order', () => {
  expect(examples.map(({ name }) => sectionOf(name))).toEqual(SECTIONS.split(' '))
})

test.each(examples)('$name begins with its section', ({ name, source }) => {
  const [, comment = ''] = /^\/\*\*(?:\n \*)? (.*)/.exec(source) ?? []
  expect(comment.slice(0, comment.indexOf(' '))).toBe(sectionOf(name))
})

testExamples(examples, SECTIONS.split(' ').length)
