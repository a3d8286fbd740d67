import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { range } from '../../src/concurrency/range.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { rejection, watch } from '../support/settled.js'

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

describe('range()', () => {
  test.each([
    [range(3), [0, 1, 2]],
    [range(1, 4), [1, 2, 3]],
    [range(0), []],
    [range(5, 5), []],
    [range(5, 1), []],
    [range(5, 1, { step: -2 }), [5, 3]],
    [range(1, 5, { step: -1 }), []],
    [range(4, { step: 3 }), [0, 3]],
    [range(0, 0.5, { step: 0.1 }), [0, 0.1, 0.2, 0.30000000000000004, 0.4]],
  ])('%# counts from the start to before the stop', async (iteration, expected) => {
    expect(await collect(iteration)).toEqual(expected)
  })

  test('gives what a loop gives', async () => {
    const small = fc.integer({ min: -20, max: 20 })
    await fc.assert(
      fc.asyncProperty(small, small, small, async (start, stop, step) => {
        fc.pre(step !== 0)
        const expected: number[] = []
        for (let n = start; step > 0 ? n < stop : n > stop; n += step) expected.push(n)
        expect(await collect(range(start, stop, { step }))).toEqual(expected)
      }),
    )
  })

  test('may be endless', async () => {
    let sum = 0
    for await (const n of range(1, Infinity)) {
      if (n > 100) break
      sum += n
    }
    expect(sum).toBe(5050)
  })

  test('pauses before each number', async () => {
    const clock = new FakeClock()
    const given: [number, number][] = []
    const loop = watch(
      (async () => {
        for await (const n of range(1, 4, { delayMs: 200, clock })) given.push([n, clock.now()])
      })(),
    )
    await clock.advance(1000)
    expect(loop.state).toBe('resolved')
    expect(given).toEqual([
      [1, 200],
      [2, 400],
      [3, 600],
    ])
  })

  test('left or aborted during a pause, leaves no timer', async () => {
    const clock = new FakeClock()
    const controller = new AbortController()
    const aborted = range(10, { delayMs: 100, clock, signal: controller.signal })
    const left = range(10, { delayMs: 100, clock })
    const steps = [watch(aborted.next()), watch(left.next())]
    await loopTurns(1)
    expect(clock.pendingTimers).toBe(2)
    controller.abort('gone')
    await left.return()
    await loopTurns(1)
    expect(clock.pendingTimers).toBe(0)
    expect(steps.map(({ error, value }) => error ?? value)).toEqual([
      'gone',
      { done: true, value: undefined },
    ])
    expect(await rejection(range(1, { signal: controller.signal }).next())).toBe('gone')
  })

  test.each([
    [() => range(NaN), 'stop must be a number, not NaN'],
    [() => range('3' as never), 'stop must be a number, not 3'],
    [() => range(NaN, 1), 'start must be a finite number, not NaN'],
    [() => range(-Infinity, 1), 'start must be a finite number, not -Infinity'],
    [() => range(1, 2, { step: 0 }), 'step must be a finite number, and not 0, not 0'],
    [() => range(1, { step: Infinity }), 'step must be a finite number, and not 0, not Infinity'],
    [
      () => range(1, { delayMs: -1 }),
      'delayMs must be a number of milliseconds, 0 or more, not -1',
    ],
  ])('%# refuses what has no meaning, at once', (call, message) => {
    expect(call).toThrow(new RangeError(message))
  })
})
