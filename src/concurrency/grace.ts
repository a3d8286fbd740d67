/** How long something that ends may still take: set by the first who says so, and made shorter by others, never longer. */
import { refuseWait, type WaitOptions } from './abort.js'
import { setAlarm } from './alarm.js'
import type { Clock } from './clock.js'

/** Checks a `graceMs`. @throws RangeError unless it is a number, 0 or more */
export function checkGrace(graceMs: number): void {
  if (graceMs >= 0) return
  throw new RangeError(`graceMs must be a number of milliseconds, 0 or more, not ${graceMs}`)
}

/** As `refuseWait`, of a call that ends something within a `graceMs`. */
export function refuseEnd(options: WaitOptions, graceMs: number): Promise<never> | undefined {
  const refused = refuseWait(options)
  if (refused !== undefined) return refused
  try {
    checkGrace(graceMs)
    return undefined
  } catch (error) {
    return Promise.reject(error)
  }
}

export class Grace {
  readonly #onEnd: () => void
  readonly #clock: Clock
  #dueMs = Infinity
  #callOff: () => void = () => {}
  #isOver = false

  /** @param onEnd Is called once, when the grace is over, and not after `close()`. */
  constructor(onEnd: () => void, clock: Clock) {
    this.#onEnd = onEnd
    this.#clock = clock
  }

  /** Lets it end so many milliseconds from now, unless it ends earlier; with 0 at once. */
  limit(graceMs: number): void {
    const dueMs = this.#clock.now() + graceMs
    if (this.#isOver || dueMs >= this.#dueMs) return
    this.#callOff()
    this.#dueMs = dueMs
    if (graceMs === 0) this.#end()
    else this.#callOff = setAlarm(() => this.#end(), graceMs, this.#clock)
  }

  /** It is needed no more. */
  close(): void {
    this.#isOver = true
    this.#callOff()
  }

  #end(): void {
    this.#isOver = true
    this.#onEnd()
  }
}
