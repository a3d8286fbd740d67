import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import { ClosedError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { watch } from '../support/settled.js'

const make = <T>(maxSize = Infinity): BoundedQueue<T> => new BoundedQueue<T>({ maxSize })

describe('BoundedQueue, iterated over', () => {
  test('gives the items as they come, and ends when it is closed and empty', async () => {
    const queue = make<string>(1)
    const got: string[] = []
    const loop = (async () => {
      for await (const item of queue) got.push(item)
      got.push('end')
    })()
    for (const item of ['a', 'b', 'c']) await queue.put(item)
    await loopTurns(1)
    expect(got).toEqual(['a', 'b', 'c'])
    queue.close()
    await loop
    expect(got).toEqual(['a', 'b', 'c', 'end'])
  })

  test('gives what is left after close(), and nothing where it was dropped', async () => {
    const contents = async (queue: BoundedQueue<string>): Promise<string[]> => {
      const got: string[] = []
      for await (const item of queue) got.push(item)
      return got
    }
    const drained = make<string>()
    for (const item of ['a', 'b']) drained.tryPut(item)
    drained.close()
    expect(await contents(drained)).toEqual(['a', 'b'])

    const dropped = make<string>()
    dropped.tryPut('a')
    dropped.close({ drain: false })
    expect(await contents(dropped)).toEqual([])
  })

  test('by several gives each item to one of them, and ends for all', async () => {
    const queue = make<number>(2)
    const got: number[][] = [[], [], []]
    const loops = got.map(async (mine) => {
      for await (const item of queue) mine.push(item)
    })
    for (let item = 0; item < 9; item++) await queue.put(item)
    queue.close()
    await Promise.all(loops)
    expect(got.flat().toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    // First come, first served: all of them waited.
    expect(got.map((mine) => mine.length)).toEqual([3, 3, 3])
  })

  test('stands in one line with get(), and close() ends both', async () => {
    const queue = make<number>()
    const loop = queue[Symbol.asyncIterator]()
    const waits = [watch(loop.next()), watch(queue.get()), watch(loop.next()), watch(queue.get())]
    queue.tryPut(1)
    queue.tryPut(2)
    queue.close()
    await loopTurns(1)
    expect(waits.map(({ value }) => value)).toEqual([
      { done: false, value: 1 },
      2,
      { done: true, value: undefined },
      undefined,
    ])
    expect(waits[3]?.error).toBeInstanceOf(ClosedError)
    expect(await loop.next()).toEqual({ done: true, value: undefined })
  })

  test('is left open by a loop that is left, and no item is lost', async () => {
    const queue = make<number>()
    for (const item of [1, 2, 3]) queue.tryPut(item)
    const got: number[] = []
    for await (const item of queue) {
      got.push(item)
      break
    }
    for await (const item of queue) {
      got.push(item)
      if (item === 3) break
    }
    expect(got).toEqual([1, 2, 3])
    expect(queue).toMatchObject({ isClosed: false, waitingGets: 0 })
  })

  test('gives nothing to a loop that was left while it waited', async () => {
    const queue = make<number>()
    const left = queue.items()
    const waits = [watch(left.next()), watch(left.next())]
    const other = watch(queue.get())
    expect(await left.return?.()).toEqual({ done: true, value: undefined })
    queue.tryPut(1)
    await loopTurns(1)
    expect(waits.map(({ value }) => value?.done)).toEqual([true, true])
    expect(other.value).toBe(1)
    queue.tryPut(2)
    expect(await left.next()).toEqual({ done: true, value: undefined })
    expect(queue.size).toBe(1)
  })

  test('keeps items that are promises as they are', async () => {
    const queue = make<Promise<string>>()
    const loop = queue.items()
    const waiting = loop.next()
    const [first, second] = [Promise.resolve('a'), Promise.resolve('b')]
    queue.tryPut(first)
    queue.tryPut(second)
    expect((await waiting).value).toBe(first)
    expect((await loop.next()).value).toBe(second)
    queue.tryPut(first)
    expect(await queue.get()).toBe('a')
  })
})

describe('BoundedQueue.items()', () => {
  test('ends with the reason of its signal, waiting or not, and takes nothing', async () => {
    const queue = make<number>()
    const controller = new AbortController()
    const loop = queue.items({ signal: controller.signal })
    queue.tryPut(1)
    expect(await loop.next()).toEqual({ done: false, value: 1 })
    const waiting = loop.next()
    controller.abort('gone')
    await expect(waiting).rejects.toBe('gone')
    queue.tryPut(2)
    await expect(loop.next()).rejects.toBe('gone')
    expect(queue.size).toBe(1)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  test('has its timeoutMs for each item', async () => {
    const clock = new FakeClock()
    const queue = new BoundedQueue<number>({ maxSize: 1, clock })
    const loop = queue.items({ timeoutMs: 100 })
    for (const item of [1, 2]) {
      const next = loop.next()
      await clock.advance(99)
      queue.tryPut(item)
      expect(await next).toEqual({ done: false, value: item })
    }
    const late = watch(loop.next())
    await clock.advance(100)
    expect(late.error).toMatchObject({ code: 'ERR_STANDPIPE_TIMED_OUT', timeoutMs: 100 })
  })
})
