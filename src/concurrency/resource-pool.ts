/**
 * Resources that are dear to make, lent to one at a time: made when they are needed, kept for the next, given to
 * whoever has waited longest.
 *
 * It does not know what a resource is. What is being made or looked at is for nobody in particular: whatever is ready
 * first goes to whoever is first.
 *
 * Invariant: there are never more than `max`, those that are being made or destroyed included; each is idle, or lent to
 * one, or on its way; and while somebody waits, something is on its way to them, or all are lent, or a pause after a
 * failure is on.
 */
import { ClosedError } from '../errors.js'
import { resolveLogger } from '../logger.js'
import { refuseWait, type WaitOptions } from './abort.js'
import { controllerForMany } from './abort-scope.js'
import { setAlarm } from './alarm.js'
import { callWithin } from './call-within.js'
import { deferred } from './deferred.js'
import { Grace, refuseEnd } from './grace.js'
import { Lease } from './lease.js'
import {
  checkPoolOptions,
  type ClosePoolOptions,
  type ClosePoolReport,
  type PoolSettings,
  type ResourcePoolOptions,
  type ResourcePoolStats,
} from './resource-pool-options.js'
import { shield } from './shield.js'
import { checkFunction } from './start-task.js'
import { watchUnawaited } from './unawaited.js'
import { WaitQueue } from './wait-queue.js'

/** A resource, and what the pool knows of it. */
interface Entry<T> {
  readonly resource: T
  readonly expiresAtMs: number
  idleSinceMs: number
}

/** As with the grace of a server. */
const DEFAULT_GRACE_MS = 10_000

/** By how much of its time a resource may end earlier. */
const LIFETIME_SPREAD = 0.1

/**
 * A pool of resources.
 *
 * ```ts
 * await using pool = new ResourcePool({ max: 8, create: (signal) => openConnection({ port: 8888, signal }) })
 * const reply = await pool.use(async ({ reader, writer }) => {
 *   writer.write('hello\n')
 *   return reader.readLine()
 * })
 * ```
 *
 * A resource that fails to be made is the error of the one who has waited longest; when then there is nothing that could
 * serve the others either, it is theirs too. Until one is made, only one is tried at a time, after pauses that grow
 * (exponential backoff with full jitter); whoever acquires in a pause waits for its end.
 *
 * Whoever holds one and waits for another one of the same pool waits for ever when all the others do so too.
 */
export class ResourcePool<T> {
  readonly #settings: PoolSettings<T>
  readonly #waiters: WaitQueue<Lease<T>>
  /** Those that nobody has; the one that was used last is the last, and is the next to be given. */
  #idle: Entry<T>[] = []
  readonly #leases = new Map<Entry<T>, Lease<T>>()
  #creating = 0
  #validating = 0
  #destroying = 0
  /** How many failures there were since one was made; those that were tried together are one. */
  #failures = 0
  /** Nothing is made before. */
  #retryAtMs = 0
  /** The next look at what is idle, or at who waits for the end of a pause. */
  #alarm: { readonly dueMs: number; readonly callOff: () => void } | undefined
  /** Aborts when it begins to close … */
  readonly #closing = controllerForMany()
  /** … and when the grace is over. */
  readonly #cutting = controllerForMany()
  readonly #empty = deferred()
  readonly #grace: Grace
  #report: Promise<ClosePoolReport> | undefined
  #totals = { acquired: 0, created: 0, createFailures: 0, invalid: 0, destroyed: 0 }
  #cut = 0

