/**
 * Calls at intervals and never keeps the process alive: what monitors take their samples by. Ticks that a busy loop
 * has missed are not made up for.
 *
 * Invariant: at most one timer, and none while it is stopped.
 */
import type { Clock } from '../concurrency/clock.js'

/** Calls `tick` each `intervalMs` between `start()` and `stop()`. What it throws is thrown by the timer. */
export class Ticker {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #tick: () => void
  #timer: unknown
  #isRunning = false

  constructor(clock: Clock, intervalMs: number, tick: () => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#tick = tick
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** Begins; the first tick is an interval away. Does nothing while it runs. */
  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#arm()
  }

  /** Ends. Any number of calls. */
  stop(): void {
    this.#isRunning = false
    this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(): void {
    const timer = this.#clock.setTimeout(() => {
      // Before the tick, which may stop it, or throw.
      this.#arm()
      this.#tick()
    }, this.#intervalMs)
    // A timer of Node's; a clock of a test gives what it likes.
    ;(timer as Partial<NodeJS.Timeout> | undefined)?.unref?.()
    this.#timer = timer
  }
}
