/**
 * The least item first, and of equal ones the one that came first.
 *
 * Invariant: no item stands before its parent. Where an item goes is found before anything is moved, so that a
 * `compare` that throws leaves everything where it was.
 */
import type { ItemStore } from './item-store.js'

export class BinaryHeap<T> implements ItemStore<T> {
  readonly #compare: (a: T, b: T) => number
  /** The children of the one at `n` are at `2n + 1` and `2n + 2`. */
  readonly #items: T[] = []
  /** When each of them came. */
  readonly #arrivals: number[] = []
  #arrived = 0

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#items.length
  }

  add(item: T): void {
    const arrival = this.#arrived
    const end = this.#items.length
    let place = end
    while (place > 0 && this.#isBefore(item, arrival, parentOf(place))) place = parentOf(place)

    this.#arrived++
    for (let at = end; at !== place; at = parentOf(at)) this.#move(parentOf(at), at)
    this.#items[place] = item
    this.#arrivals[place] = arrival
  }

  take(): T {
    const end = this.#items.length - 1
    const top = this.#items[0] as T
    const path = this.#wayDown(end)

    let place = 0
    for (const child of path) {
      this.#move(child, place)
      place = child
    }
    this.#move(end, place)
    this.#items.pop()
    this.#arrivals.pop()
    return top
  }

  /** The places through which the one at `end` sinks when it stands at the top. */
  #wayDown(end: number): number[] {
    const path: number[] = []
    const item = this.#items[end] as T
    const arrival = this.#arrivals[end] as number
    for (
      let child = this.#lesserChild(0, end);
      child < end;
      child = this.#lesserChild(child, end)
    ) {
      if (this.#isBefore(item, arrival, child)) break
      path.push(child)
    }
    return path
  }

  /** Of the children of `place` that stand before `end`; `end` or above when there is none. */
  #lesserChild(place: number, end: number): number {
    const left = 2 * place + 1
    const right = left + 1
    if (right >= end) return left
    return this.#isBefore(this.#items[right] as T, this.#arrivals[right] as number, left)
      ? right
      : left
  }

  #isBefore(item: T, arrival: number, place: number): boolean {
    const order = this.#compare(item, this.#items[place] as T)
    return order < 0 || (!(order > 0) && arrival < (this.#arrivals[place] as number))
  }

  #move(from: number, to: number): void {
    this.#items[to] = this.#items[from] as T
    this.#arrivals[to] = this.#arrivals[from] as number
  }
}

function parentOf(place: number): number {
  return (place - 1) >> 1
}
