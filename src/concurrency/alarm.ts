/**
 * A callback after any length of time. Node's timers fire at once when they are set for more than about 25 days, and
 * a clock that clamps them fires early: here a long time is several timers, one after the other.
 */
import { MAX_TIMER_MS, type Clock } from './clock.js'

const NOTHING = (): void => {}

/** Calls once, when `delayMs` have passed; never, for Infinity. The function it gives back calls it off. */
export function setAlarm(callback: () => void, delayMs: number, clock: Clock): () => void {
  if (delayMs === Infinity) return NOTHING
  let timer: unknown
  const arm = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, MAX_TIMER_MS)
    const onTime = leftMs > stepMs ? () => arm(leftMs - stepMs) : callback
    timer = clock.setTimeout(onTime, stepMs)
  }
  arm(delayMs)
  return () => {
    clock.clearTimeout(timer)
  }
}
