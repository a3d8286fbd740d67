/**
 * Resources that end before the block ends that made them, the last one first.
 *
 * It does not know what a resource is, only how each is cleaned up. It starts no work of its own: for tasks there is
 * `taskGroup`.
 *
 * Invariant: each clean-up that was registered is called once, and none before those that were registered after it have
 * settled or have been passed over. What is registered too late is refused and cleaned up all the same.
 */
import { ClosedError } from '../errors.js'
import { resolveLogger, type Logger } from '../logger.js'
import { checkTimeout, refuseWait, type WaitOptions } from './abort.js'
import { AbortScope, controllerForMany } from './abort-scope.js'
import { callWithin } from './call-within.js'
import { cleanupError, type CleanupFailure } from './cleanup-failure.js'
import { systemClock, type Clock } from './clock.js'
import { unobserved } from './deferred.js'
import { classNameOf, disposerOf, type Resource } from './disposal.js'
import { shield } from './shield.js'
import { checkFunction, type TaskFunction } from './start-task.js'
import { watchUnawaited } from './unawaited.js'

/** Longer than the grace of a server, which is a resource like any other; otherwise arbitrary. */
export const DEFAULT_CLEANUP_TIMEOUT_MS = 30_000

/** How one clean-up is registered. */
export interface CleanupOptions {
  /** What it is, for messages. @default the name of the resource's class, or of the function */
  name?: string | undefined
  /** How long the clean-up may take, in milliseconds, before it is passed over. @default that of the scope */
  cleanupTimeoutMs?: number | undefined
}

/** What {@link ResourceScope.enter} takes. `signal` and `timeoutMs` are for the acquisition alone. */
export interface EnterOptions extends CleanupOptions, WaitOptions {}

/** How a {@link ResourceScope} is made. */
export interface ResourceScopeOptions {
  /** For messages. @default `resource scope` */
  name?: string | undefined
  /** How long each clean-up may take, in milliseconds; `Infinity` for no limit. @default 30000 */
  cleanupTimeoutMs?: number | undefined
  /** Is told of errors that nobody waits for any more. @default stderr */
  logger?: Logger | false | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
}

/** What {@link ResourceScope.run} takes. `signal` and `timeoutMs` are for the function, not for the clean-ups. */
export interface RunScopeOptions extends ResourceScopeOptions, WaitOptions {}

interface Cleanup {
  readonly name: string
  readonly timeoutMs: number
  readonly run: TaskFunction<unknown>
}

/**
 * A stack of clean-ups (asyncio's world has it as `contextlib.AsyncExitStack`).
 *
 * ```ts
 * await using scope = new ResourceScope()
 * const connection = scope.use(await openConnection({ port: 8888 }))
 * const folder = scope.adopt(await mkdtemp('upload-'), (path) => rm(path, { recursive: true }))
 * scope.defer(() => console.log('this is first'))
 * ```
 *
 * With `await using` an error of the block and one of the clean-ups come out as a SuppressedError; `ResourceScope.run`
 * has them in one AggregateError, the block's own first.
 */
export class ResourceScope {
  /** For messages. */
  readonly name: string
  readonly #cleanupTimeoutMs: number
  readonly #option: Logger | false | undefined
  readonly #clock: Clock
  readonly #controller = controllerForMany()
  readonly #cleanups: Cleanup[] = []
  /** Acquisitions that have not settled, by what they are called. */
  readonly #entering = new Map<Promise<unknown>, Cleanup>()
  #state: 'open' | 'closing' | 'closed' = 'open'
  #closing: Promise<void> | undefined
  /** How many were registered, for names and messages. */
  #count = 0
  readonly #failures: CleanupFailure[] = []

  /** @throws RangeError for a `cleanupTimeoutMs` that is not above 0 */
  constructor(options: ResourceScopeOptions = {}) {
    const { cleanupTimeoutMs = DEFAULT_CLEANUP_TIMEOUT_MS, clock = systemClock } = options
    checkTimeout(cleanupTimeoutMs, 'cleanupTimeoutMs')
    this.name = options.name ?? 'resource scope'
    this.#cleanupTimeoutMs = cleanupTimeoutMs
    this.#option = options.logger
    this.#clock = clock
  }

