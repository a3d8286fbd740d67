/** A bounded queue that gives the newest item first. All but the order is {@link BoundedQueue}. */
import { BoundedQueue, type BoundedQueueOptions } from './bounded-queue.js'
import type { ItemStore } from './item-store.js'

class Stack<T> implements ItemStore<T> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  add(item: T): void {
    this.#items.push(item)
  }

  take(): T {
    return this.#items.pop() as T
  }
}

/** A queue with a limit that gives what was put in last first (asyncio.LifoQueue). */
export class LifoBoundedQueue<T> extends BoundedQueue<T> {
  /** @throws RangeError unless `maxSize` is a whole number above 0, or Infinity */
  constructor(options: BoundedQueueOptions) {
    super(options, new Stack<T>())
  }
}
