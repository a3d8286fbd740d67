/** What all iterators over a source have in common: laziness, one end that reaches the source once, an abort. */
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { batch } from '../../src/concurrency/batch.js'
import { filter } from '../../src/concurrency/filter.js'
import { map } from '../../src/concurrency/map.js'
import { merge } from '../../src/concurrency/merge.js'
import type { MapSource } from '../../src/concurrency/pulled-source.js'
import { range } from '../../src/concurrency/range.js'
import type { Iteration, IterationOptions } from '../../src/concurrency/stepwise.js'
import { take } from '../../src/concurrency/take.js'
import { withCleanup } from '../../src/concurrency/with-cleanup.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { TracedSource } from '../support/traced-source.js'

guardAgainstLeaks()

/** Each gives what the source gives. `ahead` is how many items may be asked for that are not given yet. */
const kinds: {
  kind: string
  ahead: number
  make: (source: MapSource<number>, options?: IterationOptions) => Iteration<number>
}[] = [
  { kind: 'map()', ahead: 1, make: (source, options) => map(source, (n) => n, options) },
  {
    kind: 'map(), three at a time',
    ahead: 4,
    make: (source, options) => map(source, async (n) => n, { ...options, concurrency: 3 }),
  },
  { kind: 'filter()', ahead: 1, make: (source, options) => filter(source, () => true, options) },
  { kind: 'take()', ahead: 1, make: (source, options) => take(source, 100_000, options) },
  {
    kind: 'batch()',
    ahead: 1,
    make: (source, options) => map(batch(source, { ...options, size: 1 }), ([n]) => n as number),
  },
  { kind: 'merge()', ahead: 1, make: (source, options) => merge([source], options) },
  {
    kind: 'withCleanup()',
    ahead: 1,
    make: (source, options) => withCleanup(source, () => {}, options),
  },
  {
    kind: 'all of them, one on the other',
    ahead: 1,
    make: (source, options) =>
      filter(
        merge([map(batch(take(source, 100_000), { size: 1 }), ([n]) => n as number)]),
        async () => true,
        options,
      ),
  },
]

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