  /** `open`, or `closing` while the clean-ups are run, or `closed`. */
  get state(): 'open' | 'closing' | 'closed' {
    return this.#state
  }

  /** How many clean-ups are registered and not begun. */
  get size(): number {
    return this.#cleanups.length
  }

  /** Aborts, with a ClosedError, when the scope begins to close, before the first clean-up. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /**
   * Registers a resource that has `[Symbol.asyncDispose]()` or `[Symbol.dispose]()`, the former if it has both, and gives
   * it back. A scope within a scope has limits of its own, and none from here unless `cleanupTimeoutMs` is given.
   *
   * `AsyncExitStack.push_async_exit(resource)`, after it was entered.
   *
   * @throws ClosedError when the scope closes or is closed; the resource is cleaned up then, see `close()`
   * @throws TypeError when it has neither of the two methods, RangeError for a `cleanupTimeoutMs` of no meaning
   */
  use<T extends Resource>(resource: T, options?: CleanupOptions): T {
    const cleanup = this.#disposal(resource, options)
    if (cleanup !== undefined) this.#register(cleanup)
    return resource
  }

  /**
   * Registers any value with the function that cleans it up, `dispose(value, signal)`, and gives it back. The
   * signal aborts when the time for this clean-up is over.
   *
   * @throws ClosedError when the scope closes or is closed; the value is cleaned up then, see `close()`
   * @throws TypeError when `dispose` is no function, RangeError for a `cleanupTimeoutMs` of no meaning
   */
  adopt<T>(
    value: T,
    dispose: (value: T, signal: AbortSignal) => unknown,
    options?: CleanupOptions,
  ): T {
    this.#register(this.#adoption(value, dispose, options))
    return value
  }

  /**
   * Registers a function to be called in its turn when the scope closes (`AsyncExitStack.push_async_callback(fn)`). The
   * signal that it gets aborts when the time for this clean-up is over.
   *
   * @throws ClosedError when the scope closes or is closed; the function is called then, see `close()`
   * @throws TypeError when `fn` is no function, RangeError for a `cleanupTimeoutMs` of no meaning
   */
  defer(fn: (signal: AbortSignal) => unknown, options?: CleanupOptions): void {
    checkFunction(fn)
    this.#register(this.#cleanup(fn.name, fn, options))
  }

