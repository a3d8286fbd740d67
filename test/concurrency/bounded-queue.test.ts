import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import { LifoBoundedQueue } from '../../src/concurrency/lifo-bounded-queue.js'
import { PriorityBoundedQueue } from '../../src/concurrency/priority-bounded-queue.js'
import { ClosedError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

/** Everything but the order is the same for all queues. */
const kinds = [
  { kind: 'BoundedQueue', make: (maxSize: number) => new BoundedQueue<number>({ maxSize }) },
  {
    kind: 'LifoBoundedQueue',
    make: (maxSize: number) => new LifoBoundedQueue<number>({ maxSize }),
  },
  {
    kind: 'PriorityBoundedQueue',
    make: (maxSize: number) =>
      new PriorityBoundedQueue<number>({ maxSize, compare: (a, b) => a - b }),
  },
]

async function filled(queue: BoundedQueue<number>, ...items: number[]): Promise<typeof queue> {
  for (const item of items) await queue.put(item)
  return queue
}

describe('BoundedQueue, LifoBoundedQueue, PriorityBoundedQueue: order', () => {
  test.each([
    [kinds[0], [1, 3, 2]],
    [kinds[1], [2, 3, 1]],
    [kinds[2], [1, 2, 3]],
  ])('%j gives 1, 3, 2 as %j', async (kind, expected) => {
    const queue = await filled(kind?.make(3) as BoundedQueue<number>, 1, 3, 2)
    expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(expected)
  })

  test('what waits to be put comes in when there is room, in the order of the calls', async () => {
    const got = async (queue: BoundedQueue<number>): Promise<(number | null | undefined)[]> => {
      await queue.put(5)
      const puts = [1, 3, 2].map((item) => queue.put(item))
      const items = [await queue.get(), await queue.get(), await queue.get(), await queue.get()]
      await Promise.all(puts)
      return items
    }
    for (const { make } of kinds) expect(await got(make(1))).toEqual([5, 1, 3, 2])
  })
})

describe.each(kinds)('$kind', ({ kind, make }) => {
  test('knows how much is in it', async () => {
    const queue = make(2)
    expect(queue).toMatchObject({ size: 0, maxSize: 2, isEmpty: true, isFull: false })
    await queue.put(1)
    expect(queue).toMatchObject({ size: 1, isEmpty: false, isFull: false })
    await queue.put(2)
    expect(queue).toMatchObject({ size: 2, isEmpty: false, isFull: true, isClosed: false })
    await queue.get()
    await queue.get()
    expect(queue).toMatchObject({ size: 0, isEmpty: true, isFull: false })
  })

  test('without a limit is never full', async () => {
    const queue = make(Infinity)
    for (let item = 0; item < 10_000; item++) await queue.put(item)
    expect(queue).toMatchObject({ size: 10_000, isFull: false, maxSize: Infinity })
  })

  test.each([0, -1, 1.3, NaN])('refuses a maxSize of %d', (maxSize) => {
    expect(() => make(maxSize)).toThrow(
      new RangeError(`maxSize must be a whole number above 0, or Infinity, not ${maxSize}`),
    )
  })

  describe('get()', () => {
    test('takes what is there at once', async () => {
      const queue = await filled(make(3), 1)
      expect(await queue.get()).toBe(1)
      expect(queue.isEmpty).toBe(true)
    })

    test('waits for an item that is put later', async () => {
      const queue = make(3)
      const got = watch(queue.get())
      await loopTurns(1)
      expect(got.state).toBe('pending')
      expect(queue.waitingGets).toBe(1)
      await queue.put(7)
      expect(await got.promise).toBe(7)
      expect(queue).toMatchObject({ waitingGets: 0, size: 0 })
    })

    test('makes room for whoever waits to put', async () => {
      const queue = await filled(make(1), 1)
      const put = watch(queue.put(2))
      await loopTurns(1)
      expect(put.state).toBe('pending')
      expect(queue.waitingPuts).toBe(1)
      expect(await queue.get()).toBe(1)
      await loopTurns(1)
      expect(put.state).toBe('resolved')
      expect(queue).toMatchObject({ waitingPuts: 0, size: 1 })
    })

    test('aborted, leaves the items to the others', async () => {
      const queue = make(3)
      const controller = new AbortController()
      const gone = watch(queue.get({ signal: controller.signal }))
      const other = watch(queue.get())
      controller.abort('gone')
      await queue.put(1)
      await loopTurns(1)
      expect(gone).toMatchObject({ state: 'rejected', error: 'gone' })
      expect(other.value).toBe(1)
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    })

    test('of several where some are aborted, gives each item to one of the others', async () => {
      const queue = make(3)
      const controller = new AbortController()
      const first = watch(queue.get({ signal: controller.signal }))
      const others = [watch(queue.get()), watch(queue.get())]
      controller.abort()
      queue.tryPut(1)
      queue.tryPut(2)
      await loopTurns(1)
      expect(first.state).toBe('rejected')
      expect(others.map(({ value }) => value)).toEqual([1, 2])
    })

    test('aborted after an item was handed to it, has the item', async () => {
      const queue = make(3)
      const controller = new AbortController()
      const got = queue.get({ signal: controller.signal })
      queue.tryPut(1)
      queue.tryPut(2)
      controller.abort()
      expect(await got).toBe(1)
      expect(await queue.get()).toBe(2)
    })

    test('may not begin with a signal that has aborted, and takes nothing', async () => {
      const queue = await filled(make(3), 1)
      await expect(queue.get({ signal: AbortSignal.abort('over') })).rejects.toBe('over')
      await expect(queue.get({ timeoutMs: 0 })).rejects.toThrow(RangeError)
      expect(queue.size).toBe(1)
    })

    test('leaves nobody waiting behind after its timeout', async () => {
      const clock = new FakeClock()
      const queue = new BoundedQueue<number>({ maxSize: 5, clock })
      const late = watch(queue.get({ timeoutMs: 100 }))
      await clock.advance(100)
      expect(late.error).toMatchObject({
        message: 'BoundedQueue.get(): still waiting after 100 ms',
      })
      expect(queue.waitingGets).toBe(0)
      await queue.put(1)
      expect(queue.size).toBe(1)
    })

    test('by more than there are items leaves the rest waiting, whoever came first served', async () => {
      const queue = make(3)
      const gets = [1, 2, 3].map(() => watch(queue.get()))
      queue.tryPut(1)
      queue.tryPut(2)
      await loopTurns(1)
      expect(gets.map(({ value }) => value)).toEqual([1, 2, undefined])
      expect(queue.waitingGets).toBe(1)
    })
  })

  describe('put()', () => {
    test('waits for room', async () => {
      const queue = make(1)
      const puts = watch(queue.put(1).then(() => queue.put(2)))
      await loopTurns(1)
      expect(puts.state).toBe('pending')
      expect(queue.tryGet()).toBe(1)
      await puts.promise
      expect(queue.tryGet()).toBe(2)
    })

    test('goes through one by one, as long as somebody gets', async () => {
      const queue = make(2)
      const puts = [0, 1, 2, 3].map((item) => queue.put(item))
      await loopTurns(1)
      expect(queue).toMatchObject({ size: 2, waitingPuts: 2 })
      while (queue.size > 0) queue.tryGet()
      await Promise.all(puts)
      expect(queue.unfinished).toBe(4)
    })

    test('aborted, has put nothing', async () => {
      const queue = await filled(make(1), 1)
      const controller = new AbortController()
      const gone = watch(queue.put(2, { signal: controller.signal }))
      const other = watch(queue.put(3))
      controller.abort('gone')
      await loopTurns(1)
      expect(gone).toMatchObject({ state: 'rejected', error: 'gone' })
      expect(queue.waitingPuts).toBe(1)
      expect(queue.tryGet()).toBe(1)
      await other.promise
      expect(queue.tryGet()).toBe(3)
      expect(queue.tryGet()).toBeUndefined()
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    })

    test('aborted after it was given room, has put', async () => {
      const queue = await filled(make(1), 1)
      const controller = new AbortController()
      const put = queue.put(2, { signal: controller.signal })
      expect(queue.tryGet()).toBe(1)
      controller.abort()
      await put
      expect(queue.tryGet()).toBe(2)
      expect(queue.size).toBe(0)
    })

    test('may not begin with a signal that has aborted, and puts nothing', async () => {
      const queue = make(1)
      await expect(queue.put(1, { signal: AbortSignal.abort('over') })).rejects.toBe('over')
      await expect(queue.put(1, { timeoutMs: NaN })).rejects.toThrow(RangeError)
      expect(queue.size).toBe(0)
    })

    test('gives up after timeoutMs', async () => {
      const clock = new FakeClock()
      const queue = new LifoBoundedQueue<number>({ maxSize: 1, clock })
      await queue.put(1)
      const late = watch(queue.put(2, { timeoutMs: 10 }))
      await clock.advance(10)
      expect(late.error).toMatchObject({
        message: 'LifoBoundedQueue.put(): still waiting after 10 ms',
      })
      expect(queue).toMatchObject({ size: 1, waitingPuts: 0 })
    })
  })

  test('tryPut() is false where put() would wait, also behind others who wait', async () => {
    const queue = make(1)
    expect(queue.tryPut(1)).toBe(true)
    expect(queue.tryPut(2)).toBe(false)
    const put = queue.put(3)
    expect(queue.tryGet()).toBe(1)
    await put
    expect(queue.tryPut(4)).toBe(false)
    expect(queue.tryGet()).toBe(3)
  })

  test('tryGet() is undefined where get() would wait, and null at the end', async () => {
    const queue = make(2)
    expect(queue.tryGet()).toBeUndefined()
    queue.tryPut(1)
    queue.close()
    expect(queue.tryGet()).toBe(1)
    expect(queue.tryGet()).toBeNull()
  })

  describe('join()', () => {
    test('does not wait where nothing was put', async () => {
      const queue = make(1)
      await queue.join()
      await queue.join({ timeoutMs: 1 })
      await expect(queue.join({ signal: AbortSignal.abort('over') })).rejects.toBe('over')
    })

    test('waits until all that was put is done', async () => {
      const queue = make(Infinity)
      for (let item = 0; item < 100; item++) queue.tryPut(item)
      let sum = 0
      const work = async (): Promise<void> => {
        for await (const item of queue) {
          sum += item
          queue.taskDone()
        }
      }
      const workers = [work(), work()]
      await queue.join()
      expect(sum).toBe(4950)
      expect(queue.unfinished).toBe(0)
      queue.close()
      await Promise.all(workers)
    })

    test('waits for what was got and is not done', async () => {
      const queue = await filled(make(1), 1)
      const joined = watch(queue.join())
      await queue.get()
      await loopTurns(1)
      expect(joined.state).toBe('pending')
      expect(queue.unfinished).toBe(1)
      queue.taskDone()
      await loopTurns(1)
      expect(joined.state).toBe('resolved')
    })

    test('waits for what was handed to somebody who waited', async () => {
      const queue = make(1)
      const got = queue.get()
      queue.tryPut(1)
      const joined = watch(queue.join())
      await got
      await loopTurns(1)
      expect(joined.state).toBe('pending')
      queue.taskDone()
      await joined.promise
    })

    test('aborted or timed out, leaves nothing behind', async () => {
      const clock = new FakeClock()
      const queue = new BoundedQueue<number>({ maxSize: 1, clock })
      await queue.put(1)
      const controller = new AbortController()
      const gone = watch(queue.join({ signal: controller.signal }))
      const late = watch(queue.join({ timeoutMs: 10 }))
      controller.abort('gone')
      await clock.advance(10)
      expect(gone.error).toBe('gone')
      expect(late.error).toMatchObject({ code: 'ERR_STANDPIPE_TIMED_OUT' })
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
      expect(clock.pendingTimers).toBe(0)
    })
  })

  test('taskDone() more often than items were got is an error', async () => {
    const queue = make(2)
    const words = `${kind}.taskDone(): called more often than items were got`
    expect(() => queue.taskDone()).toThrow(new RangeError(words))
    await queue.put(1)
    expect(() => queue.taskDone()).toThrow(RangeError)
    await queue.get()
    queue.taskDone()
    expect(() => queue.taskDone()).toThrow(RangeError)
  })

  describe('close()', () => {
    test('of an empty queue ends who waits for an item, and every later call', async () => {
      const queue = make(1)
      const got = watch(queue.get())
      expect(queue.close()).toEqual([])
      await queue.join()
      await loopTurns(1)
      expect(got.error).toBeInstanceOf(ClosedError)
      expect(got.error).toMatchObject({
        code: 'ERR_STANDPIPE_CLOSED',
        message: `${kind}.get(): the queue is closed`,
      })
      expect(await rejection(queue.put(1))).toMatchObject({
        message: `${kind}.put(): the queue is closed`,
      })
      expect(thrownBy(() => queue.tryPut(1))).toBeInstanceOf(ClosedError)
      expect(await rejection(queue.get())).toBeInstanceOf(ClosedError)
      expect(queue.tryGet()).toBeNull()
      expect(queue).toMatchObject({ isClosed: true, size: 0, unfinished: 0 })
    })

    test('leaves what is in, and turns away who waits to put', async () => {
      const queue = await filled(make(1), 1)
      const joined = watch(queue.join())
      const put = watch(queue.put(2))
      queue.close()
      expect(queue.size).toBe(1)
      await loopTurns(1)
      expect(put.error).toBeInstanceOf(ClosedError)
      expect(await queue.get()).toBe(1)
      await loopTurns(1)
      expect(joined.state).toBe('pending')
      expect(await rejection(queue.put(3))).toBeInstanceOf(ClosedError)
      expect(await rejection(queue.get())).toBeInstanceOf(ClosedError)
      queue.taskDone()
      await joined.promise
      expect(() => queue.taskDone()).toThrow(RangeError)
    })

    test('without drain gives back what was in, and join() goes on', async () => {
      const queue = await filled(make(3), 1, 2)
      const joined = watch(queue.join())
      const dropped = queue.close({ drain: false })
      expect(dropped.toSorted((a, b) => a - b)).toEqual([1, 2])
      expect(queue).toMatchObject({ size: 0, unfinished: 0 })
      await joined.promise
      await queue.join()
      expect(await rejection(queue.get())).toBeInstanceOf(ClosedError)
      expect(queue.tryGet()).toBeNull()
      expect(() => queue.taskDone()).toThrow(RangeError)
    })

    test('without drain still waits for what was got', async () => {
      const queue = await filled(make(2), 1, 2)
      const joined = watch(queue.join())
      const got = await queue.get()
      expect([got, ...queue.close({ drain: false })].toSorted((a, b) => a - b)).toEqual([1, 2])
      await loopTurns(1)
      expect(joined.state).toBe('pending')
      queue.taskDone()
      expect(() => queue.taskDone()).toThrow(RangeError)
      await joined.promise
    })

    test('may be called again, and may then still drop what is left', async () => {
      const queue = await filled(make(1), 1)
      expect(queue.close()).toEqual([])
      expect(queue.close()).toEqual([])
      expect(queue.close({ drain: false })).toEqual([1])
      expect(queue.close({ drain: false })).toEqual([])
      await queue.join()
    })

    test('tells an abort apart from the end: whichever came first', async () => {
      const queue = make(1)
      const controller = new AbortController()
      const before = watch(queue.get({ signal: controller.signal }))
      controller.abort('gone')
      const after = watch(queue.get())
      queue.close()
      await loopTurns(1)
      expect(before.error).toBe('gone')
      expect(after.error).toBeInstanceOf(ClosedError)
    })

    test('comes at the end of a block, and leaves what is in', async () => {
      const outside = make(2)
      {
        using queue = outside
        queue.tryPut(1)
      }
      expect(outside).toMatchObject({ isClosed: true, size: 1 })
      const other = make(2)
      {
        await using queue = other
        queue.tryPut(1)
      }
      expect(other).toMatchObject({ isClosed: true, size: 1 })
    })
  })

  test('leaves no listener behind after 100,000 operations on one signal', async () => {
    const queue = make(10)
    const { signal } = new AbortController()
    let got = 0
    const taker = async (): Promise<void> => {
      for await (const item of queue.items({ signal })) {
        got += item
        queue.taskDone()
      }
    }
    const takers = [taker(), taker()]
    for (let batch = 0; batch < 100; batch++) {
      const puts = Array.from({ length: 500 }, () => queue.put(1, { signal }))
      expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1)
      await Promise.all(puts)
    }
    await queue.join({ signal })
    queue.close()
    await Promise.all(takers)
    expect(got).toBe(50_000)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})