  /**
   * Begins to make `min` resources in the next turn of the promise jobs.
   *
   * @throws RangeError when a number or a time has no meaning, TypeError when a function is none
   */
  constructor(options: ResourcePoolOptions<T>) {
    this.#settings = checkPoolOptions(options)
    const { name, clock, min } = this.#settings
    this.#waiters = new WaitQueue(`${name}: acquire()`, clock)
    this.#grace = new Grace(this.#cutAll, clock)
    if (min > 0) queueMicrotask(() => this.#supply())
  }

  /** How it is now: a new object for each call. */
  get stats(): ResourcePoolStats {
    return {
      size: this.#size,
      idle: this.#idle.length,
      leased: this.#leases.size,
      creating: this.#creating,
      validating: this.#validating,
      destroying: this.#destroying,
      waiting: this.#waiters.size,
      ...this.#totals,
    }
  }

  /** Whether `close()` was called. */
  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /**
   * Gives a resource, as soon as one is good and it is this call's turn: an idle one, or a new one if there are fewer
   * than `max`. An aborted wait takes none; what was being made for it is kept for the next. A lease that was given
   * before the abort is given: release it.
   *
   * @throws what `create` throws, or a TimeoutError (phase `call`) when that takes longer than `createTimeoutMs`
   * @throws ClosedError when the pool is closed, also while this call waits
   * @throws the signal's reason when it aborts, also if it has before; TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  acquire(options?: WaitOptions): Promise<Lease<T>> {
    return watchUnawaited(this.#acquire(options), 'ResourcePool.acquire()')
  }

  #acquire(options: WaitOptions | undefined): Promise<Lease<T>> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    if (this.isClosed) return Promise.reject(this.#closedError())
    const turn = this.#waiters.wait(options, undefined)
    this.#supply()
    return turn
  }

  /**
   * Calls `fn` with a resource, and gives it back when `fn` has settled. When `fn` has thrown, nobody knows in which
   * state it left the resource: it is destroyed, unless `reusableAfter` says otherwise. The options are for the wait
   * alone: an abort later on is `fn`'s to heed.
   *
   * @returns what `fn` gives
   * @throws what `fn` throws, and the errors of `acquire()`; `fn` is not called then
   * @throws TypeError when `fn` is no function
   */
  use<R>(fn: (resource: T) => R | PromiseLike<R>, options?: WaitOptions): Promise<R> {
    return watchUnawaited(this.#use(fn, options), 'ResourcePool.use()')
  }

  async #use<R>(
    fn: (resource: T) => R | PromiseLike<R>,
    options: WaitOptions | undefined,
  ): Promise<R> {
    checkFunction(fn)
    const lease = await this.#acquire(options)
    try {
      const result = await fn(lease.resource)
      lease.release()
      return result
    } catch (error) {
      if (lease.isHeld && this.#settings.reusableAfter(error, lease.resource)) lease.release()
      throw error
    } finally {
      lease.discard()
    }
  }

  /**
   * Ends it: those who wait are turned away, what is idle is destroyed, and what is being made is aborted, and destroyed
   * when it comes all the same. Those that are lent may still be used for `graceMs` and are destroyed when they
   * come back; then those that are left are destroyed under whoever has them.
   *
   * It resolves when the last one is destroyed or passed over, at most `graceMs` and `destroyTimeoutMs` later, and never
   * rejects for what `destroy` throws: the logger is told. Any number of calls, all with the same report; a later one
   * can shorten the grace. Whoever holds a resource must not await it.
   *
   * @throws the signal's reason when it aborts, TimeoutError (phase `call`) after `timeoutMs`: the pool goes on
   *   closing. With a signal that has aborted before, nothing is done
   * @throws RangeError for a time of no meaning
   */
  close(options: ClosePoolOptions = {}): Promise<ClosePoolReport> {
    const { graceMs = DEFAULT_GRACE_MS } = options
    const refused = refuseEnd(options, graceMs)
    if (refused !== undefined) return refused
    this.#report ??= this.#close()
    this.#grace.limit(graceMs)
    return shield(this.#report, { ...options, clock: this.#settings.clock })
  }

  /** The same as `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #size(): number {
    const onTheirWay = this.#creating + this.#validating + this.#destroying
    return this.#idle.length + this.#leases.size + onTheirWay
  }

  /** Sees to it that something is on its way to each who waits, as far as may be, and that there are `min`. */
  #supply(): void {
    if (this.isClosed) return
    while (this.#waiters.size > this.#creating + this.#validating) {
      const entry = this.#idle.pop()
      if (entry !== undefined) this.#offer(entry)
      else if (!this.#tryCreate()) break
    }
    while (this.#size < this.#settings.min && this.#tryCreate());
  }

  #tryCreate(): boolean {
    if (this.#size >= this.#settings.max) return false
    if (this.#failures > 0) {
      if (this.#creating > 0) return false
      if (this.#settings.clock.now() < this.#retryAtMs) {
        this.#lookAt(this.#retryAtMs)
        return false
      }
    }
    this.#creating++
    void this.#create(this.#failures)
    return true
  }

  /** Never rejects. */
  async #create(failuresBefore: number): Promise<void> {
    const { create, createTimeoutMs, maxLifetimeMs, random, name, clock } = this.#settings
    let resource: T
    try {
      resource = await callWithin(create, {
        what: `${name}: create()`,
        timeoutMs: createTimeoutMs,
        clock,
        signal: this.#closing.signal,
        giveUp: this.#cutting.signal,
        onLateValue: (late) => this.#destroy(late),
      })
    } catch (error) {
      this.#creating--
      this.#createFailed(error, failuresBefore)
      return
    }
    this.#creating--
    this.#failures = 0
    this.#totals.created++
    const lifetimeMs = maxLifetimeMs * (1 - LIFETIME_SPREAD * random())
    const nowMs = clock.now()
    this.#deliver({ resource, expiresAtMs: nowMs + lifetimeMs, idleSinceMs: nowMs })
    this.#supply()
  }

  #createFailed(error: unknown, failuresBefore: number): void {
    if (this.isClosed) return this.#checkEmpty()
    const { backoff, clock, name, logger } = this.#settings
    this.#totals.createFailures++
    if (this.#failures === failuresBefore) this.#failures++
    // Without any pause a `create` that fails at once would never let the loop go on.
    const delayMs = Math.max(backoff.delayMs(this.#failures), 1)
    this.#retryAtMs = Math.max(this.#retryAtMs, clock.now() + delayMs)
    const wasForSomebody = this.#waiters.reject(error)
    if (this.#size === this.#destroying) this.#waiters.rejectAll(() => error)
    if (!wasForSomebody) {
      resolveLogger(logger).warn({ err: error }, `${name}: could not make one of its resources`)
    }
    this.#supply()
  }

  /** Gives one that was used before to whoever is next, if it is still good. */
  #offer(entry: Entry<T>): void {
    const { clock, validate, validateTimeoutMs, name } = this.#settings
    if (clock.now() >= entry.expiresAtMs) return this.#destroy(entry.resource)
    if (validate === undefined) return this.#deliver(entry)
    this.#validating++
    let isGood: boolean | PromiseLike<boolean> = false
    try {
      isGood = validate(entry.resource)
    } catch {
      // A no as well.
    }
    if (typeof isGood === 'boolean') return this.#judge(entry, isGood)
    const verdict = isGood
    void callWithin(() => verdict, {
      what: `${name}: validate()`,
      timeoutMs: validateTimeoutMs,
      clock,
      giveUp: this.#cutting.signal,
    })
      .catch(() => false)
      .then((isStillGood) => {
        this.#judge(entry, isStillGood)
        this.#supply()
      })
  }

  #judge(entry: Entry<T>, isGood: boolean): void {
    this.#validating--
    if (isGood) return this.#deliver(entry)
    this.#totals.invalid++
    this.#destroy(entry.resource)
  }

  /** One is ready: it goes to whoever has waited longest. */
  #deliver(entry: Entry<T>): void {
    if (this.isClosed) return this.#destroy(entry.resource)
    if (this.#waiters.size === 0) return this.#putAside(entry)
    const lease = new Lease(entry.resource, (discard) => this.#takeBack(entry, discard))
    this.#leases.set(entry, lease)
    this.#totals.acquired++
    this.#waiters.wake(lease)
  }

  #takeBack(entry: Entry<T>, discard: boolean): void {
    this.#leases.delete(entry)
    entry.idleSinceMs = this.#settings.clock.now()
    if (discard || this.isClosed || entry.idleSinceMs >= entry.expiresAtMs) {
      this.#destroy(entry.resource)
    } else if (this.#waiters.size > this.#validating) {
      this.#offer(entry)
    } else {
      this.#putAside(entry)
    }
    this.#supply()
  }

  #putAside(entry: Entry<T>): void {
    this.#idle.push(entry)
    this.#lookAt(Math.min(entry.expiresAtMs, entry.idleSinceMs + this.#settings.idleMs))
  }

  #destroy(resource: T): void {
    const { destroy, destroyTimeoutMs, name, clock, logger } = this.#settings
    const tell = (err: unknown): void => {
      resolveLogger(logger).warn({ err }, `${name}: could not destroy one of its resources`)
    }
    const end = (): void => {
      this.#destroying--
      this.#totals.destroyed++
      this.#supply()
      this.#checkEmpty()
    }
    this.#destroying++
    callWithin((signal) => destroy(resource, signal), {
      what: `${name}: destroy()`,
      timeoutMs: destroyTimeoutMs,
      clock,
      onLateError: tell,
    })
      .catch(tell)
      .finally(end)
  }

  /** Looks at what is idle at that time, or earlier if there is another reason. */
  #lookAt(dueMs: number): void {
    if (dueMs === Infinity || (this.#alarm !== undefined && this.#alarm.dueMs <= dueMs)) return
    this.#alarm?.callOff()
    const { clock } = this.#settings
    this.#alarm = { dueMs, callOff: setAlarm(this.#look, dueMs - clock.now(), clock) }
  }

  /** Destroys what is too old or too long idle. */
  readonly #look = (): void => {
    this.#alarm = undefined
    const { min, idleMs, clock } = this.#settings
    const nowMs = clock.now()
    let surplus = this.#size - this.#destroying - min
    const idle = this.#idle
    this.#idle = []
    for (const entry of idle) {
      const isTired = surplus > 0 && nowMs >= entry.idleSinceMs + idleMs
      if (isTired || nowMs >= entry.expiresAtMs) {
        surplus--
        this.#destroy(entry.resource)
      } else {
        this.#idle.push(entry)
      }
    }
    for (const { expiresAtMs, idleSinceMs } of this.#idle) {
      this.#lookAt(surplus > 0 ? Math.min(expiresAtMs, idleSinceMs + idleMs) : expiresAtMs)
    }
    this.#supply()
  }

  async #close(): Promise<ClosePoolReport> {
    const { clock } = this.#settings
    const startMs = clock.now()
    const lent = this.#leases.size
    this.#closing.abort(this.#closedError())
    this.#alarm?.callOff()
    this.#waiters.rejectAll(() => this.#closedError())
    for (const { resource } of this.#idle.splice(0)) this.#destroy(resource)
    this.#checkEmpty()
    await this.#empty.promise
    this.#grace.close()
    return { drained: lent - this.#cut, cut: this.#cut, durationMs: clock.now() - startMs }
  }

  /** The grace is over: destroys what is still lent. */
  readonly #cutAll = (): void => {
    this.#cutting.abort(this.#closedError())
    for (const [entry, lease] of this.#leases) {
      this.#leases.delete(entry)
      lease.revoke()
      this.#cut++
      this.#destroy(entry.resource)
    }
  }

  #checkEmpty(): void {
    if (this.isClosed && this.#size === 0) this.#empty.resolve()
  }

  #closedError(): ClosedError {
    return new ClosedError(`${this.#settings.name}: it is closed and gives nothing any more`)
  }
}
