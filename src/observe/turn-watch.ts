/**
 * How long each turn of the event loop keeps the program busy: from one check phase to the next, without the time in
 * which the loop waits for something to happen. A turn may run several callbacks, with all their promise jobs.
 *
 * An immediate that is not ref'd runs in every turn, but neither makes one nor keeps the process alive. (A timer that
 * measures how late it is would blame a turn for what it lacks to the next beat, and wake an idle process.)
 *
 * Invariant: at most one immediate, and none while it is stopped.
 */
import { performance } from 'node:perf_hooks'

/** What a {@link TurnWatch} tells, and its clocks. */
export interface TurnWatchOptions {
  /** Called at the end of each turn with how long it was busy, in milliseconds. */
  onTurn: (busyMs: number) => void
  /** Milliseconds on a monotonic clock. @default `performance.now` */
  now?: (() => number) | undefined
  /** For how many milliseconds the loop has waited in all. @default that of `performance.eventLoopUtilization()` */
  idle?: (() => number) | undefined
}

/** Watches the turns of this thread's loop. Costs about 0.2 µs a turn. */
export class TurnWatch {
  readonly #onTurn: (busyMs: number) => void
  readonly #now: () => number
  readonly #idle: () => number
  #sinceMs = 0
  #idleMs = 0
  #immediate: NodeJS.Immediate | undefined

  constructor({
    onTurn,
    now = () => performance.now(),
    idle = () => performance.eventLoopUtilization().idle,
  }: TurnWatchOptions) {
    this.#onTurn = onTurn
    this.#now = now
    this.#idle = idle
  }

  /** Begins in the middle of a turn, of which the rest counts. Does nothing while it runs. */
  start(): void {
    if (this.#immediate !== undefined) return
    this.skip()
    this.#arm()
  }

  /** Leaves out what has passed of this turn so far. */
  skip(): void {
    this.#sinceMs = this.#now()
    this.#idleMs = this.#idle()
  }

  /** Ends, and tells of the turn that it is stopped in. Any number of calls. */
  stop(): void {
    if (this.#immediate === undefined) return
    clearImmediate(this.#immediate)
    this.#immediate = undefined
    this.#look()
  }

  #arm(): void {
    this.#immediate = setImmediate(this.#endOfTurn).unref()
  }

  readonly #endOfTurn = (): void => {
    this.#arm()
    this.#look()
  }

  #look(): void {
    const nowMs = this.#now()
    const idleMs = this.#idle()
    const busyMs = nowMs - this.#sinceMs - (idleMs - this.#idleMs)
    this.#sinceMs = nowMs
    this.#idleMs = idleMs
    // The two clocks are read one after the other.
    this.#onTurn(Math.max(0, busyMs))
  }
}
