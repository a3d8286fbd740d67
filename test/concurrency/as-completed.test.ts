/** Promises in the order of their settling: most of it goes through what CPython promises of `as_completed()`. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { asCompleted } from '../../src/concurrency/as-completed.js'
import { deferred } from '../../src/concurrency/deferred.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

async function after<T>(clock: FakeClock, ms: number, value: T): Promise<T> {
  await sleep(ms, { clock })
  return value
}

describe('asyncio.as_completed(), as asCompleted()', () => {
  it('gives the results in the order of completion', async () => {
    const clock = new FakeClock()
    const promises = [after(clock, 30, 'c'), after(clock, 10, 'a'), after(clock, 20, 'b')]
    const values: string[] = []
    const loop = (async () => {
      for await (const value of asCompleted(promises)) values.push(value)
    })()
    await clock.advance(20)
    expect(values).toEqual(['a', 'b'])
    await clock.advance(10)
    await loop
    expect(values).toEqual(['a', 'b', 'c'])
  })

  it('with an exception: the step rejects, and the next one goes on', async () => {
    const clock = new FakeClock()
    const error = new Error('b')
    const failing = sleep(10, { clock }).then(() => {
      throw error
    })
    const iteration = asCompleted<unknown>([failing, after(clock, 20, 'a')])
    const steps = Promise.allSettled([iteration.next(), iteration.next(), iteration.next()])
    await clock.advance(20)
    expect(await steps).toEqual([
      { status: 'rejected', reason: error },
      { status: 'fulfilled', value: { value: 'a', done: false } },
      { status: 'fulfilled', value: { value: undefined, done: true } },
    ])
  })

  it('with an exception: ends a loop', async () => {
    const error = new Error('b')
    const results: unknown[] = []
    const loop = (async () => {
      const promises = [Promise.resolve('a'), Promise.reject(error), Promise.resolve('c')]
      for await (const value of asCompleted(promises)) results.push(value)
    })()
    expect(await rejection(loop)).toBe(error)
    expect(results).toEqual(['a'])
  })

  it('with a timeout: gives what is done, then a TimeoutError', async () => {
    const clock = new FakeClock()
    const values: string[] = []
    const loop = rejection(
      (async () => {
        const promises = [after(clock, 10, 'a'), after(clock, 200, 'b')]
        for await (const value of asCompleted(promises, { timeoutMs: 120, clock })) {
          values.push(value)
        }
      })(),
    )
    await clock.advance(119)
    expect(values).toEqual(['a'])
    await clock.advance(1)
    const error = await loop
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({
      message: 'asCompleted() of 2 promises, 1 of them pending: not done within 120 ms',
      timeoutMs: 120,
    })
    await clock.advance(80)
    expect(clock.pendingTimers).toBe(0)
  })

  it('with a timeout that is over before the first step: gives what is done by then all the same', async () => {
    const clock = new FakeClock()
    const never = deferred<string>()
    const iteration = asCompleted([never.promise, Promise.resolve('a')], { timeoutMs: 5, clock })
    await clock.advance(10)
    expect(await iteration.next()).toEqual({ value: 'a', done: false })
    const late = rejection(iteration.next())
    await clock.advance(1)
    expect(await late).toMatchObject({ timeoutMs: 5 })
  })

  it('with a timeout that is not needed: leaves no timer', async () => {
    const clock = new FakeClock()
    for await (const value of asCompleted([Promise.resolve(1)], { timeoutMs: 10, clock })) {
      expect(value).toBe(1)
    }
    expect(clock.pendingTimers).toBe(0)
  })

  it('reverse wait: steps taken beforehand are served in their order', async () => {
    const clock = new FakeClock()
    const iteration = asCompleted([after(clock, 20, 'b'), after(clock, 10, 'a')])
    const steps = [iteration.next(), iteration.next(), iteration.next()]
    await clock.advance(20)
    const results = await Promise.all(steps)
    expect(results.map(({ done }) => done)).toEqual([false, false, true])
    expect(results.map(({ value }) => value)).toEqual(['a', 'b', undefined])
  })

  it('concurrent: all that are done at one time come', async () => {
    const clock = new FakeClock()
    const values: string[] = []
    const loop = (async () => {
      const promises = [after(clock, 10, 'a'), after(clock, 10, 'b')]
      for await (const value of asCompleted(promises)) values.push(value)
    })()
    await clock.advance(10)
    await loop
    expect(values).toEqual(['a', 'b'])
  })

  it('duplicates come once', async () => {
    const ham = Promise.resolve('ham')
    const values: string[] = []
    for await (const value of asCompleted([ham, ham, Promise.resolve('egg'), ham])) {
      values.push(value)
    }
    expect(values).toEqual(['ham', 'egg'])
  })

  it('gives results of undefined as well', async () => {
    const iteration = asCompleted<void>([Promise.resolve(), sleep(0)])
    for (const done of [false, false, true]) {
      expect(await iteration.next()).toEqual({ value: undefined, done })
    }
  })

  it('of nothing ends at once', async () => {
    expect(await asCompleted([]).next()).toEqual({ value: undefined, done: true })
  })

  it('invalid arguments are refused at once', () => {
    expect(thrownBy(() => asCompleted([5 as never]))).toEqual(
      new TypeError('promises must hold promises only, not 5'),
    )
    expect(thrownBy(() => asCompleted([], { timeoutMs: 0 }))).toBeInstanceOf(RangeError)
  })
})

describe('asCompleted()', () => {
  it('rejects a step with the reason of an abort, and leaves no listener', async () => {
    const controller = new AbortController()
    const { promise, resolve } = deferred<number>()
    const iteration = asCompleted([promise], { signal: controller.signal })
    const step = rejection(iteration.next())
    await loopTurns(1)
    controller.abort('enough')
    expect(await step).toBe('enough')
    expect(await rejection(iteration.next())).toBe('enough')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    resolve(1)
  })

  it('leaves the promises as they are when the loop is left', async () => {
    const { promise, reject } = deferred<number>()
    for await (const first of asCompleted([promise, Promise.resolve(1)])) {
      expect(first).toBe(1)
      break
    }
    // The leak guard fails on an unhandled rejection.
    reject(new Error('later'))
    await loopTurns(2)
  })

  it('ends steps that wait when it is left', async () => {
    const iteration = asCompleted([deferred().promise])
    const step = watch(iteration.next())
    await iteration.return?.()
    expect(await step.promise).toEqual({ value: undefined, done: true })
    expect(await iteration.next()).toEqual({ value: undefined, done: true })
  })
})
