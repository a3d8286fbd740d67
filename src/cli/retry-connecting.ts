/**
 * Connecting again when it has failed, with pauses that grow: for a server that is about to start. What happens on
 * a connection that was made is none of its business.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { StandpipeError } from '../errors.js'

/** The longest that the first pause can be; each next one can be twice as long … */
const FIRST_PAUSE_MS = 250
/** … up to this, so that a server that comes back is found soon. */
const LONGEST_PAUSE_MS = 10_000

/** An attempt that failed and is not the last one. */
export interface FailedAttempt {
  /** Which one it was, from 1. */
  readonly attempt: number
  readonly error: Error
  /** How long the pause before the next one is. */
  readonly pauseMs: number
}

export interface RetryOptions {
  /** How often it is tried again; Infinity for no bound. */
  readonly retries: number
  /** Ends attempts and pauses at once. */
  readonly signal: AbortSignal
  /** Is told of each attempt that failed, but for the last. */
  readonly onFailure: (failed: FailedAttempt) => void
  /** From 0 to 1. @default Math.random */
  readonly random?: () => number
}

/**
 * Calls `connect` until it gives a connection, at most once more than `retries`.
 *
 * @throws the error of the last attempt, or one that trying again cannot mend
 * @throws the signal's reason when it aborts
 */
export async function retryConnecting<T>(
  connect: () => Promise<T>,
  { retries, signal, onFailure, random = Math.random }: RetryOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect()
    } catch (error) {
      signal.throwIfAborted()
      const mayHelp = error instanceof StandpipeError && error.retryable
      if (!mayHelp || attempt > retries) throw error
      const pauseMs = Math.round(random() * longestPauseMs(attempt))
      onFailure({ attempt, error, pauseMs })
      await pause(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}

/** Full jitter: a crowd of clients whose server has restarted should not come back all at once. */
function longestPauseMs(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1))
}
