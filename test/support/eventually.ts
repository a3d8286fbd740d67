/**
 * The one helper that polls: for what has no event to wait for, such as a counter of another process.
 * Where there is an event, wait for the event.
 */

// Taken at load, so that a test's fake clock does not stop the polling.
const setTimer = globalThis.setTimeout
const clearTimer = globalThis.clearTimeout
const now = performance.now.bind(performance)

interface EventuallyOptions {
  timeoutMs?: number
  intervalMs?: number
  /** What is waited for, as a phrase for the message: "the socket file is gone". */
  what?: string
}

/**
 * Calls `check` until it neither throws nor gives `false`, and gives its value.
 * @throws Error after `timeoutMs`, with `what` in the message and the last error as its cause.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 5000, intervalMs = 5, what = 'the condition' }: EventuallyOptions = {},
): Promise<T> {
  const start = now()
  let lastError: unknown = new Error('the check gave false')

  for (;;) {
    const leftMs = timeoutMs - (now() - start)
    try {
      const value = await within(leftMs, check)
      if (value !== false) return value
      lastError = new Error('the check gave false')
    } catch (error) {
      lastError = error
    }
    if (now() - start >= timeoutMs) {
      const reason = lastError instanceof Error ? lastError.message : String(lastError)
      throw new Error(`${what}: not within ${timeoutMs} ms: ${reason}`, { cause: lastError })
    }
    await new Promise<void>((resolve) => setTimer(resolve, intervalMs))
  }
}

/** Rejects when `check` is still pending after `ms`: a hung check must not hide which one hung. */
async function within<T>(ms: number, check: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimer(() => reject(new Error('the check did not settle')), Math.max(ms, 1))
  })
  try {
    return await Promise.race([check(), late])
  } finally {
    clearTimer(timer)
  }
}
