/**
 * A call that is given up when its time is over, whether it heeds its signal or not: for what somebody else has
 * written and everybody waits for. What it comes to later still has an owner.
 */
import { onAbort, raceAbort } from './abort.js'
import { AbortScope } from './abort-scope.js'
import type { Clock } from './clock.js'
import { startTask, type TaskFunction } from './start-task.js'

/** How {@link callWithin} calls. */
export interface CallWithinOptions<T> {
  /** What is called, for messages. */
  readonly what: string
  /** How long it may take, in milliseconds; `Infinity` for no limit. */
  readonly timeoutMs: number
  readonly clock: Clock
  /** Is passed on to the function, which is waited for all the same. */
  readonly signal?: AbortSignal | undefined
  /** Ends the wait at once, as the end of the time does. */
  readonly giveUp?: AbortSignal | undefined
  /** Gets what the function gives after it was given up. */
  readonly onLateValue?: (value: T) => void
  /** Gets what it throws after it was given up, unless that is nothing but its abort. */
  readonly onLateError?: (error: unknown) => void
}

/**
 * Calls `fn(signal)` and settles as it does, or rejects with a TimeoutError (phase `call`) when `timeoutMs` are over.
 * The signal of the function aborts then.
 */
export async function callWithin<T>(
  fn: TaskFunction<T>,
  { what, timeoutMs, clock, signal, giveUp, onLateValue, onLateError }: CallWithinOptions<T>,
): Promise<T> {
  const limit = new AbortScope([giveUp], { timeoutMs, clock, what })
  const call = new AbortScope([signal, limit.signal])
  let isGivenUp = limit.signal.aborted
  const stopListening = onAbort(limit.signal, () => (isGivenUp = true))
  const running = startTask(fn, call.signal)
  running.then(
    (value) => {
      if (isGivenUp) onLateValue?.(value)
    },
    (error: unknown) => {
      if (isGivenUp && !call.explains(error)) onLateError?.(error)
    },
  )
  try {
    return await raceAbort(running, limit.signal)
  } finally {
    stopListening()
    limit.close()
    call.close()
  }
}
