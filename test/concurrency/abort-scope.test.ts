import { getEventListeners } from 'node:events'
import { setTimeout as nodeTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { abortError, AbortScope } from '../../src/concurrency/abort-scope.js'
import { TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { rejection } from '../support/settled.js'

describe('AbortScope', () => {
  it.each([0, 1])('aborts with the reason of the signal at %d', (n) => {
    const outer = [new AbortController(), new AbortController()]
    const scope = new AbortScope(outer.map(({ signal }) => signal))
    outer[n]?.abort('gone')
    expect(scope.signal).toMatchObject({ aborted: true, reason: 'gone' })
    scope.close()
    for (const { signal } of outer) expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('is aborted from the start below a signal that is', () => {
    const scope = new AbortScope([undefined, AbortSignal.abort('before'), AbortSignal.abort('too')])
    expect(scope.signal.reason).toBe('before')
    scope.close()
  })

  it('aborts with a TimeoutError when its time is over', async () => {
    const clock = new FakeClock()
    const cause = new Error('the last failure')
    const scope = new AbortScope([], {
      timeoutMs: 100,
      clock,
      what: 'ask',
      causeOfTimeout: () => cause,
    })
    await clock.advance(99)
    expect(scope.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(scope.signal.reason).toBeInstanceOf(TimeoutError)
    expect(scope.signal.reason).toMatchObject({
      message: 'ask: not done within 100 ms',
      phase: 'call',
      timeoutMs: 100,
      cause,
    })
  })

  it('hears of nothing once it is closed', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    const scope = new AbortScope([outer.signal], { timeoutMs: 5, clock })
    scope.close()
    scope.close()
    outer.abort()
    await clock.advance(10)
    expect(scope.signal.aborted).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })

  it('lets any number listen to its signal, without a warning', async () => {
    const scope = new AbortScope([])
    const warnings: Error[] = []
    const note = (warning: Error): void => {
      warnings.push(warning)
    }
    process.on('warning', note)
    for (let n = 0; n < 20; n++) scope.signal.addEventListener('abort', () => {})
    await loopTurns(1)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  it('keeps its first reason', () => {
    const outer = new AbortController()
    const scope = new AbortScope([outer.signal])
    scope.abort('ours')
    outer.abort('theirs')
    expect(scope.signal.reason).toBe('ours')
  })
})

describe('AbortScope.explains()', () => {
  const reason = new Error('why')

  it('takes no error for the abort while there is none', () => {
    const scope = new AbortScope([])
    expect(scope.explains(undefined)).toBe(false)
    expect(scope.explains(abortError('aborted'))).toBe(false)
  })

  it.each([
    ['its reason', reason, true],
    ['an AbortError for its reason', abortError('aborted', reason), true],
    ['an AbortError without a cause', abortError('aborted'), true],
    ['a DOMException without a cause', new DOMException('aborted', 'AbortError'), true],
    ['an AbortError for something else', abortError('aborted', new Error('other')), false],
    ['another error', new Error('other'), false],
    ['another error around its reason', new Error('other', { cause: reason }), false],
    ['nothing', undefined, false],
  ])('of %s', (_what, error, expected) => {
    const scope = new AbortScope([])
    scope.abort(reason)
    expect(scope.explains(error)).toBe(expected)
  })

  it('knows what Node itself throws', async () => {
    const scope = new AbortScope([])
    const waiting = nodeTimeout(10_000, undefined, { signal: scope.signal })
    scope.abort(reason)
    const error = await rejection(waiting)
    expect(error).not.toBe(reason)
    expect(scope.explains(error)).toBe(true)
  })

  it('knows the reason of a signal above that aborted second', () => {
    const outer = new AbortController()
    const scope = new AbortScope([outer.signal])
    scope.abort(reason)
    expect(scope.explains('theirs')).toBe(false)
    outer.abort('theirs')
    expect(scope.explains('theirs')).toBe(true)
  })
})

describe('abortError()', () => {
  it('looks like what Node throws', () => {
    const cause = new Error('why')
    expect(abortError('gone', cause)).toMatchObject({
      name: 'AbortError',
      code: 'ABORT_ERR',
      message: 'gone',
      cause,
    })
    expect(abortError('gone')).not.toHaveProperty('cause')
  })
})
