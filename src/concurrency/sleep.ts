/** Waiting for time to pass. */
import { onAbort } from './abort.js'
import { setAlarm } from './alarm.js'
import { systemClock, type Clock } from './clock.js'
import { watchUnawaited } from './unawaited.js'

/** What {@link sleep} takes. */
export interface SleepOptions {
  /** Ends the sleep; it rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
}

/**
 * Resolves when `ms` milliseconds have passed, any number of them. 0 lets one turn of the event loop pass, so that
 * others come to their turn; Infinity waits for the signal alone. An abort leaves no timer and no listener behind.
 *
 * ```ts
 * await sleep(1_000, { signal })
 * ```
 *
 * asyncio: `sleep(delay)`, where a negative delay counts as 0.
 *
 * @throws the signal's reason when it aborts, also if it has before
 * @throws RangeError when `ms` is negative or not a number
 */
export function sleep(ms: number, options: SleepOptions = {}): Promise<void> {
  return watchUnawaited(slept(ms, options), 'sleep()')
}

function slept(ms: number, { signal, clock = systemClock }: SleepOptions): Promise<void> {
  if (signal?.aborted === true) return Promise.reject(signal.reason)
  if (!(ms >= 0)) {
    return Promise.reject(
      new RangeError(`ms must be a number of milliseconds, 0 or more, not ${ms}`),
    )
  }
  return new Promise<void>((resolve, reject) => {
    const wake = (): void => {
      stopListening()
      resolve()
    }
    const callOff = ms === 0 ? onNextTurn(wake) : setAlarm(wake, ms, clock)
    const stopListening = onAbort(signal, () => {
      callOff()
      reject(signal?.reason)
    })
  })
}

/** Node raises a timer of 0 ms to 1 ms, which is long for letting others come to their turn. */
function onNextTurn(callback: () => void): () => void {
  const immediate = setImmediate(callback)
  return () => {
    clearImmediate(immediate)
  }
}
