import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { interval } from '../../src/concurrency/interval.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { watch } from '../support/settled.js'

/** When each tick came, for as many as there are pieces of work of so many milliseconds. */
async function ticksOf(
  ms: number,
  worksMs: readonly number[],
  startMs = 0,
): Promise<{ tick: number; at: number }[]> {
  const clock = new FakeClock(startMs)
  const ticks: { tick: number; at: number }[] = []
  const works = [...worksMs]
  const loop = watch(
    (async () => {
      for await (const tick of interval(ms, { clock })) {
        ticks.push({ tick, at: clock.now() - startMs })
        const workMs = works.shift()
        if (workMs === undefined) return
        if (workMs > 0) await sleep(workMs, { clock })
      }
    })(),
  )
  while (loop.state === 'pending') await clock.advance(ms)
  expect(clock.pendingTimers).toBe(0)
  return ticks
}

describe('interval()', () => {
  test('ticks at each multiple, however long the work takes', async () => {
    expect(await ticksOf(100, [30, 99, 0, 60], 12_345)).toEqual([
      { tick: 1, at: 100 },
      { tick: 2, at: 200 },
      { tick: 3, at: 300 },
      { tick: 4, at: 400 },
      { tick: 5, at: 500 },
    ])
  })

  test('does not pile up missed ticks: one comes at once, the next in its time', async () => {
    expect(await ticksOf(100, [350, 10, 100])).toEqual([
      { tick: 1, at: 100 },
      { tick: 4, at: 450 },
      { tick: 5, at: 500 },
      { tick: 6, at: 600 },
    ])
  })

  test('does what a slow model does, whatever the work', async () => {
    const works = fc.array(fc.integer({ min: 0, max: 450 }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 150 }), works, async (ms, worksMs) => {
        const expected: { tick: number; at: number }[] = []
        let now = 0
        let tick = 0
        for (const workMs of [...worksMs, 0]) {
          // The last multiple that has passed and was not given, or the next one.
          let next = tick + 1
          while ((next + 1) * ms <= now) next++
          tick = next
          now = Math.max(now, tick * ms)
          expected.push({ tick, at: now })
          now += workMs
        }
        expect(await ticksOf(ms, worksMs)).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })

  test('gives no tick twice when a timer fires early', async () => {
    const clock = new FakeClock()
    const early = {
      now: () => clock.now() - 0.4,
      setTimeout: (callback: () => void, delayMs: number) =>
        clock.setTimeout(callback, delayMs - 0.5),
      clearTimeout: (timer: unknown) => clock.clearTimeout(timer),
    }
    const iteration = interval(10, { clock: early })
    for (const expected of [1, 2, 3]) {
      const step = watch(iteration.next())
      await clock.advance(10)
      expect(step.value).toEqual({ done: false, value: expected })
    }
  })

  test('sets no timer until a tick is waited for, and begins at the first step', async () => {
    const clock = new FakeClock()
    const iteration = interval(100, { clock })
    await clock.advance(1000)
    expect(clock.pendingTimers).toBe(0)
    const step = watch(iteration.next())
    await clock.advance(99)
    expect(step.state).toBe('pending')
    await clock.advance(1)
    expect(step.value).toEqual({ done: false, value: 1 })
    expect(clock.pendingTimers).toBe(0)
  })

  test('left or aborted while it waits, leaves no timer and no listener', async () => {
    const clock = new FakeClock()
    const controller = new AbortController()
    const { signal } = controller
    const aborted = interval(100, { clock, signal })
    const left = interval(100, { clock })
    const steps = [watch(aborted.next()), watch(left.next())]
    await loopTurns(1)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    controller.abort('gone')
    await left.return()
    await loopTurns(1)
    expect(steps[0]?.error).toBe('gone')
    expect(steps[1]?.value).toEqual({ done: true, value: undefined })
    expect(clock.pendingTimers).toBe(0)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('uses the clock of the process unless told otherwise', async () => {
    const start = performance.now()
    for await (const tick of interval(2)) if (tick >= 3) break
    // Node's timers are whole milliseconds, and may be early by one.
    expect(performance.now() - start).toBeGreaterThanOrEqual(5)
  })

  test.each([0, -1, NaN, Infinity])('refuses %d as its pace, at once', (ms) => {
    expect(() => interval(ms)).toThrow(
      new RangeError(`ms must be a finite number of milliseconds above 0, not ${ms}`),
    )
  })
})
