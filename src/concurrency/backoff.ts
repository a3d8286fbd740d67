/** How long to wait before trying again, after so many failures in a row. */

/** How the pauses between attempts grow. */
export interface BackoffOptions {
  /** The longest that the first pause can be, in milliseconds; each next one can be twice as long … @default 100 */
  baseMs?: number | undefined
  /** … up to this. @default 10000 */
  maxDelayMs?: number | undefined
  /** From 0 to 1. @default Math.random */
  random?: (() => number) | undefined
}

/** Beyond it doubling is no longer exact, and any `maxDelayMs` is long reached. */
const MOST_DOUBLINGS = 52

export class Backoff {
  readonly #baseMs: number
  readonly #maxDelayMs: number
  readonly #random: () => number

  /** @throws RangeError when an option is no number of milliseconds */
  constructor({ baseMs = 100, maxDelayMs = 10_000, random = Math.random }: BackoffOptions) {
    checkDelay('baseMs', baseMs)
    checkDelay('maxDelayMs', maxDelayMs)
    this.#baseMs = baseMs
    this.#maxDelayMs = maxDelayMs
    this.#random = random
  }

  /**
   * The pause after the nth failure in a row, in milliseconds: anything from 0 to min(`maxDelayMs`, `baseMs` × 2ⁿ⁻¹)
   * (full jitter: a crowd of callers whose server has gone does not come back all at once).
   */
  delayMs(failures: number): number {
    const ceilingMs = this.#baseMs * 2 ** Math.min(failures - 1, MOST_DOUBLINGS)
    return Math.floor(this.#random() * Math.min(this.#maxDelayMs, ceilingMs))
  }
}

function checkDelay(name: string, ms: number): void {
  if (ms >= 0 && ms < Infinity) return
  throw new RangeError(`${name} must be a number of milliseconds, 0 or more, not ${ms}`)
}
