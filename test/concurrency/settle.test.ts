/** `gather` and `wait` of asyncio, in the words of the language where it has them, and `settle()` where it has not. */
import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { deferred, type Deferred } from '../../src/concurrency/deferred.js'
import { settle } from '../../src/concurrency/settle.js'
import { Settlement } from '../../src/concurrency/settlement.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { taskGroup } from '../../src/concurrency/task-group.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

/** So many promises that a test settles. */
function several(count: number): Deferred<number>[] {
  return Array.from({ length: count }, () => deferred<number>())
}

describe('asyncio.gather()', () => {
  it('is Promise.all: results in the order of the calls', async () => {
    const parts = several(3)
    const all = Promise.all(parts.map(({ promise }) => promise))
    for (const n of [2, 0, 1]) parts[n]?.resolve(n + 1)
    expect(await all).toEqual([1, 2, 3])
  })

  it('of nothing is done at once', async () => {
    expect(await Promise.all([])).toEqual([])
  })

  it('is Promise.all: the first error comes out, and the others go on', async () => {
    const [a, b] = several(2)
    const all = rejection(Promise.all([a?.promise, b?.promise]))
    b?.reject(new Error('b'))
    expect(await all).toMatchObject({ message: 'b' })
    a?.resolve(1)
    expect(await a?.promise).toBe(1)
  })

  it('with return_exceptions is Promise.allSettled', async () => {
    const [a, b] = several(2)
    const all = Promise.allSettled([a?.promise, b?.promise])
    const error = new Error('b')
    b?.reject(error)
    a?.resolve(1)
    expect(await all).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: error },
    ])
  })

  it('that is cancelled cancels its parts: a task group, whose signal they share', async () => {
    const outer = new AbortController()
    const seen: unknown[] = []
    const all = rejection(
      taskGroup(
        (group) =>
          Promise.all(
            [1, 2].map((n) =>
              group.spawn((signal) =>
                sleep(1000, { signal }).catch((error: unknown) => {
                  seen.push([n, error])
                  throw error
                }),
              ),
            ),
          ),
        { signal: outer.signal },
      ),
    )
    outer.abort('cancelled')
    expect(await all).toBe('cancelled')
    expect(seen).toEqual([
      [1, 'cancelled'],
      [2, 'cancelled'],
    ])
  })
})

describe('asyncio.wait(), as settle()', () => {
  it('ALL_COMPLETED: waits for all', async () => {
    const parts = several(2)
    const promises = parts.map(({ promise }) => promise)
    const waiting = watch(settle(promises))
    parts[1]?.resolve(2)
    await loopTurns(1)
    expect(waiting.state).toBe('pending')
    parts[0]?.resolve(1)
    expect(await waiting.promise).toEqual({ done: new Set(promises), pending: new Set() })
  })

  it('FIRST_COMPLETED: gives the first one that is done, and the pending ones', async () => {
    const parts = several(3)
    const promises = parts.map(({ promise }) => promise)
    const waiting = settle(promises, { until: 'first' })
    parts[1]?.resolve(2)
    const { done, pending } = await waiting
    expect([...done]).toEqual([promises[1]])
    expect([...pending]).toEqual([promises[0], promises[2]])
  })

  it('FIRST_COMPLETED, several done at once: gives all of them', async () => {
    const parts = several(3)
    const promises = parts.map(({ promise }) => promise)
    parts[0]?.resolve(1)
    parts[2]?.reject(new Error('c'))
    const { done } = await settle(promises, { until: 'first' })
    expect([...done]).toEqual([promises[0], promises[2]])
  })

  it('FIRST_EXCEPTION: ends with the first error', async () => {
    const parts = several(3)
    const promises = parts.map(({ promise }) => promise)
    const waiting = watch(settle(promises, { until: 'first-failure' }))
    parts[2]?.resolve(3)
    await loopTurns(1)
    expect(waiting.state).toBe('pending')
    parts[0]?.reject(new Error('a'))
    const { done, pending } = await waiting.promise
    expect([...done]).toEqual([promises[0], promises[2]])
    expect([...pending]).toEqual([promises[1]])
  })

  it('FIRST_EXCEPTION, there already: ends at once', async () => {
    const failing = Promise.reject(new Error('there'))
    const { done, pending } = await settle([deferred<never>().promise, failing], {
      until: 'first-failure',
    })
    expect({ done: [...done], pending: pending.size }).toEqual({ done: [failing], pending: 1 })
  })

  it('FIRST_EXCEPTION, without one: waits for all', async () => {
    const promises = [Promise.resolve(1), Promise.resolve(2)]
    const { done } = await settle(promises, { until: 'first-failure' })
    expect([...done]).toEqual(promises)
  })

  it('with an exception: it is in done, and does not come out', async () => {
    const error = new Error('in done')
    const { done } = await settle([Promise.reject(error)])
    expect(await rejection([...done][0] as Promise<never>)).toBe(error)
  })

  it('with a timeout: gives what is done by then, and aborts nothing', async () => {
    const clock = new FakeClock()
    const [quick, slow] = [sleep(10, { clock }), sleep(100, { clock })]
    const waiting = settle([quick, slow], { timeoutMs: 50, clock })
    await clock.advance(50)
    const { done, pending } = await waiting
    expect([...done]).toEqual([quick])
    expect([...pending]).toEqual([slow])
    await clock.advance(50)
    await slow
    expect(clock.pendingTimers).toBe(0)
  })

  it('with a timeout that is not needed: leaves no timer', async () => {
    const clock = new FakeClock()
    await settle([Promise.resolve()], { timeoutMs: 50, clock })
    expect(clock.pendingTimers).toBe(0)
  })

  it('takes duplicates once, and any iterable', async () => {
    const promise = Promise.resolve(1)
    const { done } = await settle(
      (function* () {
        yield promise
        yield promise
      })(),
    )
    expect([...done]).toEqual([promise])
  })

  it('of nothing is refused', async () => {
    expect(await rejection(settle([]))).toEqual(
      new RangeError('promises must hold at least one promise'),
    )
  })
})

