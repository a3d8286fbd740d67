import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import { interval } from '../../src/concurrency/interval.js'
import { merge } from '../../src/concurrency/merge.js'
import { range } from '../../src/concurrency/range.js'
import { sleep } from '../../src/concurrency/sleep.js'
import type { Iteration } from '../../src/concurrency/stepwise.js'
import { take } from '../../src/concurrency/take.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { watch } from '../support/settled.js'
import { TracedSource } from '../support/traced-source.js'

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

function sources(count: number): TracedSource<string>[] {
  return Array.from({ length: count }, () => new TracedSource<string>())
}

describe('merge()', () => {
  test('gives the items of all sources as they come, until all have ended', async () => {
    const [a, b] = sources(2) as [TracedSource<string>, TracedSource<string>]
    const all = watch(collect(merge([a, b])))
    await loopTurns(1)
    for (const [source, item] of [
      [b, 'b1'],
      [a, 'a1'],
      [b, 'b2'],
      [b, 'b3'],
    ] as const) {
      source.give(item)
      await loopTurns(1)
    }
    b.end()
    await loopTurns(1)
    a.give('a2').end()
    expect(await all.promise).toEqual(['b1', 'a1', 'b2', 'b3', 'a2'])
    expect([a.returned, b.returned]).toEqual([0, 0])
  })

  test('of nothing ends at once', async () => {
    expect(await collect(merge([]))).toEqual([])
  })

  test('is fair: those that are always ready take turns', async () => {
    const generator = async function* (): AsyncGenerator<boolean> {
      for (;;) yield true
    }
    const endless = [range(Infinity), Array.from({ length: 100 }, () => 'a'), generator()]
    const kinds = (await collect(take(merge(endless), 60))).map((item) => typeof item)
    for (let at = 0; at < kinds.length; at += 3) {
      expect(new Set(kinds.slice(at, at + 3))).toEqual(new Set(['number', 'string', 'boolean']))
    }
  })

  test('gives items of the types of all its sources', async () => {
    const promises = [Promise.resolve(true)]
    const mixed: Iteration<number | string | boolean> = merge([range(1), ['a'], promises])
    expect(new Set(await collect(mixed))).toEqual(new Set([0, 'a', true]))
  })

  test('asks each source for one item at most, and only when one is asked for', async () => {
    const [a, b] = sources(2) as [TracedSource<string>, TracedSource<string>]
    const iteration = merge([a.give('a1', 'a2', 'a3'), b])
    expect([a.asked, b.asked]).toEqual([0, 0])
    expect((await iteration.next()).value).toBe('a1')
    await loopTurns(2)
    expect([a.asked, b.asked]).toEqual([1, 1])
    expect((await iteration.next()).value).toBe('a2')
    await loopTurns(2)
    expect([a.asked, b.asked]).toEqual([2, 1])
    await iteration.return()
    expect([a.returned, b.returned]).toEqual([1, 1])
  })

  test('gives what came before a failure first, and then ends all others', async () => {
    const [a, b, c] = sources(3) as [
      TracedSource<string>,
      TracedSource<string>,
      TracedSource<string>,
    ]
    const iteration = merge([a.give('a1', 'a2'), b.fail(new Error('broken')), c.end()])
    expect((await iteration.next()).value).toBe('a1')
    await expect(iteration.next()).rejects.toThrow('broken')
    expect([a, b, c].map(({ asked, returned }) => [asked, returned])).toEqual([
      [1, 1],
      [1, 0],
      [1, 0],
    ])
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
  })

  test('ends all sources although one cannot be ended, and throws that', async () => {
    const all = sources(3).map((source) => source.give('1'))
    const [first] = all as [TracedSource<string>]
    first.onReturn = () => Promise.reject(new Error('cannot end'))
    const iteration = merge(all)
    await iteration.next()
    await loopTurns(1)
    await expect(iteration.return()).rejects.toThrow('cannot end')
    expect(all.map(({ returned }) => returned)).toEqual([1, 1, 1])
  })

  test('left while all are waited for, leaves no timer, no subscription and no listener', async () => {
    const clock = new FakeClock()
    const { signal } = new AbortController()
    const news = new Broadcaster<number>()
    const iteration = merge(
      [news.subscribe({ signal }), interval(1000, { clock, signal }), merge([news.subscribe()])],
      { signal },
    )
    const step = watch(iteration.next())
    await loopTurns(1)
    expect([news.subscribers, clock.pendingTimers]).toEqual([2, 1])
    await iteration.return()
    expect(step.value).toEqual({ done: true, value: undefined })
    expect([news.subscribers, clock.pendingTimers]).toEqual([0, 0])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('refuses a source that is none, at once', () => {
    expect(() => merge([[], 7 as never])).toThrow(
      new TypeError('source must be iterable, and is of type number'),
    )
    expect(() => merge(7 as never)).toThrow(TypeError)
  })

  const plans = fc.record({
    /** How long each source takes for each of its items, from being asked. */
    sources: fc.array(
      fc.record({
        delaysMs: fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 8 }),
        fails: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
      }),
      { maxLength: 5 },
    ),
    worksMs: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 20 }),
    leavesAfter: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
  })

  test('gives what came, in the order in which it came, whatever the pace', async () => {
    const property = fc.asyncProperty(plans, async (plan) => {
      const clock = new FakeClock()
      /** What came, in its order: what should be given. */
      const came: string[] = []
      const given: string[] = []
      let mostWaiting = 0
      const states = plan.sources.map(() => ({ asked: 0, returned: 0, isOver: false }))
      const iterators = plan.sources.map(({ delaysMs, fails }, which) => {
        const state = states[which] as (typeof states)[number]
        return {
          async next(): Promise<IteratorResult<string, undefined>> {
            const n = state.asked++
            const taken = given.filter((item) => item.startsWith(`${which}:`)).length
            mostWaiting = Math.max(mostWaiting, state.asked - taken)
            const delayMs = delaysMs[n]
            if (delayMs !== undefined && delayMs > 0) await sleep(delayMs, { clock })
            state.isOver ||= delayMs === undefined
            const item = `${which}:${n}`
            if (delayMs !== undefined) came.push(item)
            else if (fails) came.push('error')
            if (delayMs === undefined && fails) throw new Error('broken')
            return delayMs === undefined
              ? { done: true, value: undefined }
              : { done: false, value: item }
          },
          async return(): Promise<IteratorResult<string, undefined>> {
            state.returned++
            return { done: true, value: undefined }
          },
          [Symbol.asyncIterator]() {
            return this
          },
        }
      })
      const works = [...plan.worksMs]
      const loop = watch(
        (async () => {
          try {
            for await (const item of merge(iterators)) {
              given.push(item)
              if (given.length === plan.leavesAfter) return
              const workMs = works.shift() ?? 0
              if (workMs > 0) await sleep(workMs, { clock })
            }
          } catch {
            given.push('error')
          }
        })(),
      )
      while (loop.state === 'pending') await clock.advance(100)

      expect(given).toEqual(came.slice(0, given.length))
      expect(mostWaiting).toBeLessThanOrEqual(1)
      const isLeft = given.length === plan.leavesAfter && given.at(-1) !== 'error'
      const hasFailed = given.at(-1) === 'error'
      expect(isLeft || hasFailed || given.length === came.length).toBe(true)
      for (const { returned, isOver } of states) {
        expect(returned).toBe((isLeft || hasFailed) && !isOver ? 1 : 0)
      }
    })
    await fc.assert(property, { numRuns: 200 })
  })
})
