/**
 * The pauses of an iteration, one at a time. One that is called off never ends: whoever waits for it has been told by
 * then that the iteration has.
 */
import { setAlarm } from './alarm.js'
import type { Clock } from './clock.js'

const NOTHING = (): void => {}

/** @internal */
export class Pause {
  readonly #clock: Clock
  #callOff = NOTHING

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when `ms` milliseconds have passed. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#callOff = setAlarm(resolve, ms, this.#clock)
    })
  }

  /** Leaves no timer. */
  callOff(): void {
    this.#callOff()
  }
}
