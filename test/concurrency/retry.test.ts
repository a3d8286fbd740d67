import { getEventListeners } from 'node:events'
import { setTimeout as nodeTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { retry, retrying, type FailedAttempt } from '../../src/concurrency/retry.js'
import { RetryBudget } from '../../src/concurrency/retry-budget.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { BrokenError, ConnectError, ProtocolError, TimeoutError } from '../../src/errors.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

const refused = new ConnectError('refused', [], {})

/** Fails so often, and then gives the number of the attempt. */
function failing(times: number, error: unknown = refused) {
  return ({ attempt }: { attempt: number }): Promise<number> =>
    attempt > times ? Promise.resolve(attempt) : Promise.reject(error)
}

/** Options for a test: a clock that stands still, the longest pauses, and what onAttempt was told. */
function setUp(random: () => number = () => 1) {
  const clock = new FakeClock()
  const failed: FailedAttempt[] = []
  const onAttempt = (one: FailedAttempt): void => {
    failed.push(one)
  }
  return { clock, failed, options: { clock, random, onAttempt } }
}

describe('retry()', () => {
  it('gives the result of the first attempt that succeeds', async () => {
    const { clock, options } = setUp()
    expect(await retry(() => 'at once', options)).toBe('at once')
    const result = retry(failing(2), options)
    await clock.advance(300)
    expect(await result).toBe(3)
    expect(clock.pendingTimers).toBe(0)
  })

  it('doubles the longest pause up to maxDelayMs', async () => {
    const { clock, failed, options } = setUp()
    const result = retry(failing(8), {
      ...options,
      maxAttempts: Infinity,
      baseMs: 250,
      maxDelayMs: 10_000,
    })
    await clock.advance(60_000)
    expect(await result).toBe(9)
    expect(failed.map(({ delayMs }) => delayMs)).toEqual([
      250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000,
    ])
    expect(failed.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('spreads each pause from nothing to all of it', async () => {
    const randoms = [0, 0.5, 0.25]
    const { clock, failed, options } = setUp(() => randoms.shift() ?? 1)
    const result = retry(failing(3), { ...options, baseMs: 250 })
    await clock.advance(1000)
    await result
    expect(failed.map(({ delayMs }) => delayMs)).toEqual([0, 250, 250])
  })

  it('makes the next attempt when the pause is over, and not before', async () => {
    const { clock, options } = setUp()
    const times: number[] = []
    const result = retry(({ attempt }) => {
      times.push(clock.now())
      return failing(2)({ attempt })
    }, options)
    await clock.advance(1000)
    await result
    expect(times).toEqual([0, 100, 300])
  })

  it('makes five attempts unless it is told otherwise, and throws the last error as it is', async () => {
    const { clock, failed, options } = setUp()
    const errors = [1, 2, 3, 4, 5].map((n) => new BrokenError(`attempt ${n}`))
    const result = rejection(retry(({ attempt }) => Promise.reject(errors[attempt - 1]), options))
    await clock.advance(10_000)
    expect(await result).toBe(errors[4])
    expect(Object.keys(errors[4] ?? {})).toEqual(Object.keys(new BrokenError('')))
    expect(failed.at(-1)).toEqual({
      attempt: 5,
      error: errors[4],
      delayMs: undefined,
      gaveUp: 'max-attempts',
    })
  })

  it('does not try again what cannot be mended', async () => {
    for (const error of [
      new ProtocolError('no'),
      new TypeError('a bug'),
      'text',
      undefined,
      null,
    ]) {
      const { failed, options } = setUp()
      expect(await rejection(retry(() => Promise.reject(error), options))).toBe(error)
      expect(failed).toEqual([{ attempt: 1, error, delayMs: undefined, gaveUp: 'not-retryable' }])
    }
  })

  it('asks shouldRetry, with the error and the number of the attempt', async () => {
    const { clock, options } = setUp()
    const asked: unknown[] = []
    const shouldRetry = (error: unknown, attempt: number): boolean => {
      asked.push([error, attempt])
      return attempt < 2
    }
    const result = rejection(retry(failing(9, 'no'), { ...options, shouldRetry }))
    await clock.advance(1000)
    expect(await result).toBe('no')
    expect(asked).toEqual([
      ['no', 1],
      ['no', 2],
    ])
  })

  it('tries again what the function throws at once', async () => {
    const { clock, options } = setUp()
    let calls = 0
    const result = retry(() => {
      calls++
      if (calls === 1) throw refused
      return calls
    }, options)
    await clock.advance(100)
    expect(await result).toBe(2)
  })

  it('rejects with what onAttempt or shouldRetry throws', async () => {
    const bug = new Error('a bug')
    const throwing = (): never => {
      throw bug
    }
    expect(await rejection(retry(failing(1), { onAttempt: throwing }))).toBe(bug)
    expect(await rejection(retry(failing(1), { shouldRetry: throwing }))).toBe(bug)
  })

  it('doubles no further than numbers go', async () => {
    const { clock, failed, options } = setUp()
    const result = retry(failing(2000), {
      ...options,
      maxAttempts: Infinity,
      baseMs: 0,
      maxDelayMs: 1,
    })
    await clock.advance(0)
    while (failed.length < 2000) await clock.advance(0)
    expect(await result).toBe(2001)
    expect(failed.every(({ delayMs }) => delayMs === 0)).toBe(true)
  })

  describe('with timeoutMs', () => {
    it('begins no pause that would reach the deadline', async () => {
      const { clock, failed, options } = setUp()
      const result = rejection(retry(failing(9), { ...options, timeoutMs: 700 }))
      await clock.advance(300)
      expect(await result).toBe(refused)
      expect(failed.map(({ delayMs, gaveUp }) => delayMs ?? gaveUp)).toEqual([100, 200, 'deadline'])
      expect(clock.pendingTimers).toBe(0)
    })

    it('ends an attempt that takes too long, with what failed before as the cause', async () => {
      const { clock, failed, options } = setUp()
      let reason: unknown
      const result = rejection(
        retry(
          async ({ attempt, signal }) => {
            if (attempt === 1) throw refused
            await sleep(10_000, { signal, clock }).finally(() => {
              reason = signal.reason
            })
          },
          { ...options, timeoutMs: 500 },
        ),
      )
      await clock.advance(500)
      const error = await result
      expect(error).toBeInstanceOf(TimeoutError)
      expect(error).toBe(reason)
      expect(error).toMatchObject({
        message: 'retry(): not done within 500 ms',
        phase: 'call',
        cause: refused,
      })
      expect(failed).toHaveLength(1)
    })

    it('takes a value that comes late', async () => {
      const { clock, options } = setUp()
      const result = retry(
        async () => {
          await sleep(300, { clock })
          return 'late'
        },
        { ...options, timeoutMs: 100 },
      )
      await clock.advance(300)
      expect(await result).toBe('late')
    })

    it('throws the error of an attempt that fails late in its own way, and tries no more', async () => {
      const { clock, failed, options } = setUp()
      const result = rejection(
        retry(
          async () => {
            await sleep(300, { clock })
            throw refused
          },
          { ...options, timeoutMs: 100 },
        ),
      )
      await clock.advance(300)
      expect(await result).toBe(refused)
      expect(failed.map(({ gaveUp }) => gaveUp)).toEqual(['deadline'])
    })

    it('makes no attempt when the loop stood still past the deadline', async () => {
      const { clock, options } = setUp()
      let stalledMs = 0
      let calls = 0
      const stalling = {
        now: () => clock.now() + stalledMs,
        setTimeout: clock.setTimeout.bind(clock),
        clearTimeout: clock.clearTimeout.bind(clock),
      }
      const result = rejection(
        retry(
          () => {
            calls++
            return Promise.reject(refused)
          },
          { ...options, clock: stalling, timeoutMs: 1000 },
        ),
      )
      await clock.advance(99)
      stalledMs = 5000
      await clock.advance(1)
      expect(await result).toBe(refused)
      expect(calls).toBe(1)
    })
  })

  describe('with a signal', () => {
    it('ends a pause with the reason, and leaves no timer', async () => {
      const { clock, options } = setUp()
      const controller = new AbortController()
      const result = watch(retry(failing(9), { ...options, signal: controller.signal }))
      await clock.advance(50)
      expect(result.state).toBe('pending')
      controller.abort('enough')
      expect(await rejection(result.promise)).toBe('enough')
      expect(clock.pendingTimers).toBe(0)
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    })

    it('ends a pause that onAttempt aborts as it begins', async () => {
      const { clock, options } = setUp()
      const controller = new AbortController()
      const onAttempt = (): void => {
        controller.abort('enough')
      }
      const result = retry(failing(1), { ...options, onAttempt, signal: controller.signal })
      expect(await rejection(result)).toBe('enough')
      expect(clock.pendingTimers).toBe(0)
    })

    it('reaches the attempt, and comes out as the reason', async () => {
      const { clock, failed, options } = setUp()
      const controller = new AbortController()
      const withOptions = { ...options, signal: controller.signal }
      const kit = rejection(retry(({ signal }) => sleep(100, { signal, clock }), withOptions))
      const node = rejection(
        retry(({ signal }) => nodeTimeout(60_000, undefined, { signal }), withOptions),
      )
      controller.abort('enough')
      expect(await Promise.all([kit, node])).toEqual(['enough', 'enough'])
      expect(failed).toEqual([])
    })

    it('comes before an error that would have been tried again', async () => {
      const { failed, options } = setUp()
      const controller = new AbortController()
      const result = retry(
        () => {
          controller.abort('enough')
          return Promise.reject(refused)
        },
        { ...options, signal: controller.signal },
      )
      expect(await rejection(result)).toBe('enough')
      expect(failed).toEqual([])
    })

    it('does not hide an error that would not', async () => {
      const { options } = setUp()
      const controller = new AbortController()
      const bug = new TypeError('a bug')
      const result = retry(
        () => {
          controller.abort('enough')
          return Promise.reject(bug)
        },
        { ...options, signal: controller.signal },
      )
      expect(await rejection(result)).toBe(bug)
    })

    it('that has aborted makes no attempt', async () => {
      let calls = 0
      const signal = AbortSignal.abort('before')
      expect(await rejection(retry(() => calls++, { signal }))).toBe('before')
      expect(calls).toBe(0)
    })
  })

  describe('with a budget', () => {
    it('gives up when the budget has nothing left', async () => {
      const { clock, failed, options } = setUp()
      const budget = new RetryBudget({ burst: 2, minPerSecond: 0, clock })
      const result = rejection(retry(failing(9), { ...options, budget }))
      await clock.advance(10_000)
      expect(await result).toBe(refused)
      expect(failed.map(({ delayMs, gaveUp }) => delayMs ?? gaveUp)).toEqual([100, 200, 'budget'])
    })

    it('takes nothing for what is not tried again for other reasons', async () => {
      const { clock, options } = setUp()
      const budget = new RetryBudget({ burst: 2, minPerSecond: 0, ratio: 0, clock })
      await rejection(retry(failing(9), { ...options, budget, maxAttempts: 1 }))
      await rejection(retry(failing(9, 'no'), { ...options, budget }))
      await rejection(retry(failing(9), { ...options, budget, timeoutMs: 100 }))
      await retry(() => 1, { ...options, budget })
      expect(budget.available).toBe(2)
    })
  })

  it.each([
    [{ maxAttempts: 0 }, 'maxAttempts must be a whole number above 0, not 0'],
    [{ maxAttempts: 1.5 }, 'maxAttempts must be a whole number above 0, not 1.5'],
    [{ maxAttempts: NaN }, 'maxAttempts must be a whole number above 0, not NaN'],
    [{ baseMs: -1 }, 'baseMs must be a number of milliseconds, 0 or more, not -1'],
    [
      { maxDelayMs: Infinity },
      'maxDelayMs must be a number of milliseconds, 0 or more, not Infinity',
    ],
    [{ timeoutMs: 0 }, 'timeoutMs must be a number of milliseconds above 0, not 0'],
  ])('refuses %o', async (options, message) => {
    expect(await rejection(retry(() => 1, options))).toEqual(new RangeError(message))
    expect(thrownBy(() => retrying(() => 1, options))).toEqual(new RangeError(message))
  })

  it('refuses what is no function', async () => {
    const error = new TypeError('fn must be a function, not string')
    expect(await rejection(retry('fn' as never))).toEqual(error)
    expect(thrownBy(() => retrying('fn' as never))).toEqual(error)
  })
})

describe('retrying()', () => {
  it('passes the arguments on, and tries each call anew', async () => {
    const { clock, options } = setUp()
    let calls = 0
    const add = retrying(
      async (a: number, b: number) => {
        if (++calls % 2 === 1) throw refused
        return a + b
      },
      { ...options, maxAttempts: 2 },
    )
    const sums = [add(1, 2)]
    await clock.advance(100)
    sums.push(add(3, 4))
    await clock.advance(100)
    expect(await Promise.all(sums)).toEqual([3, 7])
    expect(calls).toBe(4)
  })
})

describe('RetryBudget', () => {
  it('has ten retries at first, and then one for ten calls', () => {
    const budget = new RetryBudget({ clock: new FakeClock(), minPerSecond: 0 })
    for (let n = 0; n < 10; n++) expect(budget.tryWithdraw()).toBe(true)
    expect(budget.tryWithdraw()).toBe(false)
    for (let n = 0; n < 9; n++) budget.deposit()
    expect(budget.tryWithdraw()).toBe(false)
    budget.deposit()
    expect(budget.available).toBe(1)
    expect(budget.tryWithdraw()).toBe(true)
    expect(budget.tryWithdraw()).toBe(false)
  })

  it('gets so many a second on top', async () => {
    const clock = new FakeClock()
    const budget = new RetryBudget({ clock, minPerSecond: 2, burst: 1 })
    expect(budget.tryWithdraw()).toBe(true)
    await clock.advance(499)
    expect(budget.tryWithdraw()).toBe(false)
    await clock.advance(1)
    expect(budget.tryWithdraw()).toBe(true)
  })

  it('saves up no more than burst', async () => {
    const clock = new FakeClock()
    const budget = new RetryBudget({ clock, burst: 3 })
    await clock.advance(60_000)
    for (let n = 0; n < 100; n++) budget.deposit()
    expect(budget.available).toBe(3)
  })

  it('works by the clock of the process', () => {
    expect(new RetryBudget().available).toBe(10)
  })

  it.each([
    [{ ratio: -0.1 }, 'ratio must be a number, 0 or more, not -0.1'],
    [{ minPerSecond: Infinity }, 'minPerSecond must be a number, 0 or more, not Infinity'],
    [{ burst: 0.5 }, 'burst must be a number, 1 or more, not 0.5'],
  ])('refuses %o', (options, message) => {
    expect(thrownBy(() => new RetryBudget(options))).toEqual(new RangeError(message))
  })
})
