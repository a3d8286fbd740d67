/** Time limits. The second and third part go through what CPython promises of `timeout()` and `wait_for()`. */
import { getEventListeners } from 'node:events'
import { setTimeout as nodeTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { shield } from '../../src/concurrency/shield.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { withTimeout } from '../../src/concurrency/timeout.js'
import { TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

/** Work that takes a time, and heeds its signal. */
function work(clock: FakeClock, ms: number) {
  return async (signal: AbortSignal): Promise<string> => {
    await sleep(ms, { signal, clock })
    return 'done'
  }
}

describe('withTimeout()', () => {
  it('names what took too long, and how long it was given', async () => {
    const clock = new FakeClock()
    const slow = work(clock, 1000)
    const errors = [
      withTimeout(
        async function fetchPage(signal) {
          await sleep(1000, { signal, clock })
        },
        100,
        { clock },
      ),
      withTimeout(slow, 100, { clock, what: 'GET /' }),
      withTimeout((signal) => sleep(1000, { signal, clock }), 100, { clock }),
    ].map(rejection)
    await clock.advance(100)
    expect(await Promise.all(errors)).toEqual(
      ['fetchPage', 'GET /', 'withTimeout()'].map((what) =>
        expect.objectContaining({
          message: `${what}: not done within 100 ms`,
          code: 'ERR_STANDPIPE_TIMED_OUT',
          phase: 'call',
          timeoutMs: 100,
        }),
      ),
    )
  })

  it('leaves no timer and no listener, however it ends', async () => {
    const clock = new FakeClock()
    const { signal } = new AbortController()
    const options = { clock, signal }
    await withTimeout(() => 'at once', 100, options)
    await withTimeout(work(clock, 0), 100, options)
    await rejection(withTimeout(() => Promise.reject(new Error('no')), 100, options))
    const late = rejection(withTimeout(work(clock, 500), 100, options))
    await clock.advance(100)
    await late
    expect(clock.pendingTimers).toBe(0)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('gives an outer abort to the function, and rejects with its reason', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    let inner: AbortSignal | undefined
    const result = withTimeout(
      (signal) => {
        inner = signal
        return sleep(1000, { signal, clock })
      },
      100,
      { clock, signal: outer.signal },
    )
    outer.abort('stop')
    expect(await rejection(result)).toBe('stop')
    expect(inner?.reason).toBe('stop')
  })

  it('understands the AbortErrors of Node, which are not the reason itself', async () => {
    const clock = new FakeClock()
    const timedOut = rejection(
      withTimeout((signal) => nodeTimeout(60_000, undefined, { signal }), 100, { clock }),
    )
    await clock.advance(100)
    expect(await timedOut).toBeInstanceOf(TimeoutError)
    const outer = new AbortController()
    const aborted = rejection(
      withTimeout((signal) => nodeTimeout(60_000, undefined, { signal }), 100, {
        clock,
        signal: outer.signal,
      }),
    )
    outer.abort('stop')
    expect(await aborted).toBe('stop')
  })

  it('does not run the function when the signal has aborted', async () => {
    let runs = 0
    const error = await rejection(
      withTimeout(() => runs++, 100, { signal: AbortSignal.abort('before') }),
    )
    expect({ error, runs }).toEqual({ error: 'before', runs: 0 })
  })

  it('turns what the function throws at once into a rejection', async () => {
    const error = new Error('thrown')
    expect(
      await rejection(
        withTimeout(() => {
          throw error
        }, 100),
      ),
    ).toBe(error)
  })

  it('takes limits longer than a timer', async () => {
    const clock = new FakeClock()
    const monthMs = 31 * 24 * 3600 * 1000
    const result = watch(
      withTimeout((signal) => sleep(2 * monthMs, { signal, clock }), monthMs, { clock }),
    )
    await clock.advance(monthMs - 1)
    expect(result.state).toBe('pending')
    await clock.advance(1)
    expect(result.error).toBeInstanceOf(TimeoutError)
    expect(clock.pendingTimers).toBe(0)
  })

  it('refuses arguments of no meaning', async () => {
    expect(await rejection(withTimeout(() => 1, NaN))).toEqual(
      new RangeError('ms must be a number of milliseconds, not NaN'),
    )
    expect(await rejection(withTimeout(undefined as never, 5))).toEqual(
      new TypeError('fn must be a function, not undefined'),
    )
  })
})

describe('asyncio.timeout(), as withTimeout()', () => {
  it('basic: rejects with a TimeoutError when time is over', async () => {
    const clock = new FakeClock()
    const result = watch(withTimeout(work(clock, 10_000), 10, { clock }))
    await clock.advance(9)
    expect(result.state).toBe('pending')
    await clock.advance(1)
    expect(result.error).toBeInstanceOf(TimeoutError)
  })

  it('nested, same deadline: the outer one is over, and the inner work is aborted by it', async () => {
    const clock = new FakeClock()
    const seen: unknown[] = []
    const result = rejection(
      withTimeout(
        async (outer) => {
          try {
            await withTimeout(work(clock, 10_000), 10, { clock, signal: outer, what: 'inner' })
          } catch (error) {
            seen.push(error)
            throw error
          }
        },
        10,
        { clock, what: 'outer' },
      ),
    )
    await clock.advance(10)
    const error = await result
    expect(error).toMatchObject({ message: 'outer: not done within 10 ms' })
    expect(seen).toEqual([error])
  })

  it('nested: the outer one is not swallowed by the inner one', async () => {
    const clock = new FakeClock()
    const result = rejection(
      withTimeout(
        async (outer) => {
          const inner = await rejection(
            withTimeout(work(clock, 10_000), 100, { clock, signal: outer, what: 'inner' }),
          )
          expect(inner).toBe(outer.reason)
          throw inner
        },
        2,
        { clock, what: 'outer' },
      ),
    )
    await clock.advance(100)
    expect(await result).toMatchObject({ message: 'outer: not done within 2 ms' })
  })

  it('nested: after the inner one is over the outer one still counts', async () => {
    const clock = new FakeClock()
    let afterInner = false
    const result = watch(
      withTimeout(
        async (signal) => {
          const inner = withTimeout(work(clock, 1000), 10, { clock, signal, what: 'inner' })
          expect(await rejection(inner)).toMatchObject({ message: 'inner: not done within 10 ms' })
          afterInner = true
          await sleep(10_000, { signal, clock })
        },
        100,
        { clock, what: 'outer' },
      ),
    )
    await clock.advance(99)
    expect({ afterInner, state: result.state }).toEqual({ afterInner: true, state: 'pending' })
    await clock.advance(1)
    expect(result.error).toMatchObject({ message: 'outer: not done within 100 ms' })
  })

  it('in the clean-up of another one: has its own time', async () => {
    const clock = new FakeClock()
    const result = watch(
      withTimeout(
        async (signal) => {
          try {
            await sleep(1000, { signal, clock })
          } finally {
            await rejection(withTimeout(work(clock, 10_000), 10, { clock }))
          }
        },
        10,
        { clock, what: 'outer' },
      ),
    )
    await clock.advance(19)
    expect(result.state).toBe('pending')
    await clock.advance(1)
    expect(result.error).toMatchObject({ message: 'outer: not done within 10 ms' })
  })

  it('waiter cancelled: the work sees the abort as an error, and can clean up', async () => {
    const clock = new FakeClock()
    let seen: unknown
    const result = rejection(
      withTimeout(
        async (signal) => {
          try {
            await sleep(1000, { signal, clock })
          } catch (error) {
            seen = error
            throw error
          }
        },
        10,
        { clock },
      ),
    )
    await clock.advance(10)
    expect(await result).toBe(seen)
    expect(seen).toBeInstanceOf(TimeoutError)
  })

  it('not called: gives the result when it is in time', async () => {
    const clock = new FakeClock()
    const result = withTimeout(work(clock, 5), 10, { clock })
    await clock.advance(5)
    expect(await result).toBe('done')
    expect(clock.pendingTimers).toBe(0)
  })

  it('disabled (None): Infinity is no limit, and sets no timer', async () => {
    const clock = new FakeClock()
    const { promise, resolve } = deferred<string>()
    const result = withTimeout(() => promise, Infinity, { clock })
    expect(clock.pendingTimers).toBe(0)
    resolve('done')
    expect(await result).toBe('done')
  })

  it.each([0, -11])('%d: is over at once', async (ms) => {
    expect(await rejection(withTimeout(() => 1, ms, { what: 'ask' }))).toMatchObject({
      name: 'TimeoutError',
      message: `ask: not begun, with ${ms} ms left`,
      timeoutMs: ms,
    })
  })

  it('foreign exception: passes as it is', async () => {
    const error = new Error('KeyError')
    expect(await rejection(withTimeout(() => Promise.reject(error), 10))).toBe(error)
  })

  it('foreign exception on timeout: an error of the clean-up passes as it is', async () => {
    const clock = new FakeClock()
    const error = new Error('ZeroDivisionError')
    const result = rejection(
      withTimeout(
        async (signal) => {
          await sleep(1000, { signal, clock }).catch(() => {})
          throw error
        },
        10,
        { clock },
      ),
    )
    await clock.advance(10)
    expect(await result).toBe(error)
  })

  it('foreign cancel: an abort before time is over is not a timeout', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    const result = withTimeout(
      (signal) => {
        outer.abort('cancelled')
        return sleep(10_000, { signal, clock })
      },
      10_000,
      { clock, signal: outer.signal },
    )
    expect(await rejection(result)).toBe('cancelled')
  })

  it('an AbortError of its own, while nothing has aborted, passes as it is', async () => {
    const error = new DOMException('theirs', 'AbortError')
    expect(await rejection(withTimeout(() => Promise.reject(error), 10))).toBe(error)
  })

  it('outer task: is not aborted itself', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    const result = rejection(withTimeout(work(clock, 99), 1, { clock, signal: outer.signal }))
    await clock.advance(1)
    await result
    expect(outer.signal.aborted).toBe(false)
  })

  it('after cancellation: time limits work in the clean-up of what was aborted', async () => {
    const clock = new FakeClock()
    const signal = AbortSignal.abort('cancelled')
    expect(await rejection(sleep(1, { signal }))).toBe('cancelled')
    const cleanUp = rejection(withTimeout(work(clock, 1000), 1, { clock }))
    await clock.advance(1)
    expect(await cleanUp).toBeInstanceOf(TimeoutError)
  })

  it('cancel while expiring: the outer abort wins, although it came second', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    const cleanUp = deferred()
    const result = watch(
      withTimeout(
        async (signal) => {
          try {
            await sleep(1000, { signal, clock })
          } finally {
            await cleanUp.promise
          }
        },
        10,
        { clock, signal: outer.signal },
      ),
    )
    await clock.advance(10)
    outer.abort('cancelled')
    cleanUp.resolve()
    await loopTurns(1)
    expect(result).toMatchObject({ state: 'rejected', error: 'cancelled' })
  })
})

