/** Waits that end before the work. Most of it goes through what CPython promises of `shield()`. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { shield } from '../../src/concurrency/shield.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

describe('asyncio.shield(), as shield()', () => {
  it('result: gives that of the work', async () => {
    const { promise, resolve } = deferred<number>()
    const waiting = shield(promise, { signal: new AbortController().signal })
    resolve(42)
    expect(await waiting).toBe(42)
  })

  it('exception: gives that of the work', async () => {
    const error = new Error('expected')
    expect(await rejection(shield(Promise.reject(error), { timeoutMs: 10 }))).toBe(error)
  })

  it('shortcut: work that is done gives its result without a wait', async () => {
    const waiting = watch(shield(Promise.resolve(42)))
    await Promise.resolve()
    expect(waiting).toMatchObject({ state: 'resolved', value: 42 })
  })

  it('cancel inner: an abort of the work reaches who waits', async () => {
    const inner = new AbortController()
    const waiting = rejection(shield(sleep(1000, { signal: inner.signal })))
    inner.abort('inner')
    expect(await waiting).toBe('inner')
  })

  it('cancel outer: ends the wait with the reason, and the work goes on', async () => {
    const outer = new AbortController()
    const { promise, resolve } = deferred<number>()
    const work = watch(promise)
    const waiting = rejection(shield(promise, { signal: outer.signal }))
    outer.abort('outer')
    expect(await waiting).toBe('outer')
    expect(work.state).toBe('pending')
    resolve(42)
    await loopTurns(1)
    expect(work).toMatchObject({ state: 'resolved', value: 42 })
  })

  it('cancel outer, and the work fails later: does not end the process', async () => {
    const outer = new AbortController()
    const { promise, reject } = deferred()
    const waiting = rejection(shield(promise, { signal: outer.signal }))
    outer.abort('outer')
    expect(await waiting).toBe('outer')
    reject(new Error('late'))
    // The leak guard fails on an unhandled rejection.
    await loopTurns(2)
  })

  it('effect: in a function that is aborted the shielded part is finished', async () => {
    const outer = new AbortController()
    const proceed = deferred()
    const steps: string[] = []
    const save = async (): Promise<void> => {
      await proceed.promise
      steps.push('saved')
    }
    const order = (async () => {
      const saving = save()
      try {
        await shield(saving, { signal: outer.signal })
        steps.push('never')
      } finally {
        await saving
        steps.push('cleaned up')
      }
    })()
    outer.abort('outer')
    proceed.resolve()
    expect(await rejection(order)).toBe('outer')
    expect(steps).toEqual(['saved', 'cleaned up'])
  })

  it('of a gather: its parts go on', async () => {
    const outer = new AbortController()
    const parts = [deferred<number>(), deferred<number>()] as const
    const all = Promise.all(parts.map(({ promise }) => promise))
    const waiting = rejection(shield(all, { signal: outer.signal }))
    outer.abort()
    await waiting
    parts[0].resolve(1)
    parts[1].resolve(2)
    expect(await all).toEqual([1, 2])
  })

  it('in a gather: each wait ends on its own', async () => {
    const outer = new AbortController()
    const parts = [deferred<number>(), deferred<number>()] as const
    const waits = Promise.allSettled([
      shield(parts[0].promise, { signal: outer.signal }),
      shield(parts[1].promise),
    ])
    outer.abort('outer')
    parts[0].resolve(1)
    parts[1].resolve(2)
    expect(await waits).toEqual([
      { status: 'rejected', reason: 'outer' },
      { status: 'fulfilled', value: 2 },
    ])
  })
})

describe('shield()', () => {
  it('ends the wait after timeoutMs, and leaves no timer', async () => {
    const clock = new FakeClock()
    const { promise, resolve } = deferred()
    const late = rejection(shield(promise, { timeoutMs: 10, clock }))
    const inTime = shield(promise, { timeoutMs: 100, clock })
    await clock.advance(10)
    const error = await late
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ message: 'shield(): not done within 10 ms', phase: 'call' })
    resolve()
    await inTime
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves no listener, however it ends', async () => {
    const { signal } = new AbortController()
    await shield(Promise.resolve(), { signal })
    await shield(Promise.resolve(), { signal, timeoutMs: 10 })
    await rejection(shield(Promise.reject(new Error('no')), { signal, timeoutMs: 10 }))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('refuses what may not begin; the work is nobody’s then', async () => {
    const failing = (): Promise<never> => Promise.reject(new Error('unseen'))
    const signal = AbortSignal.abort('before')
    expect(await rejection(shield(failing(), { signal }))).toBe('before')
    expect(await rejection(shield(failing(), { timeoutMs: -1 }))).toBeInstanceOf(RangeError)
    await loopTurns(2)
  })
})
