/**
 * A time limit for work of several steps. Single calls of the kit take `timeoutMs` themselves.
 *
 * It never leaves work behind: it tells the work through its signal that time is over, and waits until it has ended.
 * Whoever would rather not wait for it uses `shield` with a `timeoutMs`.
 */
import { TimeoutError } from '../errors.js'
import { AbortScope } from './abort-scope.js'
import type { Clock } from './clock.js'
import { checkFunction, type TaskFunction } from './start-task.js'
import { watchUnawaited } from './unawaited.js'

/** What {@link withTimeout} takes. */
export interface TimeoutOptions {
  /** Aborts the signal of the function with the same reason. */
  signal?: AbortSignal | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
  /** What it is that takes the time, for the message. @default the name of the function */
  what?: string | undefined
}

/**
 * Runs `fn(signal)` and gives its result, in `ms` milliseconds or less. When they are over, the signal aborts, and
 * the call rejects **as soon as the function has settled**: its clean-up is through by then. A function that does not
 * heed its signal is waited for, however long it takes.
 *
 * ```ts
 * const greeting = await withTimeout(async (signal) => {
 *   await using connection = await openConnection({ port: 8888, signal })
 *   return await connection.reader.readLine({ signal })
 * }, 5_000)
 * ```
 *
 * A value that comes late is the result all the same, and an error that is not the abort comes out as it is. When the
 * limit and the outer signal both come about, the outer signal's reason wins, also if it came second: so of nested
 * limits the outer one does. Infinity is no limit. With 0 or less, which is what is left of a time that is used up, the
 * function is not run.
 *
 * asyncio: `timeout(delay)`, `wait_for(aw, timeout)`.
 *
 * @throws TimeoutError (phase `call`) when the time is over and the function ended with that
 * @throws the outer signal's reason when it aborts; when it has before, the function is not run
 * @throws what the function throws
 * @throws RangeError when `ms` is not a number, TypeError when `fn` is no function
 */
export function withTimeout<T>(
  fn: TaskFunction<T>,
  ms: number,
  options: TimeoutOptions = {},
): Promise<T> {
  return watchUnawaited(limited(fn, ms, options), 'withTimeout()')
}

async function limited<T>(fn: TaskFunction<T>, ms: number, options: TimeoutOptions): Promise<T> {
  checkFunction(fn)
  if (typeof ms !== 'number' || Number.isNaN(ms)) {
    throw new RangeError(`ms must be a number of milliseconds, not ${ms}`)
  }
  const { signal, clock, what = fn.name || 'withTimeout()' } = options
  signal?.throwIfAborted()
  if (ms <= 0) throw new TimeoutError(`${what}: not begun, with ${ms} ms left`, 'call', ms)
  return new AbortScope([signal], { timeoutMs: ms, clock, what }).run(fn)
}
