/** Monotonic time and timers, so that tests can bring their own. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number
  /** Calls once, not before `delayMs` have passed; never, for Infinity. */
  setTimeout(callback: () => void, delayMs: number): unknown
  clearTimeout(timer: unknown): void
}

/** What Node's setTimeout takes at most, about 25 days; above it fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** The clock of the process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) =>
    delayMs === Infinity ? undefined : setTimeout(callback, Math.min(delayMs, MAX_TIMER_MS)),
  clearTimeout: (timer) => {
    clearTimeout(timer as NodeJS.Timeout)
  },
}
