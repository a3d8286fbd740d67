import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../src/testing/fake-clock.js'

describe('FakeClock.advance()', () => {
  test('moves now() by as much, and only then', async () => {
    const clock = new FakeClock(1_000)
    expect(clock.now()).toBe(1_000)
    await clock.advance(250)
    expect(clock.now()).toBe(1_250)
  })

  test('fires what is due, in order of time and then of setting', async () => {
    const clock = new FakeClock()
    const fired: string[] = []
    const at = (ms: number, name: string): unknown =>
      clock.setTimeout(() => fired.push(`${name}@${clock.now()}`), ms)
    at(20, 'late')
    at(10, 'first')
    at(10, 'second')
    at(31, 'never')
    await clock.advance(30)
    expect(fired).toEqual(['first@10', 'second@10', 'late@20'])
    expect(clock.now()).toBe(30)
    expect(clock.pendingTimers).toBe(1)
  })

  test('fires a timer exactly when its time has come', async () => {
    const clock = new FakeClock()
    let count = 0
    clock.setTimeout(() => count++, 100)
    await clock.advance(99)
    expect(count).toBe(0)
    await clock.advance(1)
    expect(count).toBe(1)
  })

  test('fires timers that were set on the way, from promise jobs and later turns too', async () => {
    const clock = new FakeClock()
    const fired: number[] = []
    clock.setTimeout(() => {
      void Promise.resolve().then(() => clock.setTimeout(() => fired.push(clock.now()), 5))
      setImmediate(() => clock.setTimeout(() => fired.push(clock.now()), 7))
    }, 10)
    await clock.advance(100)
    expect(fired).toEqual([15, 17])
  })

  test('lets a timer that sets itself anew run once a millisecond at most', async () => {
    const clock = new FakeClock()
    let count = 0
    const again = (): void => {
      count++
      clock.setTimeout(again, 0)
    }
    again()
    await clock.advance(10)
    expect(count).toBe(11)
  })

  test('runs calls that were made at once one after the other', async () => {
    const clock = new FakeClock()
    const fired: number[] = []
    for (const ms of [10, 20, 30]) clock.setTimeout(() => fired.push(clock.now()), ms)
    await Promise.all([clock.advance(15), clock.advance(15)])
    expect(fired).toEqual([10, 20, 30])
    expect(clock.now()).toBe(30)
  })

  test('rejects with what a timer throws, and can be called again', async () => {
    const clock = new FakeClock()
    clock.setTimeout(() => {
      throw new Error('the timer broke')
    }, 10)
    await expect(clock.advance(20)).rejects.toThrow('the timer broke')
    await clock.advance(5)
    expect(clock.now()).toBe(15)
  })

  test.each([-1, Number.NaN])('refuses %s', (ms) => {
    expect(() => new FakeClock().advance(ms)).toThrow(RangeError)
  })
})

test('FakeClock starts where it is told, and refuses what is no time', () => {
  expect(new FakeClock(1000).now()).toBe(1000)
  expect(() => new FakeClock(Number.NaN)).toThrow('startMs must be a number of milliseconds, not')
})

describe('FakeClock.clearTimeout()', () => {
  test('takes a timer away, from another timer of the same moment too', async () => {
    const clock = new FakeClock()
    let count = 0
    clock.setTimeout(() => clock.clearTimeout(second), 10)
    const second = clock.setTimeout(() => count++, 10)
    const third = clock.setTimeout(() => count++, 10)
    expect(clock.pendingTimers).toBe(3)
    clock.clearTimeout(third)
    expect(clock.pendingTimers).toBe(2)
    await clock.advance(10)
    expect([count, clock.pendingTimers]).toEqual([0, 0])
  })

  test('ignores what is not a pending timer', () => {
    const clock = new FakeClock()
    clock.clearTimeout(undefined)
    expect(clock.pendingTimers).toBe(0)
  })
})
