/** A clock whose timers fire when a test says so, within the same moment: for tests of what comes first. */
import type { Clock } from '../../src/concurrency/clock.js'

export class HeldTimers implements Clock {
  readonly #timers = new Map<object, () => void>()

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size
  }

  /** What the clock says; it moves only by hand, and fires nothing by that. */
  nowMs = 0

  now(): number {
    return this.nowMs
  }

  setTimeout(callback: () => void): unknown {
    const timer = {}
    this.#timers.set(timer, callback)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as object)
  }

  /** Fires all that are set now, in the order of setting. */
  fire(): void {
    const set = Array.from(this.#timers)
    for (const [timer, callback] of set) if (this.#timers.delete(timer)) callback()
  }
}
