/** How a pool of resources is made, with its defaults, and what it tells of itself. */
import type { Logger } from '../logger.js'
import { checkTimeout, type WaitOptions } from './abort.js'
import { Backoff, type BackoffOptions } from './backoff.js'
import { checkCount } from './check-count.js'
import { systemClock, type Clock } from './clock.js'
import { disposerOf } from './disposal.js'
import { DEFAULT_CLEANUP_TIMEOUT_MS } from './resource-scope.js'
import { checkFunction, type TaskFunction } from './start-task.js'

/** How a {@link ResourcePool} is made. */
export interface ResourcePoolOptions<T> {
  /**
   * Makes a resource. The signal aborts when its time is over or the pool closes; a resource that comes too late is
   * destroyed.
   */
  create: TaskFunction<T>
  /**
   * Ends a resource. The signal aborts when its time is over.
   * @default its `[Symbol.asyncDispose]()` or `[Symbol.dispose]()`, or nothing if it has neither
   */
  destroy?: ((resource: T, signal: AbortSignal) => unknown) | undefined
  /**
   * Whether a resource is still good, asked each time before it is given to anybody, new ones apart. `false`, an error
   * and too long a time are all a no. An answer that is not a promise costs no turn. @default always
   */
  validate?: ((resource: T) => boolean | PromiseLike<boolean>) | undefined
  /** Whether a resource may be used again although the function of `use()` has thrown. @default never */
  reusableAfter?: ((error: unknown, resource: T) => boolean) | undefined
  /** How many are kept, if they can be made, also while nobody needs them. @default 0 */
  min?: number | undefined
  /** How many there are at most, those that are being made or destroyed included. */
  max: number
  /** One that nobody has used for so many milliseconds is destroyed, unless it is one of the last `min`. @default Infinity */
  idleMs?: number | undefined
  /**
   * None is given to anybody that is older, in milliseconds; each ends at some time in the last tenth of it, so that those
   * that were made together do not end together. @default Infinity
   */
  maxLifetimeMs?: number | undefined
  /** In milliseconds; a pool that closes waits for less. @default 30000 */
  createTimeoutMs?: number | undefined
  /** In milliseconds. @default 5000 */
  validateTimeoutMs?: number | undefined
  /** In milliseconds; afterwards its place is given to another one. @default 30000 */
  destroyTimeoutMs?: number | undefined
  /** How long nothing is made after a failure to make one. */
  backoff?: BackoffOptions | undefined
  /** For messages. @default `resource pool` */
  name?: string | undefined
  /** Is told what nobody waits for: errors of `destroy`, and of `create` when it was for `min`. @default stderr */
  logger?: Logger | false | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
}

/** How a {@link ResourcePool} is at the moment, and what it has done so far. */
export interface ResourcePoolStats {
  /** All that there are: the sum of the next five. */
  readonly size: number
  readonly idle: number
  readonly leased: number
  readonly creating: number
  /** Those that are being validated. */
  readonly validating: number
  readonly destroying: number
  /** How many wait for one. */
  readonly waiting: number
  /** How often one was given to somebody. */
  readonly acquired: number
  readonly created: number
  readonly createFailures: number
  /** How many were not given to anybody because `validate` said no. */
  readonly invalid: number
  readonly destroyed: number
}

/** What {@link ResourcePool.close} takes. `signal` and `timeoutMs` end the wait alone. */
export interface ClosePoolOptions extends WaitOptions {
  /** How long those that are lent may still be used, in milliseconds; 0 for not at all. @default 10000 */
  graceMs?: number | undefined
}

/** What came of those that were lent when a pool was closed. */
export interface ClosePoolReport {
  /** How many were given back in time. */
  readonly drained: number
  /** How many were destroyed under those who had them. */
  readonly cut: number
  /** How long it took, in milliseconds. */
  readonly durationMs: number
}

/** Options that have been checked, with their defaults. */
export type PoolSettings<T> = ReturnType<typeof checkPoolOptions<T>>

/** @throws RangeError, TypeError when an option has no meaning */
export function checkPoolOptions<T>(options: ResourcePoolOptions<T>) {
  const {
    create,
    destroy = (resource: T) => disposerOf(resource)?.(),
    validate,
    reusableAfter = () => false,
    min = 0,
    max,
    idleMs = Infinity,
    maxLifetimeMs = Infinity,
    createTimeoutMs = 30_000,
    validateTimeoutMs = 5_000,
    destroyTimeoutMs = DEFAULT_CLEANUP_TIMEOUT_MS,
    backoff = {},
    name = 'resource pool',
    logger,
    clock = systemClock,
  } = options
  checkFunction(create, 'create')
  checkFunction(destroy, 'destroy')
  checkFunction(reusableAfter, 'reusableAfter')
  if (validate !== undefined) checkFunction(validate, 'validate')
  checkCount('max', max)
  checkCount('min', min, 0)
  if (min > max) throw new RangeError(`min must not be above max, which is ${max}, not ${min}`)
  const times = { idleMs, maxLifetimeMs, createTimeoutMs, validateTimeoutMs, destroyTimeoutMs }
  for (const [option, ms] of Object.entries(times)) checkTimeout(ms, option)
  return {
    create,
    destroy,
    validate,
    reusableAfter,
    min,
    max,
    ...times,
    random: backoff.random ?? Math.random,
    backoff: new Backoff(backoff),
    name,
    logger,
    clock,
  }
}