  /**
   * Acquires a resource and registers it as soon as it is there, so that none is lost in between
   * (`AsyncExitStack.enter_async_context(cm)`).
   *
   * `acquire(signal)` is called at once. Its signal aborts when the caller's does, when `timeoutMs` are over, and
   * when the scope begins to close; the call settles when the function has. A resource that comes in spite of an
   * abort is registered and given, however late; one that comes when the scope closes is cleaned up.
   * Those that are acquired at the same time are registered in the order of their coming.
   *
   * ```ts
   * const connection = await scope.enter((signal) => openConnection({ port: 8888, signal }), { timeoutMs: 5_000 })
   * ```
   *
   * @throws what `acquire` throws; nothing is registered then
   * @throws the signal's reason when it aborts, also if it has before; TimeoutError (phase `call`) after `timeoutMs`
   * @throws ClosedError when the scope closes or is closed
   * @throws TypeError when what comes cannot be cleaned up, RangeError for a time of no meaning
   */
  enter<T extends Resource>(acquire: TaskFunction<T>, options?: EnterOptions): Promise<T>
  /** As above, for any value, with the function that cleans it up. */
  enter<T>(
    acquire: TaskFunction<T>,
    dispose: (value: T, signal: AbortSignal) => unknown,
    options?: EnterOptions,
  ): Promise<T>
  enter<T>(
    acquire: TaskFunction<T>,
    second?: ((value: T, signal: AbortSignal) => unknown) | EnterOptions,
    third?: EnterOptions,
  ): Promise<T> {
    return watchUnawaited(this.#enter(acquire, second, third), 'ResourceScope.enter()')
  }

  async #enter<T>(
    acquire: TaskFunction<T>,
    second?: ((value: T, signal: AbortSignal) => unknown) | EnterOptions,
    third?: EnterOptions,
  ): Promise<T> {
    const dispose = typeof second === 'function' ? second : undefined
    const options = (dispose === undefined ? (second as EnterOptions) : third) ?? {}
    checkFunction(acquire, 'acquire')
    const refused = refuseWait(options)
    if (refused !== undefined) return refused
    if (this.#state !== 'open') throw this.#closedError()
    // What is said wrongly is told before anything is acquired.
    const acquisition = this.#cleanup(acquire.name, acquire, options)
    const scope = new AbortScope([options.signal, this.signal], {
      timeoutMs: options.timeoutMs,
      clock: this.#clock,
      what: `${this.name}: acquiring ${acquisition.name}`,
    })
    const registered = scope.run(acquire).then((value) => {
      const cleanup =
        dispose === undefined
          ? this.#disposal(value as Resource, options)
          : this.#adoption(value, dispose, options)
      if (cleanup !== undefined) this.#register(cleanup)
      return value
    })
    this.#entering.set(registered, acquisition)
    try {
      return await registered
    } finally {
      this.#entering.delete(registered)
    }
  }

  /**
   * Cleans up: aborts what is still being acquired and waits for that, then calls the clean-ups one after the other,
   * the last that was registered first. One that fails, or takes longer than it may, holds up none of the others. Of
   * one that was passed over only a late error is told, to the logger.
   *
   * What is registered meanwhile is refused and comes next; what is registered afterwards is refused and cleaned up at
   * once, and its errors are told to the logger. Any number of calls; all have the same outcome, and a rejection may go
   * unawaited. A clean-up must not await the closing of its own scope.
   *
   * @throws AggregateError with the errors of all clean-ups that failed; its message names them. One that was passed
   *   over is a TimeoutError (phase `call`)
   * @throws the signal's reason when it aborts, TimeoutError (phase `call`) after `timeoutMs`: the scope goes on
   *   closing. With a signal that has aborted before nothing is done
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  close(options: WaitOptions = {}): Promise<void> {
    const refused = refuseWait(options)
    if (refused !== undefined) return refused
    this.#closing ??= unobserved(this.#close())
    return shield(this.#closing, { ...options, clock: this.#clock })
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Hands everything that is registered over to a new scope of the same kind, and closes this one without cleaning up
   * (`AsyncExitStack.pop_all()`): for what is built step by step and must be cleaned up only if a step fails. What is
   * still being acquired is refused when it comes.
   *
   * @throws ClosedError when the scope closes or is closed
   */
  move(): ResourceScope {
    if (this.#state !== 'open') throw this.#closedError()
    const next = new ResourceScope({
      name: this.name,
      cleanupTimeoutMs: this.#cleanupTimeoutMs,
      logger: this.#option,
      clock: this.#clock,
    })
    next.#count = this.#count
    next.#cleanups.push(...this.#cleanups.splice(0))
    this.#state = 'closed'
    this.#closing = Promise.resolve()
    this.#controller.abort(this.#closedError())
    return next
  }

  /**
   * Runs `fn(scope, signal)` with a new scope, closes it when the function has settled, and gives its result.
   * The signal is for the function: it aborts with the caller's, and when `timeoutMs` are over; the clean-ups have
   * their own time.
   *
   * ```ts
   * const reply = await ResourceScope.run(async (scope, signal) => {
   *   const connection = await scope.enter(() => openConnection({ port: 8888, signal }))
   *   return connection.reader.readLine({ signal })
   * })
   * ```
   *
   * @throws what the function throws, as it is, when all clean-ups succeed
   * @throws AggregateError when clean-ups fail: their errors, after that of the function if it has thrown
   * @throws the signal's reason when it aborts, TimeoutError (phase `call`) after `timeoutMs`, as soon as the function
   *   has settled and all is cleaned up. With a signal that has aborted before it is not run
   * @throws TypeError when `fn` is no function, RangeError for a time of no meaning
   */
  static run<T>(
    fn: (scope: ResourceScope, signal: AbortSignal) => T | PromiseLike<T>,
    options: RunScopeOptions = {},
  ): Promise<T> {
    return watchUnawaited(ResourceScope.#run(fn, options), 'ResourceScope.run()')
  }

  static async #run<T>(
    fn: (scope: ResourceScope, signal: AbortSignal) => T | PromiseLike<T>,
    { signal, timeoutMs, ...options }: RunScopeOptions,
  ): Promise<T> {
    checkFunction(fn)
    const refused = refuseWait({ signal, timeoutMs })
    if (refused !== undefined) return refused
    const scope = new ResourceScope(options)
    const { clock } = options
    const body = new AbortScope([signal], { timeoutMs, clock, what: 'ResourceScope.run()' })
    let result: T
    try {
      result = await body.run((inner) => fn(scope, inner))
    } catch (error) {
      throw await scope.closeAfter(error)
    }
    await scope.close()
    return result
  }

  /** @internal Closes after an error, and gives the error that they make together: that one if nothing else fails. */
  async closeAfter(error: unknown): Promise<unknown> {
    this.#closing ??= unobserved(this.#close())
    const own: unknown = await this.#closing.catch((closing: unknown) => closing)
    if (this.#failures.length === 0 || own === error) return error
    return cleanupError({ name: this.name, count: this.#count }, this.#failures, { error })
  }

  #cleanup(name: string, run: TaskFunction<unknown>, options: CleanupOptions = {}): Cleanup {
    checkTimeout(options.cleanupTimeoutMs, 'cleanupTimeoutMs')
    return {
      name: options.name ?? (name || `no. ${this.#count + 1}`),
      timeoutMs: options.cleanupTimeoutMs ?? this.#cleanupTimeoutMs,
      run,
    }
  }

  #disposal(resource: Resource, options: CleanupOptions | undefined): Cleanup | undefined {
    if (resource == null) return undefined
    const dispose = disposerOf(resource)
    if (dispose === undefined) {
      throw new TypeError(
        `a resource must have [Symbol.asyncDispose]() or [Symbol.dispose](): ${classNameOf(resource) || typeof resource} has neither`,
      )
    }
    const limits = resource instanceof ResourceScope ? { cleanupTimeoutMs: Infinity } : {}
    return this.#cleanup(classNameOf(resource), dispose, { ...limits, ...options })
  }

  #adoption<T>(
    value: T,
    dispose: (value: T, signal: AbortSignal) => unknown,
    options: CleanupOptions | undefined,
  ): Cleanup {
    checkFunction(dispose, 'dispose')
    return this.#cleanup(classNameOf(value), (signal) => dispose(value, signal), options)
  }

  #register(cleanup: Cleanup): void {
    this.#count++
    if (this.#state === 'closed') {
      void this.#call(cleanup).then((failure) => {
        if (failure !== undefined) this.#tell(failure)
      })
    } else {
      this.#cleanups.push(cleanup)
    }
    if (this.#state !== 'open') throw this.#closedError()
  }

