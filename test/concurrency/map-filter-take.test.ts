import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { filter } from '../../src/concurrency/filter.js'
import { map } from '../../src/concurrency/map.js'
import { range } from '../../src/concurrency/range.js'
import { sleep } from '../../src/concurrency/sleep.js'
import type { Iteration } from '../../src/concurrency/stepwise.js'
import { take } from '../../src/concurrency/take.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { rejection, watch } from '../support/settled.js'
import { TracedSource } from '../support/traced-source.js'

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

/** An item that no wrong answer can look like. */
const numbers = fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 30 })

describe('map(), filter() and take(), one on the other', () => {
  test('give what the methods of an array give', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('map' as const), by: fc.integer({ min: -5, max: 5 }) }),
      fc.record({ kind: fc.constant('filter' as const), by: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant('take' as const), by: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ kind: fc.constant('at once' as const), by: fc.integer({ min: 2, max: 5 }) }),
    )
    const property = fc.asyncProperty(
      numbers,
      fc.array(step, { maxLength: 6 }),
      async (items, steps) => {
        let expected = items
        let iteration: Iteration<number> | number[] = items
        for (const { kind, by } of steps) {
          if (kind === 'map') {
            expected = expected.map((n) => n * by)
            iteration = map(iteration, (n) => n * by)
          } else if (kind === 'filter') {
            expected = expected.filter((n) => n % by === 0)
            iteration = filter(iteration, async (n) => n % by === 0)
          } else if (kind === 'take') {
            expected = expected.slice(0, by)
            iteration = take(iteration, by)
          } else {
            expected = expected.map((n) => n + by)
            iteration = map(iteration, async (n) => n + by, { concurrency: by })
          }
        }
        expect(await collect(iteration as AsyncIterable<number>)).toEqual(expected)
      },
    )
    await fc.assert(property)
  })
})

describe('map()', () => {
  test('begins nothing before a result is asked for, and one item at a time', async () => {
    const begun: number[] = []
    const iteration = map(range(5), (n) => begun.push(n))
    expect(begun).toEqual([])
    await iteration.next()
    await loopTurns(1)
    expect(begun).toEqual([0])
    await iteration.next()
    expect(begun).toEqual([0, 1])
    await iteration.return()
  })

  test('with a concurrency works on so many at a time, and gives the results in order', async () => {
    const clock = new FakeClock()
    let running = 0
    let most = 0
    const work = async (ms: number): Promise<number> => {
      most = Math.max(most, ++running)
      await sleep(ms, { clock })
      running--
      return ms
    }
    const all = watch(collect(map([50, 10, 40, 20, 30], work, { concurrency: 3 })))
    await clock.advance(100)
    expect(all.value).toEqual([50, 10, 40, 20, 30])
    expect(most).toBe(3)
  })

  test.each([1, 3])(
    '%d at a time: an error aborts the others and ends the source',
    async (concurrency) => {
      const source = new TracedSource<number>().give(1, 2, 3, 4)
      const reasons: unknown[] = []
      const iteration = map(
        source,
        async (n, signal) => {
          signal.addEventListener('abort', () => reasons.push(n))
          if (n === 2) {
            await loopTurns(2)
            throw new Error('no')
          }
          if (n > 2) await sleep(60_000, { signal })
          return n
        },
        { concurrency },
      )
      expect((await iteration.next()).value).toBe(1)
      await expect(iteration.next()).rejects.toThrow('no')
      expect(source.returned).toBe(1)
      expect(reasons.includes(3)).toBe(concurrency > 1)
      expect(await iteration.next()).toEqual({ done: true, value: undefined })
    },
  )

  test.each([1, 3])(
    '%d at a time: an abort and a leave reach the function, and wait for it',
    async (concurrency) => {
      for (const how of ['abort', 'leave'] as const) {
        const controller = new AbortController()
        const ended = deferred()
        const reasons: unknown[] = []
        const source = new TracedSource<number>().give(1)
        const work = async (_: number, signal: AbortSignal): Promise<void> => {
          await sleep(60_000, { signal }).catch((reason: unknown) => reasons.push(reason))
          await ended.promise
        }
        const iteration = map(source, work, { concurrency, signal: controller.signal })
        const step = watch(iteration.next())
        await loopTurns(2)
        if (how === 'abort') controller.abort('gone')
        const left = watch(how === 'leave' ? iteration.return() : step.promise)
        await loopTurns(2)
        expect([left.state, reasons.length]).toEqual(['pending', 1])
        ended.resolve()
        await loopTurns(2)
        const byAbort = { step: 'gone', reasons: ['gone'] }
        const byLeave = {
          step: { done: true, value: undefined },
          reasons: [{ name: 'AbortError', message: 'the iteration was left' }],
        }
        expect({ step: step.error ?? step.value, reasons }).toMatchObject(
          how === 'abort' ? byAbort : byLeave,
        )
        expect(left.state).not.toBe('pending')
        expect(source.returned).toBe(1)
      }
    },
  )

  test('left while its source is asked, does not work on what still comes', async () => {
    const source = new TracedSource<number>()
    const begun: number[] = []
    const iteration = map(source, (n) => begun.push(n))
    const step = watch(iteration.next())
    await loopTurns(1)
    await iteration.return()
    source.give(1)
    await loopTurns(2)
    expect(begun).toEqual([])
    expect(step.value).toEqual({ done: true, value: undefined })
  })

  test.each([0, 1.5, -1, NaN, Infinity])('refuses a concurrency of %d, at once', (concurrency) => {
    expect(() => map([], (n) => n, { concurrency })).toThrow(
      new RangeError(`concurrency must be a whole number above 0, not ${concurrency}`),
    )
  })

  test('refuses what is no function, at once', () => {
    const none = 7 as unknown as () => void
    expect(() => map([], none)).toThrow(new TypeError('fn must be a function, not number'))
    expect(() => map([], none, { concurrency: 2 })).toThrow(TypeError)
  })
})

