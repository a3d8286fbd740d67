/**
 * First in, first out, in a circle of slots: no item is ever moved but when the circle grows or shrinks.
 *
 * Invariant: a slot that has been given out holds nothing, and the circle is never more than four times as large
 * as what is in (above its least size), so that a burst does not stay in memory.
 */
import type { ItemStore } from './item-store.js'

/** A power of two, as every size of the circle. Arbitrary; a typical queue of work holds so many. */
const MIN_SLOTS = 16

export class RingBuffer<T> implements ItemStore<T> {
  #slots: (T | undefined)[] = Array.from({ length: MIN_SLOTS })
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  add(item: T): void {
    if (this.#size === this.#slots.length) this.#resize(this.#slots.length * 2)
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = item
    this.#size++
  }

  take(): T {
    const slots = this.#slots
    const item = slots[this.#head] as T
    slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (slots.length - 1)
    this.#size--
    if (slots.length > MIN_SLOTS && this.#size <= slots.length / 4) this.#resize(slots.length / 2)
    return item
  }

  #resize(length: number): void {
    const slots: (T | undefined)[] = []
    const mask = this.#slots.length - 1
    for (let at = 0; at < this.#size; at++) slots.push(this.#slots[(this.#head + at) & mask])
    while (slots.length < length) slots.push(undefined)
    this.#slots = slots
    this.#head = 0
  }
}