describe.each(kinds)('$kind', ({ make, ahead }) => {
  test('gives what the source gives, and does not end a source that has ended', async () => {
    const source = new TracedSource<number>().give(1, 2, 3).end()
    const iteration = make(source)
    expect(await collect(iteration)).toEqual([1, 2, 3])
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
    await iteration.return()
    expect(source).toMatchObject({ asked: 4, returned: 0 })
  })

  test('takes arrays, generators, and promises among their items', async () => {
    expect(await collect(make([1, 2]))).toEqual([1, 2])
    expect(await collect(make(new Set([3, 4]).values()))).toEqual([3, 4])
    const promises: Iterable<number> = [5, 6].map((n) => Promise.resolve(n)) as never
    expect(await collect(make(promises))).toEqual([5, 6])
    expect(await collect(make([]))).toEqual([])
  })

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'number'],
    [{}, 'object'],
  ])('refuses %j as a source, at once', (source, type) => {
    expect(() => make(source as never)).toThrow(
      new TypeError(`source must be iterable, and is of type ${type}`),
    )
  })

  test('asks for nothing before a step, and then for no more than it needs', async () => {
    const source = new TracedSource<number>().give(1, 2, 3, 4, 5, 6, 7, 8)
    const iteration = make(source)
    await loopTurns(1)
    expect(source.asked).toBe(0)
    for (let given = 1; given <= 3; given++) {
      expect(await iteration.next()).toEqual({ done: false, value: given })
      await loopTurns(2)
      expect(source.asked).toBeGreaterThanOrEqual(given)
      expect(source.asked).toBeLessThanOrEqual(given + ahead - 1)
    }
    await iteration.return()
    expect(source.returned).toBe(1)
  })

  test('makes one step at a time, also when several are asked for at once', async () => {
    const source = new TracedSource<number>()
    const iteration = make(source)
    const steps = [1, 2, 3, 4].map(() => watch(iteration.next()))
    await loopTurns(2)
    source.give(1, 2, 3).end()
    await loopTurns(2)
    expect(steps.map(({ value }) => value)).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: false, value: 3 },
      { done: true, value: undefined },
    ])
  })

  test('ends the source once when the loop is left, and waits until it has ended', async () => {
    const source = new TracedSource<number>().give(1, 2)
    const order: string[] = []
    source.onReturn = async () => {
      await loopTurns(2)
      order.push('ended')
    }
    const iteration = make(source)
    for await (const n of iteration) {
      order.push(String(n))
      if (n === 2) break
    }
    order.push('after')
    // Where it asks ahead it is just being asked, and then it is told, and not waited for.
    expect(order).toEqual(ahead > 1 ? ['1', '2', 'after'] : ['1', '2', 'ended', 'after'])
    await iteration.return()
    await loopTurns(4)
    expect(source.returned).toBe(1)
  })

  test('ends the source when it is left or disposed of before the first step', async () => {
    const sources = [new TracedSource<number>(), new TracedSource<number>()]
    await make(sources[0] as TracedSource<number>).return()
    {
      await using unused = make(sources[1] as TracedSource<number>)
      expect(unused[Symbol.asyncIterator]()).toBe(unused)
    }
    expect(sources.map(({ asked, returned }) => [asked, returned])).toEqual([
      [0, 1],
      [0, 1],
    ])
  })

  test('left while it waits for the source, ends the step and tells the source, and does not wait for it', async () => {
    const source = new TracedSource<number>()
    source.onReturn = () => new Promise(() => {})
    const iteration = make(source)
    const steps = [watch(iteration.next()), watch(iteration.next())]
    await loopTurns(2)
    expect(source.asked).toBe(1)
    expect(await iteration.return()).toEqual({ done: true, value: undefined })
    await loopTurns(1)
    for (const step of steps) expect(step.value).toEqual({ done: true, value: undefined })
    expect(source.returned).toBe(1)
    // What comes now is in vain, and sets nothing off.
    source.give(1, 2)
    await loopTurns(2)
    expect(source.asked).toBe(1)
  })

  test('ends with what the source throws, after what came before', async () => {
    const source = new TracedSource<number>().give(1).fail(new Error('broken'))
    const iteration = make(source)
    expect((await iteration.next()).value).toBe(1)
    await expect(iteration.next()).rejects.toThrow('broken')
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
    await iteration.return()
    expect(source.returned).toBe(0)
  })

  test('ends with what a sync generator throws, and one without return() is just left', async () => {
    function* failing(): Generator<number> {
      yield 1
      throw new Error('broken')
    }
    const iteration = make(failing())
    expect((await iteration.next()).value).toBe(1)
    await expect(iteration.next()).rejects.toThrow('broken')
    const endless = {
      next: () => ({ done: false as const, value: 7 }),
      [Symbol.iterator]: () => endless,
    }
    for await (const n of make(endless)) {
      expect(n).toBe(7)
      break
    }
  })

  test('ends a source of promises when one of them rejects', async () => {
    let ended = 0
    function* promises(): Generator<Promise<number>> {
      try {
        yield Promise.resolve(1)
        yield Promise.reject(new Error('an item is broken'))
        yield Promise.resolve(3)
      } finally {
        ended++
      }
    }
    const iteration = make(promises() as Iterable<never>)
    expect((await iteration.next()).value).toBe(1)
    await expect(iteration.next()).rejects.toThrow('an item is broken')
    expect(ended).toBe(1)
  })

  test('throws what the end of the source throws, unless something else is thrown', async () => {
    const source = new TracedSource<number>().give(1)
    source.onReturn = () => Promise.reject(new Error('cannot end'))
    const iteration = make(source)
    await iteration.next()
    // As above: where it asks ahead nobody waits for the end.
    const left = await iteration.return().catch((error: Error) => error.message)
    expect(left).toEqual(ahead > 1 ? { done: true, value: undefined } : 'cannot end')

    const controller = new AbortController()
    const aborted = make(source, { signal: controller.signal })
    controller.abort(new Error('gone'))
    await expect(aborted.next()).rejects.toThrow('gone')
  })

  test('aborted while it waits, rejects with the reason and ends the source', async () => {
    const source = new TracedSource<number>()
    const controller = new AbortController()
    const { signal } = controller
    const iteration = make(source, { signal })
    const step = watch(iteration.next())
    await loopTurns(2)
    controller.abort('gone')
    await loopTurns(2)
    expect(step).toMatchObject({ state: 'rejected', error: 'gone' })
    expect(source.returned).toBe(1)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
  })

  test('aborted and left in the same moment, ends the source once', async () => {
    for (const isAbortFirst of [true, false]) {
      const source = new TracedSource<number>()
      const controller = new AbortController()
      const iteration = make(source, { signal: controller.signal })
      const step = watch(iteration.next())
      await loopTurns(2)
      const left = isAbortFirst ? undefined : iteration.return()
      controller.abort('gone')
      await (left ?? iteration.return())
      await loopTurns(2)
      // Where the abort has to come from further below, the loop may have been left by then.
      const end = { done: true, value: undefined }
      expect(isAbortFirst ? ['gone', end] : [end]).toContainEqual(step.error ?? step.value)
      expect(source.returned).toBe(1)
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    }
  })

  test('aborted before, or between two steps, rejects at the next one', async () => {
    const source = new TracedSource<number>()
    const early = make(source, { signal: AbortSignal.abort('before') })
    expect(await rejection(early.next())).toBe('before')
    expect(source).toMatchObject({ asked: 0, returned: 1 })

    const controller = new AbortController()
    const other = new TracedSource<number>().give(1, 2)
    const iteration = make(other, { signal: controller.signal })
    await iteration.next()
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    controller.abort('between')
    expect(await rejection(iteration.next())).toBe('between')
    expect(other.returned).toBe(1)
  })

  test('leaves no listener on a signal after 20,000 steps, or 500 iterations that were left', async () => {
    const { signal } = new AbortController()
    let steps = 0
    for await (const _ of make(range(Infinity), { signal })) if (++steps === 20_000) break
    for (let n = 0; n < 500; n++) {
      for await (const _ of make(range(Infinity, { signal }), { signal })) break
    }
    await loopTurns(2)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('runs the finally of a generator once, however it ends', async () => {
    for (const leaveAfter of [1, 2, 3]) {
      let ended = 0
      async function* numbers(): AsyncGenerator<number> {
        try {
          yield 1
          yield 2
        } finally {
          ended++
        }
      }
      let given = 0
      for await (const _ of make(numbers())) if (++given === leaveAfter) break
      await loopTurns(2)
      expect(ended).toBe(1)
    }
  })
})
