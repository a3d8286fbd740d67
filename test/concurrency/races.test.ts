/**
 * What ends a wait can come at the same moment as something else that ends it: here every order of them is tried,
 * and every distance from none to several promise jobs. The first one decides; whatever it was, nothing is left.
 */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { asCompleted } from '../../src/concurrency/as-completed.js'
import type { Clock } from '../../src/concurrency/clock.js'
import { deferred } from '../../src/concurrency/deferred.js'
import { retry } from '../../src/concurrency/retry.js'
import { settle } from '../../src/concurrency/settle.js'
import { shield } from '../../src/concurrency/shield.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { taskGroup } from '../../src/concurrency/task-group.js'
import { TaskPool } from '../../src/concurrency/task-pool.js'
import { withTimeout } from '../../src/concurrency/timeout.js'
import { BrokenError } from '../../src/errors.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { watch, type Watched } from '../support/settled.js'

guardAgainstLeaks()

/** Promise jobs between two events: none, and up to more than any chain of the kit is long. */
const GAPS = [0, 1, 2, 3, 4, 5, 10]

/** A clock whose timers are fired by hand, in the middle of a turn. */
class HandClock implements Clock {
  readonly #timers = new Map<number, { callback: () => void; delayMs: number }>()
  #count = 0
  nowMs = 0

  get pendingTimers(): number {
    return this.#timers.size
  }

  now(): number {
    return this.nowMs
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    this.#timers.set(++this.#count, { callback, delayMs })
    return this.#count
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number)
  }

  /** Fires the timer that was set for so long, if it is still set. */
  fire(delayMs: number): void {
    for (const [timer, { callback, delayMs: ms }] of this.#timers) {
      if (ms !== delayMs) continue
      this.#timers.delete(timer)
      callback()
    }
  }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, n) =>
    permutations(items.filter((_, m) => m !== n)).map((rest) => [item, ...rest]),
  )
}

async function promiseJobs(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await Promise.resolve()
}

/** Every order of the events, with every distance: as a table for `it.each`. */
function orders<Event extends string>(...events: Event[]): [string, Event[], number][] {
  return permutations(events).flatMap((order) =>
    GAPS.map((gap): [string, Event[], number] => [
      `${order.join(', ')} (${gap} apart)`,
      order,
      gap,
    ]),
  )
}

/** What a test sets in motion, and how each event of its order is brought about. */
interface Race<Event extends string> {
  readonly result: Promise<unknown>
  readonly events: Readonly<Record<Event, () => void>>
}

