import { getEventListeners } from 'node:events'
import { setTimeout as nodeTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { deferred, type Deferred } from '../../src/concurrency/deferred.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { TaskPool } from '../../src/concurrency/task-pool.js'
import { ClosedError, TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

guardAgainstLeaks()

/** Tasks that a test ends, with the order in which they were begun. */
class Gates {
  readonly begun: number[] = []
  readonly #gates = new Map<number, Deferred<number>>()

  task(n: number): () => Promise<number> {
    return () => {
      this.begun.push(n)
      const gate = deferred<number>()
      this.#gates.set(n, gate)
      return gate.promise
    }
  }

  open(...numbers: number[]): Promise<void> {
    for (const n of numbers) this.#gates.get(n)?.resolve(n)
    return loopTurns(1)
  }

  async fail(n: number, error: unknown): Promise<void> {
    this.#gates.get(n)?.reject(error)
    await loopTurns(1)
  }
}

/** A source that tells how far it was taken, and whether it was ended. */
function countingSource(end = Infinity) {
  const state = { taken: 0, returned: 0 }
  async function* items(): AsyncGenerator<number> {
    try {
      for (let n = 1; n <= end; n++) {
        state.taken = n
        yield n
      }
    } finally {
      state.returned++
    }
  }
  return { items, state }
}

describe('TaskPool.submit()', () => {
  it('runs at most limit at a time, in the order of the calls', async () => {
    const gates = new Gates()
    const pool = new TaskPool({ limit: 2 })
    const results = [1, 2, 3, 4].map((n) => pool.submit(gates.task(n)))
    expect(gates.begun).toEqual([1, 2])
    expect({ size: pool.size, pending: pool.pending }).toEqual({ size: 4, pending: 2 })
    await gates.open(2)
    expect(gates.begun).toEqual([1, 2, 3])
    await gates.open(1, 3)
    await gates.open(4)
    expect(await Promise.all(results)).toEqual([1, 2, 3, 4])
    expect({ size: pool.size, pending: pool.pending }).toEqual({ size: 0, pending: 0 })
  })

  it('settles as the function does, and a failure stops nobody', async () => {
    const pool = new TaskPool({ limit: 1 })
    const error = new Error('no')
    const results = await Promise.allSettled([
      pool.submit(() => 'value'),
      pool.submit(() => Promise.reject(error)),
      pool.submit(() => {
        throw error
      }),
      pool.submit(async () => 'after'),
    ])
    expect(results).toEqual([
      { status: 'fulfilled', value: 'value' },
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
      { status: 'fulfilled', value: 'after' },
    ])
  })

  it('goes through any number of functions that throw at once', async () => {
    const pool = new TaskPool({ limit: 1 })
    const results = await Promise.allSettled(
      Array.from({ length: 50_000 }, (_, n) =>
        pool.submit(() => {
          throw n
        }),
      ),
    )
    expect(results.every(({ status }) => status === 'rejected')).toBe(true)
    expect(pool.size).toBe(0)
  })

  it('gives every task a signal', async () => {
    const pool = new TaskPool({ limit: 1 })
    expect(await pool.submit((signal) => signal.aborted)).toBe(false)
    expect(await pool.submit((signal) => signal.aborted, { timeoutMs: 1000 })).toBe(false)
  })

  it('lets any number of tasks listen to the signal of the pool, without a warning', async () => {
    const pool = new TaskPool({ limit: 20 })
    const warnings: Error[] = []
    const note = (warning: Error): void => {
      warnings.push(warning)
    }
    process.on('warning', note)
    const running = Array.from({ length: 20 }, () =>
      rejection(pool.submit((signal) => nodeTimeout(60_000, undefined, { signal }))),
    )
    await pool.shutdown({ abortRunning: true })
    await Promise.all(running)
    await loopTurns(1)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  it('takes out of the queue what is aborted there, and never runs it', async () => {
    const gates = new Gates()
    const pool = new TaskPool({ limit: 1 })
    const controllers = [1, 2, 3].map(() => new AbortController())
    void pool.submit(gates.task(0))
    const results = [1, 2, 3].map((n) =>
      watch(pool.submit(gates.task(n), { signal: controllers[n - 1]?.signal })),
    )
    controllers[1]?.abort('gone')
    await loopTurns(1)
    expect(results.map(({ state }) => state)).toEqual(['pending', 'rejected', 'pending'])
    expect(results[1]?.error).toBe('gone')
    expect(pool.pending).toBe(2)
    for (const n of [0, 1, 3]) await gates.open(n)
    expect(gates.begun).toEqual([0, 1, 3])
    for (const { signal } of controllers) expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('aborts the signal of a task that runs, and keeps its place until it has settled', async () => {
    const pool = new TaskPool({ limit: 1 })
    const controller = new AbortController()
    const cleanUp = deferred()
    const first = watch(
      pool.submit(
        async (signal) => {
          try {
            await sleep(10_000, { signal })
          } finally {
            await cleanUp.promise
          }
        },
        { signal: controller.signal },
      ),
    )
    const second = watch(pool.submit(() => 'second'))
    controller.abort('enough')
    await loopTurns(1)
    expect([first.state, second.state]).toEqual(['pending', 'pending'])
    cleanUp.resolve()
    await loopTurns(1)
    expect(first.error).toBe('enough')
    expect(second.value).toBe('second')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('bounds waiting and running together with timeoutMs', async () => {
    const clock = new FakeClock()
    const pool = new TaskPool({ limit: 1, clock })
    let secondRan = false
    const first = rejection(
      pool.submit((signal) => sleep(1000, { signal, clock }), { timeoutMs: 100 }),
    )
    const second = rejection(
      pool.submit(
        () => {
          secondRan = true
        },
        { timeoutMs: 50 },
      ),
    )
    await clock.advance(100)
    for (const error of await Promise.all([first, second])) {
      expect(error).toBeInstanceOf(TimeoutError)
    }
    expect(await second).toMatchObject({ message: 'TaskPool.submit(): not done within 50 ms' })
    expect(secondRan).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })

  it('refuses what may not begin', async () => {
    const pool = new TaskPool({ limit: 1 })
    let calls = 0
    const fn = (): number => calls++
    expect(await rejection(pool.submit(fn, { signal: AbortSignal.abort('before') }))).toBe('before')
    expect(await rejection(pool.submit(fn, { timeoutMs: 0 }))).toBeInstanceOf(RangeError)
    expect(await rejection(pool.submit(null as never))).toEqual(
      new TypeError('fn must be a function, not null'),
    )
    expect(calls).toBe(0)
  })

  it.each([0, -1, 1.5, NaN, Infinity])('refuses a limit of %d', (limit) => {
    expect(thrownBy(() => new TaskPool({ limit }))).toEqual(
      new RangeError(`limit must be a whole number above 0, not ${limit}`),
    )
  })
})

describe('TaskPool.shutdown()', () => {
  it('waits for what waits and what runs, and takes no more', async () => {
    const gates = new Gates()
    const pool = new TaskPool({ limit: 1 })
    const results = [1, 2].map((n) => pool.submit(gates.task(n)))
    const down = watch(pool.shutdown())
    const refused = await rejection(pool.submit(gates.task(3)))
    expect(refused).toEqual(new ClosedError('task pool: it was shut down and takes no more tasks'))
    expect(
      await rejection(pool.submit(gates.task(4), { signal: new AbortController().signal })),
    ).toBeInstanceOf(ClosedError)
    await gates.open(1)
    expect(down.state).toBe('pending')
    await gates.open(2)
    expect(down.state).toBe('resolved')
    expect(await Promise.all(results)).toEqual([1, 2])
    expect(gates.begun).toEqual([1, 2])
  })

  it('with drain: false drops what waits, and waits for what runs', async () => {
    const gates = new Gates()
    const pool = new TaskPool({ limit: 1 })
    const { signal } = new AbortController()
    const first = pool.submit(gates.task(1))
    const dropped = [pool.submit(gates.task(2)), pool.submit(gates.task(3), { signal })]
    const down = watch(pool.shutdown({ drain: false }))
    for (const promise of dropped) {
      expect(await rejection(promise)).toEqual(
        new ClosedError('task pool: it was shut down before the task had its turn'),
      )
    }
    expect(pool.pending).toBe(0)
    expect(down.state).toBe('pending')
    await gates.open(1)
    expect(down.state).toBe('resolved')
    expect(await first).toBe(1)
    expect(gates.begun).toEqual([1])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('that drops what nobody awaits does not end the process', async () => {
    const gates = new Gates()
    const pool = new TaskPool({ limit: 1 })
    void pool.submit(gates.task(1))
    void pool.submit(gates.task(2))
    void pool.submit(gates.task(3), { timeoutMs: 1000 })
    const down = pool.shutdown({ drain: false })
    void pool.submit(gates.task(4))
    // The leak guard fails on an unhandled rejection, and on a timer.
    await gates.open(1)
    await down
    expect(gates.begun).toEqual([1])
  })

  it('with abortRunning aborts the signals of what runs, and drops what waits', async () => {
    const pool = new TaskPool({ limit: 2 })
    const own = new AbortController()
    const running = [
      pool.submit((signal) => sleep(10_000, { signal })),
      pool.submit((signal) => sleep(10_000, { signal }), { signal: own.signal }),
    ]
    const waiting = pool.submit(() => 1)
    const down = pool.shutdown({ abortRunning: true })
    for (const promise of running) {
      expect(await rejection(promise)).toEqual(new ClosedError('task pool: it was shut down'))
    }
    expect(await rejection(waiting)).toBeInstanceOf(ClosedError)
    await down
    expect(getEventListeners(own.signal, 'abort')).toEqual([])
  })

  it('can be called any number of times, and does more when it is told more', async () => {
    const gates = new Gates()
    const pool = new TaskPool({ limit: 1 })
    const running = pool.submit(gates.task(1))
    const waiting = rejection(pool.submit(gates.task(2)))
    const downs = [watch(pool.shutdown()), watch(pool.shutdown())]
    await loopTurns(1)
    expect(pool.pending).toBe(1)
    downs.push(watch(pool.shutdown({ drain: false })))
    expect(await waiting).toBeInstanceOf(ClosedError)
    await gates.open(1)
    await running
    expect(downs.map(({ state }) => state)).toEqual(['resolved', 'resolved', 'resolved'])
    await pool.shutdown()
  })

  it('ends its wait on an abort or after timeoutMs, and the pool goes on shutting down', async () => {
    const clock = new FakeClock()
    const gates = new Gates()
    const pool = new TaskPool({ limit: 1, clock })
    const running = pool.submit(gates.task(1))
    const controller = new AbortController()
    const aborted = rejection(pool.shutdown({ signal: controller.signal }))
    const late = rejection(pool.shutdown({ timeoutMs: 100 }))
    controller.abort('enough')
    await clock.advance(100)
    expect(await aborted).toBe('enough')
    expect(await late).toMatchObject({
      message: 'TaskPool.shutdown(): still waiting after 100 ms',
    })
    expect(await rejection(pool.submit(() => 1))).toBeInstanceOf(ClosedError)
    await gates.open(1)
    expect(await running).toBe(1)
    await pool.shutdown()
  })

  it('does nothing with a signal that has aborted before', async () => {
    const pool = new TaskPool({ limit: 1 })
    expect(await rejection(pool.shutdown({ signal: AbortSignal.abort('before') }))).toBe('before')
    expect(await pool.submit(() => 'still open')).toBe('still open')
  })

  it('is what disposing of the pool does', async () => {
    const gates = new Gates()
    const results: Promise<number>[] = []
    const block = watch(
      (async () => {
        await using pool = new TaskPool({ limit: 1 })
        results.push(pool.submit(gates.task(1)), pool.submit(gates.task(2)))
      })(),
    )
    await gates.open(1)
    expect(block.state).toBe('pending')
    await gates.open(2)
    expect(block.state).toBe('resolved')
    expect(await Promise.all(results)).toEqual([1, 2])
  })
})

describe('TaskPool.map()', () => {
  it('gives the results in the order of the items', async () => {
    const clock = new FakeClock()
    const pool = new TaskPool({ limit: 3 })
    const results: number[] = []
    const loop = (async () => {
      const delays = [30, 10, 20, 5]
      const mapped = pool.map(delays, async (ms, signal) => {
        await sleep(ms, { signal, clock })
        return ms
      })
      for await (const ms of mapped) results.push(ms)
    })()
    await clock.advance(29)
    expect(results).toEqual([])
    await clock.advance(6)
    await loop
    expect(results).toEqual([30, 10, 20, 5])
  })

  it.each([
    ['an array', [1, 2, 3]],
    ['an array of promises', [1, 2, 3].map((n) => Promise.resolve(n))],
    ['a set', new Set([1, 2, 3])],
    ['an async generator', countingSource(3).items()],
    ['nothing', []],
  ])('takes %s', async (what, source) => {
    const pool = new TaskPool({ limit: 2 })
    const results: number[] = []
    for await (const value of pool.map(source, (n) => n * 10)) results.push(value)
    expect(results).toEqual(what === 'nothing' ? [] : [10, 20, 30])
  })

  it('begins nothing before the first step', async () => {
    const { items, state } = countingSource()
    const pool = new TaskPool({ limit: 2 })
    const mapped = pool.map(items(), (n) => n)
    await loopTurns(1)
    expect(state.taken).toBe(0)
    await mapped.return()
    expect(state.taken).toBe(0)
  })

  it.each([
    ['its limit', undefined, 3],
    ['maxAhead, if that is less', 1, 1],
    ['maxAhead, if that is more', 7, 7],
  ])(
    'takes no more from an endless source than %s, whatever is done',
    async (_what, maxAhead, ahead) => {
      const { items, state } = countingSource()
      const pool = new TaskPool({ limit: 3 })
      const mapped = pool.map(items(), (n) => n, { maxAhead })
      for (let n = 1; n <= 5; n++) {
        expect(await mapped.next()).toEqual({ value: n, done: false })
        await loopTurns(2)
        expect(state.taken).toBe(n + ahead)
      }
      await mapped.return()
      expect(state.returned).toBe(1)
    },
  )

  it('gives results while the source is slow to give its next item', async () => {
    const stuck = deferred()
    const source = (async function* () {
      yield 1
      await stuck.promise
      yield 2
    })()
    const mapped = new TaskPool({ limit: 4 }).map(source, (n) => n)
    expect(await mapped.next()).toEqual({ value: 1, done: false })
    const second = watch(mapped.next())
    await loopTurns(1)
    expect(second.state).toBe('pending')
    stuck.resolve()
    expect(await second.promise).toEqual({ value: 2, done: false })
    expect(await mapped.next()).toEqual({ value: undefined, done: true })
  })

  it('shares the limit with what is submitted', async () => {
    const gates = new Gates()
    const pool = new TaskPool({ limit: 1 })
    void pool.submit(gates.task(0))
    const mapped = pool.map([1, 2], (n) => gates.task(n)())
    const first = watch(mapped.next())
    await loopTurns(1)
    expect(gates.begun).toEqual([0])
    await gates.open(0)
    await gates.open(1)
    expect(first.value).toEqual({ value: 1, done: false })
    const end = mapped.return()
    await gates.open(2)
    await end
  })

  it('ends at the first error, in the place of its result, and ends the source', async () => {
    const { items, state } = countingSource()
    const pool = new TaskPool({ limit: 3 })
    const results: number[] = []
    const loop = (async () => {
      const mapped = pool.map(items(), async (n) => {
        if (n === 3) throw new Error('three')
        await loopTurns(2)
        return n
      })
      for await (const value of mapped) results.push(value)
    })()
    expect(await rejection(loop)).toMatchObject({ message: 'three' })
    expect(results).toEqual([1, 2])
    expect(state.returned).toBe(1)
    expect(pool.size).toBe(0)
  })

  it('ends with an error of the source, behind the results before it', async () => {
    const source = (async function* () {
      yield 1
      yield 2
      throw new Error('source')
    })()
    const results: number[] = []
    const loop = (async () => {
      for await (const value of new TaskPool({ limit: 5 }).map(source, (n) => n)) {
        results.push(value)
      }
    })()
    expect(await rejection(loop)).toMatchObject({ message: 'source' })
    expect(results).toEqual([1, 2])
  })

  it('ends with the rejection of an item that is a promise, and ends the source', async () => {
    let returned = 0
    function* source(): Generator<number | Promise<number>> {
      try {
        yield 1
        yield Promise.reject(new Error('item'))
      } finally {
        returned++
      }
    }
    const mapped = new TaskPool({ limit: 5 }).map(source(), (n) => n)
    expect(await mapped.next()).toEqual({ value: 1, done: false })
    expect(await rejection(mapped.next())).toMatchObject({ message: 'item' })
    expect(returned).toBe(1)
  })

  it('aborts what runs, drops what waits and ends the source when the loop is left', async () => {
    const { items, state } = countingSource()
    const pool = new TaskPool({ limit: 2 })
    const begun: number[] = []
    const reasons: unknown[] = []
    const mapped = pool.map(
      items(),
      async (n, signal) => {
        begun.push(n)
        if (n > 1) {
          await sleep(10_000, { signal }).finally(() => reasons.push(signal.reason))
        }
        return n
      },
      { maxAhead: 5 },
    )
    for await (const value of mapped) {
      expect(value).toBe(1)
      await loopTurns(1)
      break
    }
    expect(begun).toEqual([1, 2, 3])
    expect(reasons).toEqual([
      expect.objectContaining({ name: 'AbortError', message: 'task pool: the iteration was left' }),
      expect.objectContaining({ name: 'AbortError' }),
    ])
    expect({ size: pool.size, returned: state.returned }).toEqual({ size: 0, returned: 1 })
  })

  it('waits for what runs when the loop is left', async () => {
    const gates = new Gates()
    const pool = new TaskPool({ limit: 2 })
    const mapped = pool.map([1, 2], (n) => gates.task(n)())
    const first = mapped.next()
    await loopTurns(1)
    await gates.open(1)
    await first
    const left = watch(mapped.return())
    await loopTurns(1)
    expect(left.state).toBe('pending')
    await gates.open(2)
    expect(left.state).toBe('resolved')
  })

  it('does not wait for a source that is being asked when the loop is left', async () => {
    let returned = 0
    const source: AsyncIterableIterator<number> = {
      next: () =>
        asked++ === 0 ? Promise.resolve({ value: 1, done: false }) : new Promise(() => {}),
      return: () => {
        returned++
        return new Promise(() => {})
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
    let asked = 0
    for await (const value of new TaskPool({ limit: 2 }).map(source, (n) => n)) {
      expect(value).toBe(1)
      break
    }
    expect(returned).toBe(1)
  })

  it('ends a source that has no return()', async () => {
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({ next: async () => ({ value: 1, done: false }) }),
    }
    const mapped = new TaskPool({ limit: 1 }).map(source, (n) => n)
    await mapped.next()
    await loopTurns(1)
    expect(await mapped.return()).toEqual({ value: undefined, done: true })
  })

  it('tells an error of the source’s end when the loop was left, and not when it failed', async () => {
    const source = (): AsyncIterable<number> => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ value: 1, done: false }),
        return: () => Promise.reject(new Error('return')),
      }),
    })
    const pool = new TaskPool({ limit: 1 })
    const left = pool.map(source(), (n) => n)
    await left.next()
    await loopTurns(1)
    expect(await rejection(left.return())).toMatchObject({ message: 'return' })
    const failing = pool.map(source(), () => Promise.reject(new Error('first')))
    expect(await rejection(failing.next())).toMatchObject({ message: 'first' })
  })

  it('drops an item that comes when the loop has been left', async () => {
    const item = deferred<number>()
    const seen: number[] = []
    const mapped = new TaskPool({ limit: 2 }).map([1, item.promise], (n) => seen.push(n))
    await mapped.next()
    await mapped.return()
    item.resolve(2)
    await loopTurns(1)
    expect(seen).toEqual([1])
  })

  it('ends with the reason of an abort while it waits, and leaves no listener', async () => {
    const { items, state } = countingSource()
    const controller = new AbortController()
    const pool = new TaskPool({ limit: 2 })
    const mapped = pool.map(items(), (_n, signal) => sleep(10_000, { signal }), {
      signal: controller.signal,
    })
    const step = rejection(mapped.next())
    await loopTurns(1)
    controller.abort('enough')
    expect(await step).toBe('enough')
    expect({ size: pool.size, returned: state.returned }).toEqual({ size: 0, returned: 1 })
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(await mapped.next()).toEqual({ value: undefined, done: true })
  })

  it('ends with the reason when the abort came between two steps', async () => {
    const controller = new AbortController()
    const mapped = new TaskPool({ limit: 2 }).map([1, 2, 3], (n) => n, {
      signal: controller.signal,
    })
    await mapped.next()
    controller.abort('enough')
    expect(await rejection(mapped.next())).toBe('enough')
  })

  it('ends with a TimeoutError after timeoutMs, counted from the first step', async () => {
    const clock = new FakeClock()
    const mapped = new TaskPool({ limit: 2, clock }).map(
      [1, 2],
      (_n, signal) => sleep(1000, { signal, clock }),
      { timeoutMs: 100 },
    )
    await clock.advance(500)
    const step = rejection(mapped.next())
    await clock.advance(100)
    expect(await step).toMatchObject({
      name: 'TimeoutError',
      message: 'TaskPool.map(): not done within 100 ms',
    })
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends with a ClosedError when the pool is shut down', async () => {
    const { items, state } = countingSource()
    const pool = new TaskPool({ limit: 1 })
    const mapped = pool.map(items(), (n) => n)
    await mapped.next()
    await pool.shutdown()
    const loop = (async () => {
      for await (const value of mapped) expect(value).toBe(2)
    })()
    expect(await rejection(loop)).toBeInstanceOf(ClosedError)
    expect(state.returned).toBe(1)
  })

  it('ends at once when the pool is shut down with abortRunning', async () => {
    const pool = new TaskPool({ limit: 1 })
    const mapped = pool.map([1, 2], (_n, signal) => sleep(10_000, { signal }))
    const step = rejection(mapped.next())
    await loopTurns(1)
    await pool.shutdown({ abortRunning: true })
    expect(await step).toBeInstanceOf(ClosedError)
  })

  it('refuses arguments of no meaning at once', () => {
    const pool = new TaskPool({ limit: 1 })
    const fn = (): number => 1
    expect(thrownBy(() => pool.map(5 as never, fn))).toEqual(
      new TypeError('source must be iterable, and is of type number'),
    )
    expect(thrownBy(() => pool.map(null as never, fn))).toEqual(
      new TypeError('source must be iterable, and is of type null'),
    )
    expect(thrownBy(() => pool.map([], undefined as never))).toBeInstanceOf(TypeError)
    expect(thrownBy(() => pool.map([], fn, { maxAhead: 0 }))).toEqual(
      new RangeError('maxAhead must be a whole number above 0, not 0'),
    )
    expect(thrownBy(() => pool.map([], fn, { timeoutMs: 0 }))).toBeInstanceOf(RangeError)
  })

  it('takes the characters of a string', async () => {
    const mapped = new TaskPool({ limit: 1 }).map('ab', (letter) => letter)
    expect([(await mapped.next()).value, (await mapped.next()).value]).toEqual(['a', 'b'])
    expect((await mapped.next()).done).toBe(true)
  })
})

describe('TaskPool.mapUnordered()', () => {
  it('gives each result as soon as it is there', async () => {
    const clock = new FakeClock()
    const pool = new TaskPool({ limit: 2 })
    const results: number[] = []
    const loop = (async () => {
      const mapped = pool.mapUnordered([30, 10, 15, 40], async (ms, signal) => {
        await sleep(ms, { signal, clock })
        return ms
      })
      for await (const ms of mapped) results.push(ms)
    })()
    await clock.advance(70)
    await loop
    expect(results).toEqual([10, 15, 30, 40])
  })

  it('takes no more from an endless source than its limit', async () => {
    const { items, state } = countingSource()
    const mapped = new TaskPool({ limit: 3 }).mapUnordered(items(), (n) => n)
    for (let n = 1; n <= 5; n++) {
      await mapped.next()
      await loopTurns(2)
      expect(state.taken).toBe(n + 3)
    }
    await mapped.return()
    expect(state.returned).toBe(1)
  })

  it('ends at the first error', async () => {
    const clock = new FakeClock()
    const { items, state } = countingSource()
    const results: number[] = []
    const loop = rejection(
      (async () => {
        const mapped = new TaskPool({ limit: 3 }).mapUnordered(items(), async (n, signal) => {
          if (n === 2) throw new Error('two')
          await sleep(n === 1 ? 10_000 : 10, { signal, clock })
          return n
        })
        for await (const value of mapped) results.push(value)
      })(),
    )
    await clock.advance(0)
    expect(await loop).toMatchObject({ message: 'two' })
    expect({ results, returned: state.returned }).toEqual({ results: [], returned: 1 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('gives what was begun before an error of the source', async () => {
    const source = (async function* () {
      yield 1
      throw new Error('source')
    })()
    const mapped = new TaskPool({ limit: 3 }).mapUnordered(source, async (n) => {
      await loopTurns(2)
      return n
    })
    expect(await mapped.next()).toEqual({ value: 1, done: false })
    expect(await rejection(mapped.next())).toMatchObject({ message: 'source' })
  })
})