describe('asyncio.wait_for(), as withTimeout()', () => {
  /** Ends after so long, whatever its signal says. */
  const deaf = (clock: FakeClock, ms: number) => async (): Promise<string> => {
    await sleep(ms, { clock })
    return 'exited'
  }

  it('cancelled: waits for work that does not heed the abort', async () => {
    const clock = new FakeClock()
    const outer = new AbortController()
    const result = watch(withTimeout(deaf(clock, 200), 400, { clock, signal: outer.signal }))
    outer.abort('cancelled')
    await clock.advance(199)
    expect(result.state).toBe('pending')
    await clock.advance(1)
    expect(result).toMatchObject({ state: 'resolved', value: 'exited' })
  })

  it('timeout: waits for work that does not heed it, and a late value is the result', async () => {
    const clock = new FakeClock()
    const result = watch(withTimeout(deaf(clock, 200), 100, { clock }))
    await clock.advance(199)
    expect(result.state).toBe('pending')
    await clock.advance(1)
    expect(result).toMatchObject({ state: 'resolved', value: 'exited' })
  })

  it('timeout of 0 or less: the function is not started', async () => {
    let started = false
    const error = await rejection(
      withTimeout(() => {
        started = true
      }, 0),
    )
    expect(error).toBeInstanceOf(TimeoutError)
    expect(started).toBe(false)
  })

  it('blocking: without a limit gives the result', async () => {
    expect(await withTimeout(async () => 'done', Infinity)).toBe('done')
  })

  it('race: a result that comes before the limit is the result', async () => {
    const clock = new FakeClock()
    const { promise, resolve } = deferred<string>()
    const result = withTimeout(() => promise, 200, { clock })
    clock.setTimeout(() => resolve('ok'), 100)
    await clock.advance(300)
    expect(await result).toBe('ok')
  })

  it('cancellation race: work that answers the abort with a value gives it', async () => {
    const clock = new FakeClock()
    const result = withTimeout(
      async (signal) => {
        await rejection(sleep(1000, { signal, clock }))
        return 1
      },
      10,
      { clock },
    )
    await clock.advance(10)
    expect(await result).toBe(1)
  })

  it('waits for the clean-up before it rejects', async () => {
    const clock = new FakeClock()
    let isCleanedUp = false
    const result = watch(
      withTimeout(
        async (signal) => {
          try {
            await sleep(10_000, { signal, clock })
          } finally {
            await sleep(50, { clock })
            isCleanedUp = true
          }
        },
        10,
        { clock },
      ),
    )
    await clock.advance(59)
    expect({ isCleanedUp, state: result.state }).toEqual({ isCleanedUp: false, state: 'pending' })
    await clock.advance(1)
    expect(isCleanedUp).toBe(true)
    expect(result.error).toBeInstanceOf(TimeoutError)
  })

  it('of a shielded task: the wait ends, and the task goes on', async () => {
    const clock = new FakeClock()
    const task = watch(sleep(100, { clock }))
    const result = rejection(
      withTimeout((signal) => shield(task.promise, { signal }), 10, { clock }),
    )
    await clock.advance(10)
    expect(await result).toBeInstanceOf(TimeoutError)
    expect(task.state).toBe('pending')
    await clock.advance(90)
    expect(task.state).toBe('resolved')
  })
})