describe('filter()', () => {
  test('narrows the type with a type guard', async () => {
    const mixed: (number | string)[] = [1, 'a', 2]
    const strings: Iteration<string> = filter(mixed, (item) => typeof item === 'string')
    expect(await collect(strings)).toEqual(['a'])
  })

  test('goes through what does not pass in one step', async () => {
    const source = new TracedSource<number>().give(1, 2, 3, 4).end()
    const even = filter(source, (n) => n % 2 === 0)
    expect((await even.next()).value).toBe(2)
    expect(source.asked).toBe(2)
    expect(await collect(even)).toEqual([4])
  })

  test('ends the source when the predicate throws, and gives it a signal', async () => {
    const source = new TracedSource<number>().give(1, 2)
    const iteration = filter(source, (n, signal) => {
      if (n === 2) throw new Error(`aborted: ${signal.aborted}`)
      return true
    })
    await iteration.next()
    await expect(iteration.next()).rejects.toThrow('aborted: false')
    expect(source.returned).toBe(1)
  })

  test('refuses what is no function, at once', () => {
    expect(() => filter([], null as never)).toThrow(
      new TypeError('predicate must be a function, not null'),
    )
  })
})

describe('take()', () => {
  test('asks for no more than it gives, and ends the source where the loop ends', async () => {
    const source = new TracedSource<number>().give(1, 2, 3)
    const iteration = take(source, 2)
    await iteration.next()
    await iteration.next()
    expect(source).toMatchObject({ asked: 2, returned: 0 })
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
    expect(source).toMatchObject({ asked: 2, returned: 1 })
    await iteration.return()
    expect(source.returned).toBe(1)
  })

  test('of nothing ends the source without asking it', async () => {
    const source = new TracedSource<number>()
    expect(await collect(take(source, 0))).toEqual([])
    expect(source).toMatchObject({ asked: 0, returned: 1 })
  })

  test('throws what the end of the source throws', async () => {
    const source = new TracedSource<number>().give(1)
    source.onReturn = () => Promise.reject(new Error('cannot end'))
    const iteration = take(source, 1)
    expect((await iteration.next()).value).toBe(1)
    expect(await rejection(iteration.next())).toMatchObject({ message: 'cannot end' })
    expect(source.returned).toBe(1)
  })

  test('takes all with Infinity', async () => {
    expect(await collect(take(range(3), Infinity))).toEqual([0, 1, 2])
  })

  test.each([-1, 1.5, NaN])('refuses a count of %d, at once', (count) => {
    expect(() => take([], count)).toThrow(
      new RangeError(`count must be a whole number, 0 or more, or Infinity, not ${count}`),
    )
  })
})
