import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { setAlarm } from '../../src/concurrency/alarm.js'
import { MAX_TIMER_MS, systemClock } from '../../src/concurrency/clock.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

describe('sleep()', () => {
  it('resolves when the time is over, and not before', async () => {
    const clock = new FakeClock()
    const asleep = watch(sleep(100, { clock }))
    await clock.advance(99)
    expect(asleep.state).toBe('pending')
    await clock.advance(1)
    expect(asleep).toMatchObject({ state: 'resolved', value: undefined })
    expect(clock.pendingTimers).toBe(0)
  })

  it('uses the clock of the process unless it is given one', async () => {
    const startMs = systemClock.now()
    await sleep(20)
    expect(systemClock.now() - startMs).toBeGreaterThan(18)
  })

  it('of 0 ms lets others come to their turn, without any time', async () => {
    const clock = new FakeClock()
    const steps: string[] = []
    setImmediate(() => steps.push('another'))
    await sleep(0, { clock })
    steps.push('awake')
    expect(steps).toEqual(['another', 'awake'])
    expect(clock.now()).toBe(0)
  })

  it('wakes those of equal times in the order of their calls', async () => {
    const clock = new FakeClock()
    const awake: number[] = []
    for (const n of [1, 2, 3]) void sleep(10, { clock }).then(() => awake.push(n))
    await clock.advance(10)
    expect(awake).toEqual([1, 2, 3])
  })

  it.each([0, 50, Infinity])(
    'of %d ms rejects with the reason of an abort, and leaves nothing',
    async (ms) => {
      const clock = new FakeClock()
      const controller = new AbortController()
      const asleep = sleep(ms, { signal: controller.signal, clock })
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
      controller.abort('enough')
      expect(await rejection(asleep)).toBe('enough')
      expect(clock.pendingTimers).toBe(0)
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    },
  )

  it('leaves no listener when it wakes by itself', async () => {
    const { signal } = new AbortController()
    await sleep(0, { signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('does not begin when the signal has aborted', async () => {
    const clock = new FakeClock()
    const asleep = sleep(5, { signal: AbortSignal.abort('over'), clock })
    expect(clock.pendingTimers).toBe(0)
    expect(await rejection(asleep)).toBe('over')
  })

  it('of Infinity sets no timer', async () => {
    const clock = new FakeClock()
    const controller = new AbortController()
    const asleep = watch(sleep(Infinity, { clock, signal: controller.signal }))
    expect(clock.pendingTimers).toBe(0)
    await loopTurns(2)
    expect(asleep.state).toBe('pending')
    controller.abort()
    await rejection(asleep.promise)
  })

  it.each([-1, NaN])('refuses %d', async (ms) => {
    const error = await rejection(sleep(ms))
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({
      message: `ms must be a number of milliseconds, 0 or more, not ${ms}`,
    })
  })
})

describe('setAlarm()', () => {
  const ms = 2.5 * MAX_TIMER_MS

  it('waits longer than a timer can', async () => {
    const clock = new FakeClock()
    let calls = 0
    setAlarm(() => calls++, ms, clock)
    await clock.advance(ms - 1)
    expect({ calls, timers: clock.pendingTimers }).toEqual({ calls: 0, timers: 1 })
    await clock.advance(1)
    expect({ calls, timers: clock.pendingTimers }).toEqual({ calls: 1, timers: 0 })
  })

  it('can be called off between two timers', async () => {
    const clock = new FakeClock()
    let calls = 0
    const callOff = setAlarm(() => calls++, ms, clock)
    await clock.advance(1.5 * MAX_TIMER_MS)
    callOff()
    expect(clock.pendingTimers).toBe(0)
    await clock.advance(ms)
    expect(calls).toBe(0)
  })

  it('of Infinity can be called off all the same', () => {
    const clock = new FakeClock()
    setAlarm(() => {}, Infinity, clock)()
    expect(clock.pendingTimers).toBe(0)
  })
})
