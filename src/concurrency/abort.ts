import { setMaxListeners } from 'node:events'

/** What every call that waits takes. */
export interface WaitOptions {
  /** Ends the wait; the call rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
  /** Ends the wait after so many milliseconds with a TimeoutError. */
  timeoutMs?: number | undefined
}

const NOTHING = (): void => {}

/**
 * Signals that were told to take any number of listeners: one for all that a program does is no leak, but Node 20
 * warns of one at the eleventh call that waits.
 */
const unlimited = new WeakSet<AbortSignal>()

/** Calls `listener` once when the signal aborts; the function it gives back stops listening. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return NOTHING
  if (!unlimited.has(signal)) {
    unlimited.add(signal)
    setMaxListeners(Infinity, signal)
  }
  signal.addEventListener('abort', listener, { once: true })
  return () => {
    signal.removeEventListener('abort', listener)
  }
}

/** Settles as the promise does, or rejects with the signal's reason as soon as it aborts. The promise itself goes on. */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    promise.catch(NOTHING)
    return Promise.reject(signal.reason)
  }
  return new Promise<T>((resolve, reject) => {
    const stopListening = onAbort(signal, () => {
      reject(signal.reason)
    })
    promise.then(
      (value) => {
        stopListening()
        resolve(value)
      },
      (error: unknown) => {
        stopListening()
        reject(error)
      },
    )
  })
}

/** Checks a `timeoutMs`. @throws RangeError unless it is undefined or a number above 0. */
export function checkTimeout(timeoutMs: number | undefined, name = 'timeoutMs'): void {
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new RangeError(`${name} must be a number of milliseconds above 0, not ${timeoutMs}`)
  }
}