describe('settle()', () => {
  it('ends with the reason of an abort, and leaves no listener', async () => {
    const controller = new AbortController()
    const waiting = rejection(settle([deferred().promise], { signal: controller.signal }))
    await loopTurns(1)
    controller.abort('enough')
    expect(await waiting).toBe('enough')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('of promises that it knows to be settled is no quicker than of others', async () => {
    const known = Promise.resolve(1)
    await settle([known])
    const { done, pending } = await settle([deferred().promise, known], { until: 'first' })
    expect({ done: [...done], pending: pending.size }).toEqual({ done: [known], pending: 1 })
  })

  it('counts a rejection as handled', async () => {
    const { promise, reject } = deferred<number>()
    const { pending } = await settle([promise, Promise.resolve()], { until: 'first' })
    expect([...pending]).toEqual([promise])
    reject(new Error('later'))
    // The leak guard fails on an unhandled rejection.
    await loopTurns(2)
  })

  it('keeps nothing of 10,000 waits for a promise that stays pending', async () => {
    const { promise } = deferred()
    const reactions = vi.spyOn(promise, 'then')
    for (let n = 0; n < 10_000; n++) {
      await settle([promise, Promise.resolve(n)], { until: 'first' })
    }
    expect(reactions).toHaveBeenCalledTimes(1)
  })

  it('refuses what has no meaning', async () => {
    const promises = [Promise.resolve()]
    const refusals = [
      settle(promises, { signal: AbortSignal.abort('before') }),
      settle(promises, { timeoutMs: 0 }),
      settle(promises, { until: 'last' as never }),
      settle([5 as never]),
      settle([null as never]),
      settle([{} as never]),
    ]
    expect(await Promise.all(refusals.map(rejection))).toEqual([
      'before',
      new RangeError('timeoutMs must be a number of milliseconds above 0, not 0'),
      new RangeError("until must be 'all', 'first' or 'first-failure', not 'last'"),
      new TypeError('promises must hold promises only, not 5'),
      new TypeError('promises must hold promises only, not null'),
      new TypeError('promises must hold promises only, not [object Object]'),
    ])
  })
})

describe('Settlement', () => {
  it('is one for each promise', () => {
    const promise = Promise.resolve()
    expect(Settlement.of(promise)).toBe(Settlement.of(promise))
    expect(thrownBy(() => Settlement.of(undefined as never))).toBeInstanceOf(TypeError)
  })

  it('does not call who has stopped listening, before or after it settles', async () => {
    const { promise, resolve } = deferred()
    const settlement = Settlement.of(promise)
    const calls: string[] = []
    const stop = settlement.listen(() => calls.push('stopped'))
    settlement.listen(() => calls.push('first'))
    stop()
    resolve()
    await promise
    expect(settlement.state).toBe('fulfilled')
    const stopLate = settlement.listen(() => calls.push('stopped late'))
    settlement.listen(() => calls.push('late'))
    stopLate()
    await loopTurns(1)
    expect(calls).toEqual(['first', 'late'])
  })
})
