import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batch } from '../../src/concurrency/batch.js'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import { range } from '../../src/concurrency/range.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { watch } from '../support/settled.js'
import { TracedSource } from '../support/traced-source.js'

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

describe('batch() by size', () => {
  test('gives arrays of the size, and what is left at the end', async () => {
    expect(await collect(batch(range(7), { size: 3 }))).toEqual([[0, 1, 2], [3, 4, 5], [6]])
    expect(await collect(batch(range(6), { size: 3 }))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
    expect(await collect(batch([], { size: 3 }))).toEqual([])
  })

  test('gives what there is before the error', async () => {
    const source = new TracedSource<number>().give(1, 2, 3).fail(new Error('broken'))
    const iteration = batch(source, { size: 2 })
    expect((await iteration.next()).value).toEqual([1, 2])
    expect((await iteration.next()).value).toEqual([3])
    await expect(iteration.next()).rejects.toThrow('broken')
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
    expect(source.returned).toBe(0)
  })

  test('asks the source only while an array is asked for', async () => {
    const source = new TracedSource<number>().give(1, 2, 3, 4, 5)
    const iteration = batch(source, { size: 2 })
    await iteration.next()
    await loopTurns(2)
    expect(source.asked).toBe(2)
    await iteration.return()
    expect(source.returned).toBe(1)
  })

  test.each([0, -1, 1.5, NaN, Infinity])('refuses a size of %d, at once', (size) => {
    expect(() => batch([], { size })).toThrow(
      new RangeError(`size must be a whole number above 0, not ${size}`),
    )
  })
})

describe('batch() by time', () => {
  test('gives an array that is not full when its first item has waited so long', async () => {
    const clock = new FakeClock()
    const source = new TracedSource<number>()
    const iteration = batch(source, { size: 10, ms: 100, clock })
    const first = watch(iteration.next())
    await clock.advance(5000)
    expect(first.state).toBe('pending')
    expect(clock.pendingTimers).toBe(0)
    source.give(1)
    await clock.advance(60)
    source.give(2)
    await clock.advance(39)
    expect(first.state).toBe('pending')
    await clock.advance(1)
    expect(first.value).toEqual({ done: false, value: [1, 2] })
    expect(clock.pendingTimers).toBe(0)

    // The item that the source was asked for is the first of the next array.
    source.give(3)
    const second = watch(iteration.next())
    await clock.advance(100)
    expect(second.value).toEqual({ done: false, value: [3] })
    expect(source).toMatchObject({ asked: 4, returned: 0 })
    await iteration.return()
    expect(source.returned).toBe(1)
  })

  test('sets no timer for what is full at once', async () => {
    const clock = new FakeClock()
    const queue = new BoundedQueue<number>({ maxSize: 100 })
    for (let n = 0; n < 6; n++) await queue.put(n)
    const iteration = batch(queue, { size: 3, ms: 100, clock })
    expect((await iteration.next()).value).toEqual([0, 1, 2])
    expect((await iteration.next()).value).toEqual([3, 4, 5])
    expect(clock.pendingTimers).toBe(0)
  })

  test('aborted or left, drops what was gathered and leaves no timer', async () => {
    const clock = new FakeClock()
    const controller = new AbortController()
    const { signal } = controller
    const sources = [new TracedSource<number>().give(1), new TracedSource<number>().give(1)]
    const batches = sources.map((source) => batch(source, { size: 10, ms: 100, clock, signal }))
    const steps = batches.map((iteration) => watch(iteration.next()))
    await loopTurns(2)
    expect(clock.pendingTimers).toBe(2)
    await batches[1]?.return()
    controller.abort('gone')
    await loopTurns(2)
    expect(steps[0]?.error).toBe('gone')
    expect(steps[1]?.value).toEqual({ done: true, value: undefined })
    expect(clock.pendingTimers).toBe(0)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(sources.map(({ returned }) => returned)).toEqual([1, 1])
  })

  test.each([0, -1, NaN])('refuses %d ms, at once', (ms) => {
    expect(() => batch([], { size: 1, ms })).toThrow(
      new RangeError(`ms must be a number of milliseconds above 0, not ${ms}`),
    )
  })

  test('does what a slow model does, whatever the pace of the source and of the loop', async () => {
    const plans = fc.record({
      size: fc.integer({ min: 1, max: 4 }),
      // A fraction that no sum of the others has, so that no two things happen at the same moment.
      ms: fc.integer({ min: 1, max: 40 }).map((n) => n + 0.37),
      delaysMs: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 50 })), {
        maxLength: 15,
      }),
      worksMs: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 80 })), {
        maxLength: 15,
      }),
      fails: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        expect(await run(plan)).toEqual(model(plan))
      }),
      { numRuns: 200 },
    )
  })
})

interface Plan {
  readonly size: number
  readonly ms: number
  /** How long the source takes for each item, from being asked. */
  readonly delaysMs: readonly number[]
  /** How long the loop works on each array. */
  readonly worksMs: readonly number[]
  readonly fails: boolean
}

interface Given {
  readonly items: readonly number[] | 'end' | 'error'
  readonly at: string
}

async function run({ size, ms, delaysMs, worksMs, fails }: Plan): Promise<Given[]> {
  const clock = new FakeClock()
  const given: Given[] = []
  const note = (items: Given['items']): void => {
    given.push({ items, at: clock.now().toFixed(3) })
  }
  async function* source(): AsyncGenerator<number> {
    for (const [n, delayMs] of delaysMs.entries()) {
      if (delayMs > 0) await sleep(delayMs, { clock })
      yield n
    }
    if (fails) throw new Error('broken')
  }
  const works = [...worksMs]
  const loop = watch(
    (async () => {
      try {
        for await (const array of batch(source(), { size, ms, clock })) {
          note(array)
          const workMs = works.shift() ?? 0
          if (workMs > 0) await sleep(workMs, { clock })
        }
        note('end')
      } catch {
        note('error')
      }
    })(),
  )
  while (loop.state === 'pending') await clock.advance(1000)
  expect(clock.pendingTimers).toBe(0)
  return given
}

/** One event after the other, and no iterator. */
function model({ size, ms, delaysMs, worksMs, fails }: Plan): Given[] {
  const given: Given[] = []
  let now = 0
  let held: number[] = []
  let asked = 0
  /** When the item that the source was asked for comes. */
  let comesAt: number | undefined
  const works = [...worksMs]
  const isOver = (): boolean => asked > delaysMs.length && comesAt === undefined
  const arrive = (): void => {
    comesAt = undefined
    if (!isOver()) held.push(asked - 1)
  }
  for (;;) {
    if (comesAt !== undefined && comesAt <= now) arrive()
    let deadline = held.length > 0 ? now + ms : Infinity
    while (held.length < size && !isOver()) {
      comesAt ??= now + (delaysMs[asked++] ?? 0)
      if (comesAt > deadline) {
        now = deadline
        break
      }
      now = Math.max(now, comesAt)
      arrive()
      if (held.length > 0 && deadline === Infinity) deadline = now + ms
    }
    const at = now.toFixed(3)
    if (held.length === 0) {
      given.push({ items: fails ? 'error' : 'end', at })
      return given
    }
    given.push({ items: held, at })
    held = []
    now += works.shift() ?? 0
  }
}
