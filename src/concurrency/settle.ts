/** Waiting for some of several promises, and telling which have settled. */
import { onAbort, refuseWait, type WaitOptions } from './abort.js'
import { setAlarm } from './alarm.js'
import { systemClock, type Clock } from './clock.js'
import { Settlement } from './settlement.js'
import { watchUnawaited } from './unawaited.js'

/** What {@link settle} takes. */
export interface SettleOptions extends WaitOptions {
  /**
   * What is waited for: that all have settled, that at least one has, or that one has been rejected (all,
   * when none is). @default 'all'
   */
  until?: 'all' | 'first' | 'first-failure' | undefined
  /** For `timeoutMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/** What {@link settle} gives: the promises that it was given, each once and in their order. */
export interface Settled<P> {
  /** Those that have settled: awaiting them gives their results, or throws their errors, at once. */
  readonly done: Set<P>
  readonly pending: Set<P>
}

/**
 * Waits for promises, and gives those that are done and those that are pending. None is aborted, and none consumed: the
 * pending ones can be waited for again. A promise that lives long can be waited for any number of times, where each
 * `Promise.race` on it would keep memory until it settles.
 *
 * ```ts
 * const { done } = await settle([line, stopped], { until: 'first' })
 * if (done.has(stopped)) return
 * ```
 *
 * Rejections count as handled: look at what is done. After `timeoutMs` it gives what is done by then, and does not
 * reject. Where the results are all that matters the language has it: `Promise.all`, `allSettled`, `race` and `any`.
 *
 * asyncio: `wait(aws, timeout=…, return_when=…)`.
 *
 * @throws the signal's reason when it aborts, also if it has before
 * @throws RangeError when there is no promise, or `timeoutMs` is not above 0
 * @throws TypeError for what is no promise
 */
export function settle<P extends PromiseLike<unknown>>(
  promises: Iterable<P>,
  options: SettleOptions = {},
): Promise<Settled<P>> {
  return watchUnawaited(settled(promises, options), 'settle()')
}

async function settled<P extends PromiseLike<unknown>>(
  promises: Iterable<P>,
  { until = 'all', signal, timeoutMs, clock = systemClock }: SettleOptions,
): Promise<Settled<P>> {
  const all = new Map<P, Settlement>()
  for (const promise of promises) all.set(promise, Settlement.of(promise))
  if (all.size === 0) throw new RangeError('promises must hold at least one promise')
  await refuseWait({ signal, timeoutMs })
  if (!['all', 'first', 'first-failure'].includes(until)) {
    throw new RangeError(`until must be 'all', 'first' or 'first-failure', not '${until}'`)
  }

  const stops: (() => void)[] = []
  await new Promise<void>((resolve, reject) => {
    let left = all.size
    for (const settlement of all.values()) {
      const note = (): void => {
        left--
        const isFailure = settlement.state === 'rejected'
        if (left === 0 || until === 'first' || (until === 'first-failure' && isFailure)) {
          // Behind those who have settled already, so that they are all told to be done.
          queueMicrotask(resolve)
        }
      }
      stops.push(settlement.listen(note))
    }
    stops.push(onAbort(signal, () => reject(signal?.reason)))
    if (timeoutMs !== undefined) stops.push(setAlarm(resolve, timeoutMs, clock))
  }).finally(() => {
    for (const stop of stops) stop()
  })

  const done = new Set<P>()
  const pending = new Set<P>()
  for (const [promise, { state }] of all) (state === 'pending' ? pending : done).add(promise)
  return { done, pending }
}
