/** A wait that can end before the work does. */
import { raceAbort, refuseWait, type WaitOptions } from './abort.js'
import { AbortScope } from './abort-scope.js'
import type { Clock } from './clock.js'

/** What {@link shield} takes. */
export interface ShieldOptions extends WaitOptions {
  /** For `timeoutMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/**
 * Settles as the promise does, unless the signal aborts or `timeoutMs` pass before: then our wait ends, and the work
 * goes on. Whoever started it keeps the promise and sees to its end; a rejection that comes after our wait has ended is
 * nobody's here, and does not end the process.
 *
 * For what must be finished once it is begun, in the middle of what may be aborted:
 *
 * ```ts
 * const saving = save(order) // takes no signal
 * try {
 *   await shield(saving, { signal })
 * } finally {
 *   await saving
 * }
 * ```
 *
 * asyncio: `shield(aw)`, together with a reference to the task; `wait_for(shield(aw), timeout)`.
 *
 * @throws the signal's reason when it aborts, also if it has before
 * @throws TimeoutError (phase `call`) after `timeoutMs`
 * @throws what the promise rejects with
 * @throws RangeError for a `timeoutMs` that is not above 0
 */
export function shield<T>(promise: Promise<T>, options: ShieldOptions = {}): Promise<T> {
  const { signal, timeoutMs, clock } = options
  const refused = refuseWait(options)
  if (refused !== undefined) {
    promise.catch(() => {})
    return refused
  }
  if (timeoutMs === undefined) return raceAbort(promise, signal)
  const scope = new AbortScope([signal], { timeoutMs, clock, what: 'shield()' })
  return scope.run((inner) => raceAbort(promise, inner))
}
