/**
 * A clock that stands still until a test moves it. It has no timers of its own, so a test that uses it takes
 * no time: a deadline of five minutes is one `await clock.advance(300_000)`.
 */
import type { Clock } from '../concurrency/clock.js'

/** Node raises shorter delays to this, so that a timer that sets itself anew cannot stop the clock. */
const MIN_DELAY_MS = 1

/**
 * Loop turns after each timer. Arbitrary, but more than the longest chain that one timer sets off in the kit:
 * flush, FIN, delivery, end, close.
 */
const TURNS_AFTER_TIMER = 8

interface FakeTimer {
  readonly callback: () => void
  readonly dueMs: number
}

/**
 * A {@link Clock} for tests.
 *
 * ```ts
 * const clock = new FakeClock()
 * clock.setTimeout(() => console.log('late'), 5_000)
 * await clock.advance(4_999) // nothing
 * await clock.advance(1) // late
 * ```
 */
export class FakeClock implements Clock {
  #nowMs: number
  readonly #timers = new Set<FakeTimer>()
  #advancing: Promise<void> = Promise.resolve()

  /**
   * @param startMs What `now()` says at first, in milliseconds. @default 0
   * @throws RangeError for a start that is no finite number
   */
  constructor(startMs = 0) {
    if (!Number.isFinite(startMs)) {
      throw new RangeError(`startMs must be a number of milliseconds, not ${startMs}`)
    }
    this.#nowMs = startMs
  }

  /** Timers that are set and have neither fired nor been cleared: 0 at the end of a test without leaks. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#nowMs
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const delay = delayMs >= MIN_DELAY_MS ? delayMs : MIN_DELAY_MS
    const timer: FakeTimer = { callback, dueMs: this.#nowMs + delay }
    this.#timers.add(timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as FakeTimer)
  }

  /**
   * Moves the time on by `ms` milliseconds and fires what falls due on the way, in order of time and then of
   * setting, timers that were set on the way included. After each timer, and at both ends, a few turns of the
   * real loop pass, so that promises settle and memory transports deliver. Calls at once run one after the other.
   *
   * @throws what a timer's callback throws; the rest of the way is then not gone.
   * @throws RangeError for an `ms` that is negative or not a number.
   */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`ms must be a number of milliseconds, not ${ms}`)
    const advanced = this.#advancing.then(() => this.#advance(ms))
    this.#advancing = advanced.catch(() => {})
    return advanced
  }

  async #advance(ms: number): Promise<void> {
    await loopTurns(TURNS_AFTER_TIMER)
    const targetMs = this.#nowMs + ms
    for (let timer = this.#nextUntil(targetMs); timer; timer = this.#nextUntil(targetMs)) {
      this.#timers.delete(timer)
      this.#nowMs = timer.dueMs
      timer.callback()
      await loopTurns(TURNS_AFTER_TIMER)
    }
    this.#nowMs = targetMs
    await loopTurns(1)
  }

  /** A set keeps the order of setting, so the first of equal times is the one that was set first. */
  #nextUntil(targetMs: number): FakeTimer | undefined {
    let next: FakeTimer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs <= targetMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer
    }
    return next
  }
}

/** Lets `count` turns of the loop pass: whatever was ready, timers apart, has happened afterwards. */
export async function loopTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
