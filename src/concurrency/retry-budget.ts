/**
 * How much may be retried, by all who share it: a bucket of tokens. Each call puts a part of a token in, each retry
 * takes one out, and a retry that finds none is not made. So a server that is down gets a tenth more calls than
 * it would without retries, however many callers there are, and not three times as many.
 *
 * Invariant: in any stretch of time, retries <= `burst` + `ratio` × calls + `minPerSecond` × seconds.
 */
import { systemClock, type Clock } from './clock.js'

/** What a {@link RetryBudget} takes. */
export interface RetryBudgetOptions {
  /** Retries for each call that is made. @default 0.1 */
  ratio?: number | undefined
  /** Retries a second on top, so that a caller who calls seldom can retry as well. @default 1 */
  minPerSecond?: number | undefined
  /** How many retries can be saved up; there are so many at first. @default 10 */
  burst?: number | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
}

/** Tokens are counted in millionths: ten tenths are then exactly one. */
const ONE = 1_000_000

/**
 * A budget of retries for many callers; make one for each server that is called, and give it to each {@link retry}.
 *
 * ```ts
 * const budget = new RetryBudget()
 * const reply = await retry(() => ask('PING'), { budget })
 * ```
 */
export class RetryBudget {
  readonly #perCall: number
  readonly #perMs: number
  readonly #capacity: number
  readonly #clock: Clock
  #tokens: number
  #filledAtMs: number

  /** @throws RangeError when an option is negative or not a number, or `burst` is below 1 */
  constructor(options: RetryBudgetOptions = {}) {
    const { ratio = 0.1, minPerSecond = 1, burst = 10, clock = systemClock } = options
    checkAtLeast(0, 'ratio', ratio)
    checkAtLeast(0, 'minPerSecond', minPerSecond)
    checkAtLeast(1, 'burst', burst)
    this.#perCall = Math.round(ratio * ONE)
    this.#perMs = (minPerSecond * ONE) / 1000
    this.#capacity = burst * ONE
    this.#clock = clock
    this.#tokens = this.#capacity
    this.#filledAtMs = clock.now()
  }

  /** How many retries it would allow now. */
  get available(): number {
    this.#trickle()
    return Math.floor(this.#tokens / ONE)
  }

  /** A call is made. `retry` says so by itself, once for all its attempts. */
  deposit(): void {
    this.#trickle()
    this.#add(this.#perCall)
  }

  /** Takes what one retry costs; false when there is not so much, and nothing is taken. */
  tryWithdraw(): boolean {
    this.#trickle()
    if (this.#tokens < ONE) return false
    this.#tokens -= ONE
    return true
  }

  #trickle(): void {
    const nowMs = this.#clock.now()
    this.#add((nowMs - this.#filledAtMs) * this.#perMs)
    this.#filledAtMs = nowMs
  }

  #add(tokens: number): void {
    this.#tokens = Math.min(this.#tokens + tokens, this.#capacity)
  }
}

function checkAtLeast(least: number, name: string, value: number): void {
  if (value >= least && value < Infinity) return
  throw new RangeError(`${name} must be a number, ${least} or more, not ${value}`)
}
