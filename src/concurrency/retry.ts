/**
 * Calling again what has failed and may succeed the next time, with pauses that grow and are spread by chance.
 *
 * It knows nothing of what is called: whether a second call does harm is for `shouldRetry`, and for who calls.
 */
import { checkTimeout, type WaitOptions } from './abort.js'
import { AbortScope } from './abort-scope.js'
import { Backoff, type BackoffOptions } from './backoff.js'
import { systemClock, type Clock } from './clock.js'
import type { RetryBudget } from './retry-budget.js'
import { sleep } from './sleep.js'
import { checkFunction } from './start-task.js'
import { watchUnawaited } from './unawaited.js'

/** What each attempt gets. */
export interface RetryContext {
  /** Which one it is, from 1. */
  readonly attempt: number
  /** Aborts when the caller's signal does, or the time is over. */
  readonly signal: AbortSignal
}

/** An attempt that failed, and what comes of it. */
export interface FailedAttempt {
  /** Which one it was, from 1. */
  readonly attempt: number
  readonly error: unknown
  /** How long the pause before the next one is, in milliseconds; undefined when there is none. */
  readonly delayMs: number | undefined
  /** Why there is no other one; undefined when there is. */
  readonly gaveUp: 'not-retryable' | 'max-attempts' | 'deadline' | 'budget' | undefined
}

/** What {@link retry} takes. `timeoutMs` is for everything together, all attempts and pauses. */
export interface RetryOptions extends WaitOptions, BackoffOptions {
  /** How often it is called at most, the first time included; Infinity for no bound. @default 5 */
  maxAttempts?: number | undefined
  /** Whether calling again may help. @default `error.retryable === true` */
  shouldRetry?: ((error: unknown, attempt: number) => boolean) | undefined
  /** How much may be retried by all who share it. @default no bound */
  budget?: RetryBudget | undefined
  /** Is told of each attempt that failed, before the pause. What it throws ends the call. */
  onAttempt?: ((failed: FailedAttempt) => void) | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
}

/**
 * Calls `fn({ attempt, signal })` until it succeeds, and gives its result.
 *
 * ```ts
 * const connection = await retry(({ signal }) => openConnection({ port: 8888, signal }), {
 *   maxAttempts: 4,
 *   timeoutMs: 20_000,
 * })
 * ```
 *
 * The pause before attempt n + 1 is anything from 0 to min(`maxDelayMs`, `baseMs` × 2ⁿ⁻¹) (full jitter: a crowd
 * of callers whose server has gone does not come back all at once). No pause is begun that would pass the
 * deadline of `timeoutMs`, and no attempt after it. A pause whose call is aborted has used its token of the budget.
 *
 * The error of the last attempt is thrown as it is; `onAttempt` tells how many there were and why there is no other.
 * Of an abort, or the deadline, in the middle of an attempt the attempt hears by its signal, and is waited for, as
 * in `withTimeout`.
 *
 * @throws the error of the last attempt
 * @throws the signal's reason when it aborts, also if it has before
 * @throws TimeoutError (phase `call`, the last failure as its `cause`) when an attempt was ended by the deadline
 * @throws RangeError, TypeError when an option or `fn` has no meaning
 */
export function retry<T>(
  fn: (context: RetryContext) => T | PromiseLike<T>,
  options: RetryOptions = {},
): Promise<T> {
  return watchUnawaited(retried(fn, options), 'retry()')
}

async function retried<T>(
  fn: (context: RetryContext) => T | PromiseLike<T>,
  options: RetryOptions,
): Promise<T> {
  checkFunction(fn)
  const { maxAttempts, backoff, shouldRetry, clock } = checkOptions(options)
  const { signal, timeoutMs, budget, onAttempt } = options
  signal?.throwIfAborted()

  let last: unknown
  const dueMs = timeoutMs === undefined ? Infinity : clock.now() + timeoutMs
  const scope = new AbortScope([signal], {
    timeoutMs,
    clock,
    what: 'retry()',
    causeOfTimeout: () => last,
  })

  const judge = (
    attempt: number,
    delayMs: number,
    mayHelp: boolean,
  ): FailedAttempt['gaveUp'] | undefined => {
    if (!mayHelp) return 'not-retryable'
    if (attempt >= maxAttempts) return 'max-attempts'
    if (clock.now() + delayMs >= dueMs) return 'deadline'
    if (budget?.tryWithdraw() === false) return 'budget'
    return undefined
  }

  budget?.deposit()
  return scope.run(async (inner) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await fn({ attempt, signal: inner })
      } catch (error) {
        if (scope.explains(error)) throw error
        const mayHelp = shouldRetry(error, attempt)
        // It is the abort that ends the call, not the error.
        if (mayHelp) signal?.throwIfAborted()
        const delayMs = backoff.delayMs(attempt)
        const gaveUp = judge(attempt, delayMs, mayHelp)
        last = error
        onAttempt?.({
          attempt,
          error,
          delayMs: gaveUp === undefined ? delayMs : undefined,
          gaveUp,
        })
        if (gaveUp !== undefined) throw error
        await sleep(delayMs, { signal: inner, clock })
        // A loop that stood still can wake us late.
        if (clock.now() >= dueMs) throw error
      }
    }
  })
}

/**
 * The function, with `retry` around each of its calls; it takes the same arguments. The attempts do not get a
 * signal: use `retry` itself where they should.
 *
 * ```ts
 * const ask = retrying((question: string) => client.request(question), { maxAttempts: 3 })
 * ```
 */
export function retrying<A extends readonly unknown[], T>(
  fn: (...args: A) => T | PromiseLike<T>,
  options: RetryOptions = {},
): (...args: A) => Promise<T> {
  checkFunction(fn)
  checkOptions(options)
  return (...args) => retry(() => fn(...args), options)
}

function checkOptions(options: RetryOptions) {
  const { maxAttempts = 5, shouldRetry = isRetryable, clock = systemClock } = options
  checkTimeout(options.timeoutMs)
  if (!(maxAttempts >= 1 && (Number.isInteger(maxAttempts) || maxAttempts === Infinity))) {
    throw new RangeError(`maxAttempts must be a whole number above 0, not ${maxAttempts}`)
  }
  return { maxAttempts, backoff: new Backoff(options), shouldRetry, clock }
}

function isRetryable(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true
  )
}