  async #close(): Promise<void> {
    this.#state = 'closing'
    this.#controller.abort(this.#closedError())
    const failures = this.#failures
    const run = async (cleanup: Cleanup): Promise<void> => {
      const failure = await this.#call(cleanup)
      if (failure !== undefined) failures.push(failure)
    }
    // Their own errors are for those who called.
    const late = [...this.#entering].map(([registered, { name, timeoutMs }]) =>
      run({ name: `acquiring ${name}`, timeoutMs, run: () => registered.catch(() => {}) }),
    )
    this.#count += late.length
    if (late.length > 0) await Promise.all(late)
    for (let next = this.#cleanups.pop(); next !== undefined; next = this.#cleanups.pop()) {
      await run(next)
    }
    this.#state = 'closed'
    if (failures.length > 0) {
      throw cleanupError({ name: this.name, count: this.#count }, failures)
    }
  }

  /** Calls one clean-up, and waits until it has settled or its time is over. Gives its failure; never rejects. */
  async #call({ name, timeoutMs, run }: Cleanup): Promise<CleanupFailure | undefined> {
    try {
      await callWithin(run, {
        what: name,
        timeoutMs,
        clock: this.#clock,
        onLateError: (error) => this.#tell({ name, error }),
      })
      return undefined
    } catch (error) {
      return { name, error }
    }
  }

  #tell({ name, error: err }: CleanupFailure): void {
    const message = `${this.name}: the clean-up of ${name} failed, and nobody waits for it any more`
    resolveLogger(this.#option).warn({ err }, message)
  }

  #closedError(): ClosedError {
    const what = this.#state === 'closed' ? 'is closed' : 'is being closed'
    return new ClosedError(`${this.name}: it ${what} and takes no more resources`)
  }
}
