/** What is made of the answer of a resolver, whatever it is. */
import dns from 'node:dns'
import type net from 'node:net'
import { expect, test } from 'vitest'
import { lookUp } from '../../src/client/look-up.js'
import { LookupError } from '../../src/errors.js'

type Callback = Parameters<net.LookupFunction>[2]
type Outcome = readonly [LookupError | undefined, readonly string[]]

/** What `lookUp` tells when the resolver does this with its callback. */
function told(answer: (callback: Callback) => void): Outcome[] {
  const outcomes: Outcome[] = []
  const lookup: net.LookupFunction = (_host, _options, callback) => answer(callback)
  lookUp('x.test', lookup, (...outcome) => outcomes.push(outcome))
  return outcomes
}

const FOUR = { address: '192.0.2.1', family: 4 }
const SIX = { address: '2001:db8::1', family: 6 }

test('lookUp() asks as dns.lookup is asked for all addresses', () => {
  const asked: unknown[] = []
  lookUp(
    'x.test',
    (host, options) => asked.push(host, options),
    () => {},
  )
  expect(asked).toEqual(['x.test', { all: true, hints: dns.ADDRCONFIG }])
})

test('lookUp() gives the addresses in the order of the resolver, each once', () => {
  expect(told((callback) => callback(null, [SIX, FOUR, SIX]))).toEqual([
    [undefined, ['2001:db8::1', '192.0.2.1']],
  ])
})

test('lookUp() takes the form of a single address too', () => {
  expect(told((callback) => callback(null, '192.0.2.1', 4))).toEqual([[undefined, ['192.0.2.1']]])
})

test.each<[string, (callback: Callback) => void, string]>([
  [
    'an error of the resolver',
    (callback) => callback(Object.assign(new Error('x'), { code: 'EAI_AGAIN' }), []),
    'look up x.test: the name server did not answer',
  ],
  ['no address', (callback) => callback(null, []), 'look up x.test: the name was not found'],
  [
    'what is no address',
    (callback) => callback(null, [FOUR, { address: 'y.test', family: 4 }]),
    'look up x.test: "y.test" is no IP address',
  ],
  [
    'a throw',
    () => {
      throw new RangeError('broken')
    },
    'look up x.test: broken',
  ],
])('lookUp() makes a LookupError of %s', (_what, answer, message) => {
  const [outcome, ...others] = told(answer)
  expect(outcome?.[0]).toBeInstanceOf(LookupError)
  expect(outcome?.[0]).toMatchObject({ host: 'x.test', message, cause: expect.any(Error) })
  expect(others).toEqual([])
})

test('lookUp() tells the first answer alone', () => {
  const outcomes = told((callback) => {
    callback(null, [FOUR])
    callback(null, [SIX])
    callback(new Error('late'), [])
    throw new Error('later')
  })
  expect(outcomes).toEqual([[undefined, ['192.0.2.1']]])
})

test('lookUp() tells nothing any more once the interest has ended', () => {
  let callback: Callback | undefined
  const outcomes: unknown[] = []
  const ignoreAnswer = lookUp(
    'x.test',
    (_host, _options, done) => {
      callback = done
    },
    (...outcome) => outcomes.push(outcome),
  )
  ignoreAnswer()
  callback?.(null, [FOUR])
  expect(outcomes).toEqual([])
})
