/** What keeps the items of the queues, and what becomes of a queue whose store fails. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BinaryHeap } from '../../src/concurrency/binary-heap.js'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import type { ItemStore } from '../../src/concurrency/item-store.js'
import { PriorityBoundedQueue } from '../../src/concurrency/priority-bounded-queue.js'
import { RingBuffer } from '../../src/concurrency/ring-buffer.js'
import { rejection, watch } from '../support/settled.js'

/** An item whose priority many share, so that the order of equals shows. */
interface Job {
  readonly priority: number
  readonly number: number
}

const byPriority = (a: Job, b: Job): number => a.priority - b.priority

describe('RingBuffer', () => {
  test('is first in, first out, however it grows, shrinks and goes round', () => {
    const property = fc.property(fc.array(fc.integer({ min: -60, max: 60 })), (moves) => {
      const ring = new RingBuffer<number>()
      const list: number[] = []
      let next = 0
      for (const move of moves) {
        for (let n = 0; n < move; n++) {
          ring.add(next)
          list.push(next++)
        }
        for (let n = 0; n > move && list.length > 0; n--) expect(ring.take()).toBe(list.shift())
        expect(ring.size).toBe(list.length)
      }
      while (list.length > 0) expect(ring.take()).toBe(list.shift())
    })
    fc.assert(property)
  })
})

describe('BinaryHeap', () => {
  test('gives what a stable sort gives', () => {
    const property = fc.property(fc.array(fc.nat(9)), (priorities) => {
      const heap = new BinaryHeap<Job>(byPriority)
      const jobs = priorities.map((priority, number) => ({ priority, number }))
      for (const job of jobs) heap.add(job)
      expect(jobs.map(() => heap.take())).toEqual(jobs.toSorted(byPriority))
      expect(heap.size).toBe(0)
    })
    fc.assert(property)
  })

  test('stays as it is when a comparison throws', () => {
    const property = fc.property(
      fc.array(fc.nat(9), { minLength: 2 }),
      fc.nat(4),
      (priorities, at) => {
        let left = Infinity
        const heap = new BinaryHeap<Job>((a, b) => {
          if (left-- === 0) throw new Error('cannot compare')
          return byPriority(a, b)
        })
        const jobs = priorities.map((priority, number) => ({ priority, number }))
        for (const job of jobs) {
          left = at
          try {
            heap.add(job)
          } catch {
            left = Infinity
            heap.add(job)
          }
        }
        const out: Job[] = []
        while (heap.size > 0) {
          left = at
          try {
            out.push(heap.take())
          } catch {
            left = Infinity
            out.push(heap.take())
          }
        }
        expect(out).toEqual(jobs.toSorted(byPriority))
      },
    )
    fc.assert(property)
  })

  test('takes what compare says for equal when it is no number', () => {
    const heap = new BinaryHeap<string>(() => NaN)
    for (const item of ['b', 'a', 'c']) heap.add(item)
    expect([heap.take(), heap.take(), heap.take()]).toEqual(['b', 'a', 'c'])
  })
})

describe('PriorityBoundedQueue', () => {
  test('needs a function to compare with', () => {
    const options = { maxSize: 1 } as ConstructorParameters<typeof PriorityBoundedQueue>[0]
    expect(() => new PriorityBoundedQueue(options)).toThrow(
      new TypeError('compare must be a function, not undefined'),
    )
  })

  const picky = (maxSize: number): PriorityBoundedQueue<number> =>
    new PriorityBoundedQueue({
      maxSize,
      compare: (a, b) => {
        if (Number.isNaN(a + b)) throw new Error('NaN has no place')
        return a - b
      },
    })

  test('whose compare throws rejects that put, and is as it was', async () => {
    const queue = picky(3)
    await queue.put(1)
    await expect(queue.put(NaN)).rejects.toThrow('NaN has no place')
    expect(() => queue.tryPut(NaN)).toThrow('NaN has no place')
    expect(queue).toMatchObject({ size: 1, unfinished: 1 })
    expect(await queue.get()).toBe(1)
  })

  test('whose compare throws for an item that waited turns that one away, and no other', async () => {
    const queue = picky(2)
    await queue.put(1)
    await queue.put(2)
    const [bad, good] = [queue.put(NaN), watch(queue.put(3))]
    expect(await queue.get()).toBe(1)
    await expect(bad).rejects.toThrow('NaN has no place')
    expect(queue.tryGet()).toBe(2)
    await good.promise
    expect(queue.tryGet()).toBe(3)
  })
})

describe('BoundedQueue with a store of its own', () => {
  /** Gives items with the same text once. */
  class Distinct implements ItemStore<string> {
    readonly #items = new Set<string>()
    readonly #mayTake: () => boolean
    constructor(mayTake: () => boolean) {
      this.#mayTake = mayTake
    }
    get size(): number {
      return this.#items.size
    }
    add(item: string): void {
      this.#items.add(item)
    }
    take(): string {
      if (!this.#mayTake()) throw new Error('not now')
      const [item] = this.#items
      this.#items.delete(item as string)
      return item as string
    }
  }

  test('keeps and orders its items there', async () => {
    const queue = new BoundedQueue({ maxSize: 5 }, new Distinct(() => true))
    for (const item of ['a', 'b', 'a']) await queue.put(item)
    expect(queue.unfinished).toBe(2)
    expect([queue.tryGet(), queue.tryGet(), queue.tryGet()]).toEqual(['a', 'b', undefined])
  })

  test('rejects the get whose item the store cannot give', async () => {
    let mayTake = false
    const queue = new BoundedQueue({ maxSize: 5 }, new Distinct(() => mayTake))
    await queue.put('a')
    expect(await rejection(queue.get())).toMatchObject({ message: 'not now' })
    expect(await rejection(queue.items().next())).toMatchObject({ message: 'not now' })
    expect(() => queue.tryGet()).toThrow('not now')
    expect(queue).toMatchObject({ size: 1, unfinished: 1 })
    mayTake = true
    expect(await queue.get()).toBe('a')
  })
})
