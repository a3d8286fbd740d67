/** Any mixture of tasks, aborts and failures: the limit holds, and every result is given once, in its order. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sleep } from '../../src/concurrency/sleep.js'
import { TaskPool } from '../../src/concurrency/task-pool.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { watch } from '../support/settled.js'

const limits = fc.integer({ min: 1, max: 5 })

/** Counts those who run, and the most that ever did. */
class Gauge {
  running = 0
  most = 0

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.running++
    this.most = Math.max(this.most, this.running)
    try {
      return await work()
    } finally {
      this.running--
    }
  }
}

describe('TaskPool.submit()', () => {
  const tasks = fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 50 }),
      ms: fc.integer({ min: 0, max: 40 }),
      fails: fc.boolean(),
      abortAt: fc.option(fc.integer({ min: 0, max: 80 }), { nil: undefined }),
    }),
    { maxLength: 25 },
  )

  it('never runs more than limit, settles each once, and begins them in order', async () => {
    await fc.assert(
      fc.asyncProperty(limits, tasks, async (limit, plan) => {
        const clock = new FakeClock()
        const pool = new TaskPool({ limit })
        const gauge = new Gauge()
        const submitted: number[] = []
        const begun: number[] = []
        const results = plan.map(async ({ at, ms, fails, abortAt }, n) => {
          const controller = new AbortController()
          if (at > 0) await sleep(at, { clock })
          if (abortAt !== undefined) {
            clock.setTimeout(() => controller.abort(`abort ${n}`), Math.max(abortAt - at, 1))
          }
          submitted.push(n)
          return pool.submit(
            (signal) => {
              begun.push(n)
              return gauge.during(async () => {
                await sleep(ms, { signal, clock })
                if (fails) throw new Error(`fail ${n}`)
                return n
              })
            },
            abortAt === undefined ? undefined : { signal: controller.signal },
          )
        })
        const settled = watch(Promise.allSettled(results))
        while (settled.state === 'pending') await clock.advance(50)

        expect(gauge.most).toBeLessThanOrEqual(limit)
        expect(gauge.running + pool.size).toBe(0)
        // What was begun keeps the order of the calls; what is missing was aborted before its turn.
        expect(begun).toEqual(submitted.filter((n) => begun.includes(n)))
        settled.value?.forEach((result, n) => {
          const { fails, abortAt } = plan[n] as (typeof plan)[number]
          const own = fails ? `fail ${n}` : n
          const outcome =
            result.status === 'fulfilled'
              ? result.value
              : result.reason instanceof Error
                ? result.reason.message
                : result.reason
          const expected = abortAt === undefined ? [own] : [own, `abort ${n}`]
          expect(expected).toContain(outcome)
          expect(begun.includes(n) || outcome === `abort ${n}`).toBe(true)
        })
      }),
      { numRuns: 50 },
    )
  })
})

describe('TaskPool.map() and mapUnordered()', () => {
  const plans = fc.record({
    limit: limits,
    maxAhead: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
    inOrder: fc.boolean(),
    isAsync: fc.boolean(),
    items: fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 25 }),
    /** The item that fails, and after how many results the loop is left: if there are so many. */
    failsAt: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
    leavesAfter: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
    /** How long each result keeps the loop busy. */
    busyMs: fc.integer({ min: 0, max: 10 }),
  })

  it('keep the limit and the bound, give each result once, and leave nothing', async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const { limit, maxAhead, items, failsAt, leavesAfter, busyMs, inOrder } = plan
        const clock = new FakeClock()
        const pool = new TaskPool({ limit })
        const gauge = new Gauge()
        const taken: number[] = []
        const source = { pulled: 0, isOpen: false }
        let mostAhead = 0
        function* pull(): Generator<number> {
          source.isOpen = true
          try {
            for (let n = 0; n < items.length; n++) {
              source.pulled++
              mostAhead = Math.max(mostAhead, source.pulled - taken.length)
              yield n
            }
          } finally {
            source.isOpen = false
          }
        }
        async function* pullAsync(): AsyncGenerator<number> {
          yield* pull()
        }
        const work = (n: number, signal: AbortSignal): Promise<number> =>
          gauge.during(async () => {
            await sleep(items[n] as number, { signal, clock })
            if (n === failsAt) throw new Error(`fail ${n}`)
            return n
          })
        const iterable = plan.isAsync ? pullAsync() : pull()
        const mapped = inOrder
          ? pool.map(iterable, work, { maxAhead })
          : pool.mapUnordered(iterable, work, { maxAhead })
        const loop = watch(
          (async () => {
            for await (const n of mapped) {
              taken.push(n)
              if (taken.length === leavesAfter) return
              if (busyMs > 0) await sleep(busyMs, { clock })
            }
          })(),
        )
        while (loop.state === 'pending') await clock.advance(20)

        expect(gauge.most).toBeLessThanOrEqual(limit)
        // One more than the bound: the result that the loop is about to be given counts as taken.
        expect(mostAhead).toBeLessThanOrEqual((maxAhead ?? limit) + 1)
        expect({ running: gauge.running, size: pool.size, isOpen: source.isOpen }).toEqual({
          running: 0,
          size: 0,
          isOpen: false,
        })
        expect(clock.pendingTimers).toBe(0)
        expect(new Set(taken).size).toBe(taken.length)
        // What was given in order, or completely, has no gap.
        const isComplete = taken.length === items.length
        const given = inOrder ? taken : taken.toSorted((a, b) => a - b)
        expect(given).toEqual(inOrder || isComplete ? given.map((_, n) => n) : given)

        const mayFail = failsAt !== undefined && failsAt < items.length
        const ending =
          loop.state === 'rejected' ? (loop.error as Error).message : isComplete ? 'all' : 'left'
        const endings = [
          ...(mayFail ? [`fail ${failsAt}`] : ['all']),
          ...(taken.length === leavesAfter ? ['all', 'left'] : []),
        ]
        expect(endings).toContain(ending)
      }),
      { numRuns: 80 },
    )
  })
})
