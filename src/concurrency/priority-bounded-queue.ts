/** A bounded queue that gives the least item first. All but the order is {@link BoundedQueue}. */
import { BinaryHeap } from './binary-heap.js'
import { BoundedQueue, type BoundedQueueOptions } from './bounded-queue.js'

/** How a {@link PriorityBoundedQueue} is made. */
export interface PriorityBoundedQueueOptions<T> extends BoundedQueueOptions {
  /**
   * Below 0 when `a` comes out before `b`, above 0 when after, 0 when they are equal; as for `Array.sort`. It may
   * not change for items that are in the queue.
   */
  compare: (a: T, b: T) => number
}

/**
 * A queue with a limit that gives the least of its items first (asyncio.PriorityQueue), and of equal ones the one
 * that was put in first. What waits to be put in has no priority yet: puts get room in the order of the calls.
 *
 * ```ts
 * const queue = new PriorityBoundedQueue<Job>({
 *   maxSize: 100,
 *   compare: (a, b) => a.dueMs - b.dueMs,
 * })
 * ```
 */
export class PriorityBoundedQueue<T> extends BoundedQueue<T> {
  /**
   * @throws TypeError when `compare` is no function
   * @throws RangeError unless `maxSize` is a whole number above 0, or Infinity
   */
  constructor(options: PriorityBoundedQueueOptions<T>) {
    if (typeof options.compare !== 'function') {
      throw new TypeError(`compare must be a function, not ${typeof options.compare}`)
    }
    super(options, new BinaryHeap(options.compare))
  }
}