async function run<Event extends string>(
  { result, events }: Race<Event>,
  order: readonly Event[],
  gap: number,
): Promise<string> {
  const watched: Watched<unknown> = watch(result)
  await promiseJobs(10)
  for (const event of order) {
    events[event]()
    if (gap > 0) await promiseJobs(gap)
  }
  await watched.promise.catch(() => {})
  const { state, value, error } = watched
  if (state === 'resolved') return String(value)
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** Beyond this distance the first event has been seen through when the second one comes. */
const SEEN_THROUGH = 5

/** The outcomes that are allowed: that of the first event, or of any while nobody can have seen the first one. */
function allowed<Event extends string>(
  outcomes: Readonly<Record<Event, string>>,
  order: readonly Event[],
  gap: number,
): string[] {
  const sure = gap >= SEEN_THROUGH ? order.slice(0, 1) : order
  return sure.map((event) => outcomes[event])
}

/** A controller whose signal must have no listener left when the test ends, and a clock that must have no timer. */
function setUp() {
  const controller = new AbortController()
  const clock = new HandClock()
  const expectNothingLeft = (): void => {
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  }
  const abort = (): void => {
    controller.abort('aborted')
  }
  return { signal: controller.signal, clock, abort, expectNothingLeft }
}

describe('sleep()', () => {
  it.each(orders('wake', 'abort'))('%s', async (_name, order, gap) => {
    const { signal, clock, abort, expectNothingLeft } = setUp()
    const result = sleep(50, { signal, clock }).then(() => 'awake')
    const outcome = await run({ result, events: { wake: () => clock.fire(50), abort } }, order, gap)
    expect(outcome).toBe(order[0] === 'wake' ? 'awake' : 'aborted')
    expectNothingLeft()
  })
})

describe('withTimeout()', () => {
  const TIMED_OUT = 'TimeoutError: work: not done within 100 ms'

  it.each(orders('finish', 'time', 'abort'))('that heeds: %s', async (_name, order, gap) => {
    const { signal, clock, abort, expectNothingLeft } = setUp()
    const work = deferred<string>()
    const result = withTimeout((inner) => shield(work.promise, { signal: inner }), 100, {
      signal,
      clock,
      what: 'work',
    })
    const events = { finish: () => work.resolve('done'), time: () => clock.fire(100), abort }
    const outcome = await run({ result, events }, order, gap)
    const outcomes = { finish: 'done', time: TIMED_OUT, abort: 'aborted' }
    expect(allowed(outcomes, order, gap)).toContain(outcome)
    expectNothingLeft()
  })

  it.each(orders('finish', 'time', 'abort'))('that is deaf: %s', async (_name, order, gap) => {
    const { signal, clock, abort, expectNothingLeft } = setUp()
    const work = deferred<string>()
    const result = withTimeout(() => work.promise, 100, { signal, clock })
    const events = { finish: () => work.resolve('done'), time: () => clock.fire(100), abort }
    expect(await run({ result, events }, order, gap)).toBe('done')
    expectNothingLeft()
  })

  it.each(orders('inner', 'outer'))('nested: %s', async (_name, order, gap) => {
    const { signal, clock, expectNothingLeft } = setUp()
    const result = withTimeout(
      (outer) =>
        withTimeout((inner) => sleep(Infinity, { signal: inner }), 10, {
          signal: outer,
          clock,
          what: 'inner',
        }),
      20,
      { signal, clock, what: 'outer' },
    )
    const events = { inner: () => clock.fire(10), outer: () => clock.fire(20) }
    const outcome = await run({ result, events }, order, gap)
    // When both are over in one turn, before anyone could look, it is the outer one that counts.
    const isOuter = order[0] === 'outer' || gap === 0
    const outcomes = {
      inner: 'TimeoutError: inner: not done within 10 ms',
      outer: 'TimeoutError: outer: not done within 20 ms',
    }
    expect(isOuter ? [outcomes.outer] : allowed(outcomes, order, gap)).toContain(outcome)
    expectNothingLeft()
  })
})

describe('shield()', () => {
  it.each(orders('finish', 'time', 'abort'))('%s', async (_name, order, gap) => {
    const { signal, clock, abort, expectNothingLeft } = setUp()
    const work = deferred<string>()
    const result = shield(work.promise, { signal, timeoutMs: 100, clock })
    const events = { finish: () => work.resolve('done'), time: () => clock.fire(100), abort }
    const outcome = await run({ result, events }, order, gap)
    const timedOut = 'TimeoutError: shield(): not done within 100 ms'
    const outcomes = { finish: 'done', time: timedOut, abort: 'aborted' }
    expect(allowed(outcomes, order, gap)).toContain(outcome)
    expectNothingLeft()
  })
})

describe('taskGroup()', () => {
  it.each(orders('finish', 'fail', 'abort'))('%s', async (_name, order, gap) => {
    const { signal, abort, expectNothingLeft } = setUp()
    const [good, bad] = [deferred<string>(), deferred<string>()]
    let spawned: Watched<string> | undefined
    const result = taskGroup(
      (group) => {
        spawned = watch(group.spawn((inner) => shield(good.promise, { signal: inner })))
        void group.spawn((inner) => shield(bad.promise, { signal: inner }))
        return 'body'
      },
      { signal },
    )
    const events = {
      finish: () => good.resolve('good'),
      fail: () => bad.reject(new Error('bad')),
      abort,
    }
    const outcome = await run({ result, events }, order, gap)
    const failsFirst = order.indexOf('fail') < order.indexOf('abort')
    const error = 'AggregateError: task group: 1 error: bad'
    // In one turn the abort is there before the failing task is seen to have failed.
    const isSure = gap >= 5 || !failsFirst
    expect(isSure ? [failsFirst ? error : 'aborted'] : [error, 'aborted']).toContain(outcome)
    // The sibling has settled, one way or the other.
    expect(spawned?.state).not.toBe('pending')
    expectNothingLeft()
  })

  it.each(orders('last', 'spawn'))(
    'a task that comes as the last one ends: %s',
    async (_n, order, gap) => {
      const last = deferred()
      const added = deferred<string>()
      let spawn: (() => Promise<string>) | undefined
      let wasRefused = false
      const result = watch(
        taskGroup((group) => {
          void group.spawn(() => last.promise)
          spawn = () => group.spawn(() => added.promise)
        }),
      )
      await promiseJobs(10)
      for (const event of order) {
        if (event === 'last') last.resolve()
        else {
          try {
            void spawn?.()
          } catch {
            wasRefused = true
          }
        }
        await promiseJobs(gap)
      }
      await promiseJobs(20)
      // Either it is refused, or the group waits for it.
      expect(result.state).toBe(wasRefused ? 'resolved' : 'pending')
      added.resolve('added')
      await result.promise
    },
  )
})

describe('settle()', () => {
  it.each(orders('settle', 'time', 'abort'))('%s', async (_name, order, gap) => {
    const { signal, clock, abort, expectNothingLeft } = setUp()
    const part = deferred()
    const result = settle([part.promise], { signal, timeoutMs: 100, clock }).then(
      ({ done }) => `${done.size} done`,
    )
    const events = { settle: () => part.resolve(), time: () => clock.fire(100), abort }
    const outcome = await run({ result, events }, order, gap)
    const outcomes = { settle: '1 done', time: '0 done', abort: 'aborted' }
    expect(allowed(outcomes, order, gap)).toContain(outcome)
    expectNothingLeft()
  })
})

describe('asCompleted()', () => {
  it.each(orders('settle', 'time', 'abort'))('%s', async (_name, order, gap) => {
    const { signal, clock, abort, expectNothingLeft } = setUp()
    const part = deferred<string>()
    const iteration = asCompleted([part.promise], { signal, timeoutMs: 100, clock })
    const result = iteration.next().then(({ value }) => value)
    const events = { settle: () => part.resolve('part'), time: () => clock.fire(100), abort }
    const outcome = await run({ result, events }, order, gap)
    const timedOut =
      'TimeoutError: asCompleted() of 1 promises, 1 of them pending: not done within 100 ms'
    const outcomes = { settle: 'part', time: timedOut, abort: 'aborted' }
    expect(allowed(outcomes, order, gap)).toContain(outcome)
    expectNothingLeft()
  })

  it.each(orders('abort', 'settle'))(
    'loses no result to an abort: %s',
    async (_name, order, gap) => {
      const { signal, abort } = setUp()
      const part = deferred<string>()
      const iteration = asCompleted([part.promise])
      // A step of its own that is given up, by who waits for it.
      const step = watch(shield(iteration.next(), { signal }))
      await promiseJobs(10)
      for (const event of order) {
        if (event === 'abort') abort()
        else part.resolve('part')
        await promiseJobs(gap)
      }
      await promiseJobs(20)
      expect(step.state).not.toBe('pending')
      expect(await part.promise).toBe('part')
    },
  )
})

describe('retry()', () => {
  it.each(orders('wake', 'abort'))('in the pause: %s', async (_name, order, gap) => {
    const { signal, clock, abort, expectNothingLeft } = setUp()
    let attempts = 0
    const result = retry(
      () => {
        attempts++
        return attempts === 1 ? Promise.reject(new BrokenError('first')) : 'second'
      },
      { signal, clock, random: () => 1 },
    )
    const events = { wake: () => clock.fire(100), abort }
    const outcome = await run({ result, events }, order, gap)
    expect(outcome).toBe(order[0] === 'wake' ? 'second' : 'aborted')
    expect(attempts).toBe(order[0] === 'wake' ? 2 : 1)
    expectNothingLeft()
  })

  it.each(orders('fail', 'time', 'abort'))('in an attempt: %s', async (_name, order, gap) => {
    const { signal, clock, abort, expectNothingLeft } = setUp()
    const work = deferred<string>()
    const result = retry(({ signal: inner }) => shield(work.promise, { signal: inner }), {
      signal,
      clock,
      timeoutMs: 1000,
      maxAttempts: 1,
    })
    const events = {
      fail: () => work.reject(new BrokenError('failed')),
      time: () => clock.fire(1000),
      abort,
    }
    const outcome = await run({ result, events }, order, gap)
    const outcomes = {
      fail: 'BrokenError: failed',
      time: 'TimeoutError: retry(): not done within 1000 ms',
      abort: 'aborted',
    }
    expect(allowed(outcomes, order, gap)).toContain(outcome)
    expectNothingLeft()
  })
})

describe('TaskPool.submit()', () => {
  it.each(orders('turn', 'abort', 'shutdown'))('in the queue: %s', async (_name, order, gap) => {
    const { signal, abort, expectNothingLeft } = setUp()
    const pool = new TaskPool({ limit: 1 })
    const first = deferred()
    let secondRan = false
    void pool.submit(() => first.promise)
    const second = pool.submit(
      (inner) => {
        secondRan = true
        return shield(Promise.resolve('second'), { signal: inner })
      },
      { signal },
    )
    const third = watch(pool.submit(() => 'third'))
    let down: Promise<void> | undefined
    const events = {
      turn: () => first.resolve(),
      abort,
      shutdown: () => {
        down = pool.shutdown({ drain: false })
      },
    }
    const outcome = await run({ result: second, events }, order, gap)
    await down
    const dropped = 'ClosedError: task pool: it was shut down before the task had its turn'
    const outcomes = { turn: 'second', abort: 'aborted', shutdown: dropped }
    expect(allowed(outcomes, order, gap)).toContain(outcome)
    expect(secondRan && outcome === dropped).toBe(false)
    // No turn is lost: the third one ran, or was dropped.
    expect(third.state).not.toBe('pending')
    expect(pool.size).toBe(0)
    expectNothingLeft()
  })
})

describe('TaskPool.map()', () => {
  it.each(orders('result', 'abort'))('waiting for a result: %s', async (_name, order, gap) => {
    const { signal, abort, expectNothingLeft } = setUp()
    const pool = new TaskPool({ limit: 1 })
    const work = deferred<string>()
    const mapped = pool.map(['x'], (_item, inner) => shield(work.promise, { signal: inner }), {
      signal,
    })
    const result = mapped.next().then(({ value }) => value)
    const events = { result: () => work.resolve('result'), abort }
    const outcome = await run({ result, events }, order, gap)
    expect(allowed({ result: 'result', abort: 'aborted' }, order, gap)).toContain(outcome)
    await mapped.return()
    expect(pool.size).toBe(0)
    expectNothingLeft()
  })
})
