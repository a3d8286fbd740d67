/** How a task is called: at once, with the signal that says when it is no longer wanted. */

/** The work of a task. It should end soon after its signal has aborted, with `signal.reason`. */
export type TaskFunction<T> = (signal: AbortSignal) => T | PromiseLike<T>

/** Calls the function now; what it throws is a rejection as well. */
export function startTask<T>(fn: TaskFunction<T>, signal: AbortSignal): Promise<T> {
  try {
    return Promise.resolve(fn(signal))
  } catch (error) {
    return Promise.reject(error)
  }
}

/** @throws TypeError unless it is a function */
export function checkFunction(fn: unknown, name = 'fn'): void {
  if (typeof fn !== 'function') {
    throw new TypeError(`${name} must be a function, not ${fn === null ? 'null' : typeof fn}`)
  }
}
