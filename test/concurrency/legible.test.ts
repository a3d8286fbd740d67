import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { legible } from '../../src/concurrency/legible.js'

const refuse = (): never => {
  throw new Error('do not look at me')
}

describe('legible()', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'a bug'],
    ['a symbol', Symbol('a bug')],
    ['an error', new Error('a bug')],
    ['an error without a stack', Object.assign(new Error('a bug'), { stack: undefined })],
    ['a frozen object', Object.freeze({ a: 1 })],
    ['an object without a prototype', Object.create(null) as unknown],
    ['a function', () => {}],
  ])('gives %s as it is', (_what, thrown) => {
    expect(legible(thrown)).toBe(thrown)
  })

  test.each([
    ['a Proxy that refuses its prototype', new Proxy({}, { getPrototypeOf: refuse })],
    ['a Proxy of an error', new Proxy(new Error('a bug'), { get: refuse })],
    ['an error with a message that throws', bad('message')],
    ['an error with a name that throws', bad('name')],
    ['an error with a stack that throws', bad('stack')],
    [
      'an error whose message cannot be joined to others',
      Object.assign(new Error('a bug'), { message: Symbol('a bug') }),
    ],
    ['an object that cannot be inspected', { [inspect.custom]: refuse }],
  ])('gives an error in place of %s', (_what, thrown) => {
    const given = legible(thrown)
    // Comparing them with expect() would look at them.
    expect(given === thrown).toBe(false)
    expect(given).toMatchObject({ message: expect.stringContaining('cannot be looked at') })
  })
})

function bad(name: string): Error {
  return Object.defineProperty(new Error('a bug'), name, { get: refuse })
}
