/** Where a queue keeps its items, and in which order it gives them. */

/** The order of a {@link BoundedQueue}. It has no limit of its own, and nobody waits for it. */
export interface ItemStore<T> {
  /** How many items are in. */
  readonly size: number
  /** Takes an item in. When it throws, it has not. */
  add(item: T): void
  /** Gives the next item out. Only called while `size` is above 0. When it throws, the item is still in. */
  take(): T
}
