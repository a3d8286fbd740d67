/**
 * Something that runs beside the rest of a program: it is started and stopped as a whole, and if it fails, it says so.
 *
 * It does not start again by itself, and does not know what it serves.
 *
 * Invariant: the table in service-state.ts is all that can happen to `state`, and `#move` alone writes it. From `starting` on there is one
 * scope, which holds what the service has opened; `stopped` and `failed` mean that the scope is closed.
 */
import { ClosedError } from '../errors.js'
import { resolveLogger, type Logger } from '../logger.js'
import { checkTimeout, onAbort, raceAbort, refuseWait, type WaitOptions } from './abort.js'
import { abortError, AbortScope } from './abort-scope.js'
import { callWithin } from './call-within.js'
import { systemClock, type Clock } from './clock.js'
import { deferred, unobserved, type Deferred } from './deferred.js'
import { checkGrace, Grace, refuseEnd } from './grace.js'
import { DEFAULT_CLEANUP_TIMEOUT_MS, ResourceScope } from './resource-scope.js'
import { nextState, type ServiceEvent, type ServiceState } from './service-state.js'
import { shield } from './shield.js'
import { startTask } from './start-task.js'
import { watchUnawaited } from './unawaited.js'

/** How a {@link Service} is made. */
export interface ServiceOptions {
  /** For messages. @default the name of the class */
  name?: string | undefined
  /** How long `onStop` may take, in milliseconds, before its signal aborts. @default 10000 */
  graceMs?: number | undefined
  /**
   * How long each clean-up may take, in milliseconds, before it is passed over: of the resources, and of the hooks once
   * their signal has aborted. @default 30000
   */
  cleanupTimeoutMs?: number | undefined
  /** Is told of a crash, and of errors that nobody waits for. @default stderr */
  logger?: Logger | false | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
}

/** What {@link Service.stop} takes. `signal` and `timeoutMs` end the wait alone. */
export interface StopServiceOptions extends WaitOptions {
  /** How long `onStop` may still take, in milliseconds. @default that of the service */
  graceMs?: number | undefined
}

/** How a {@link Service} has ended. */
export interface ServiceEnd {
  readonly state: 'stopped' | 'failed'
  /** Why it has failed: what `onStart` or `run` has thrown, or an AggregateError when clean-ups failed. */
  readonly error?: unknown
  /** How long it was, in milliseconds, from the call of `start()` on. */
  readonly durationMs: number
}

/** From a start to the end. */
interface Life {
  readonly scope: ResourceScope
  readonly startMs: number
  readonly starting: AbortScope
  readonly closed: Deferred<ServiceEnd>
  /** That of `start()`. */
  started: Promise<void>
  /** Why it was stopped before it was started. */
  stopReason: ClosedError | undefined
  /** From the end of `onStart` on. */
  running: { readonly scope: AbortScope; readonly done: Promise<unknown> } | undefined
  /** For `onStop`. */
  readonly stopping: AbortScope
  readonly grace: Grace
}

const DEFAULT_GRACE_MS = 10_000
const DONE = Promise.resolve()

/**
 * The base of a service. A subclass overrides any of `onStart`, `run` and `onStop`.
 *
 * ```ts
 * class Clock extends Service {
 *   protected override async onStart(scope: ResourceScope, signal: AbortSignal) {
 *     this.#line = await scope.enter(() => openConnection({ port: 8888, signal }))
 *   }
 *   protected override async run(signal: AbortSignal) {
 *     for (;;) {
 *       this.#line.writer.write(`${Date.now()}\n`)
 *       await sleep(1_000, { signal })
 *     }
 *   }
 * }
 * await using clock = new Clock()
 * await clock.start()
 * ```
 *
 * asyncio has none. The usual class with a `_running` flag says that it is running before it is, goes on saying so when its
 * start has failed, and never learns that its task has ended.
 */
export abstract class Service {
  /** For messages. */
  readonly name: string
  /** Where the service tells what nobody waits for. */
  protected readonly logger: Logger
  /** The time of the service. */
  protected readonly clock: Clock
  readonly #graceMs: number
  readonly #cleanupTimeoutMs: number
  #state: ServiceState = 'new'
  #error: unknown
  #life: Life | undefined
  /** That of the life to come while there is none, of the latest one otherwise. */
  #closed = deferred<ServiceEnd>()
  /** How often `stop()` was called: a start that waits for a stop to end looks whether there was another one. */
  #stops = 0

  /** @throws RangeError for a time of no meaning */
  constructor(options: ServiceOptions = {}) {
    const { graceMs = DEFAULT_GRACE_MS, cleanupTimeoutMs = DEFAULT_CLEANUP_TIMEOUT_MS } = options
    checkGrace(graceMs)
    checkTimeout(cleanupTimeoutMs, 'cleanupTimeoutMs')
    this.name = options.name ?? new.target.name
    this.logger = resolveLogger(options.logger)
    this.clock = options.clock ?? systemClock
    this.#graceMs = graceMs
    this.#cleanupTimeoutMs = cleanupTimeoutMs
  }

  /** Where it is. */
  get state(): ServiceState {
    return this.#state
  }

  /** Whether it is started and not being stopped. */
  get isRunning(): boolean {
    return this.#state === 'running'
  }

  /** Why it has failed, from the crash on; undefined otherwise, and from the next start on. */
  get error(): unknown {
    return this.#error
  }

  /**
   * Resolves, and never rejects, when the service has ended, in whatever way, and all is cleaned up. Each start that
   * follows an end has a new one. To wait no longer than so long: `shield(service.closed, { timeoutMs })`.
   */
  get closed(): Promise<ServiceEnd> {
    return this.#closed.promise
  }

  /**
   * Starts it, and resolves when `onStart` is through and `run` has begun; at once when it is running. While it
   * starts, further calls wait for the same start; while it stops, for the stop, and start it then.
   *
   * When `onStart` throws, what it has opened is closed, the state is `failed`, and it can be started again.
   *
   * @throws what `onStart` throws; an AggregateError with that first when clean-ups fail as well
   * @throws the signal's reason when it aborts, also if it has before; TimeoutError (phase `call`) after `timeoutMs`. That
   *   of the call that has begun the start ends the start, which has failed then; that of any other call ends its wait
   * @throws ClosedError when it is stopped before it is started
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  start(options: WaitOptions = {}): Promise<void> {
    return watchUnawaited(this.#start(options), `${this.name}.start()`)
  }

  /**
   * Stops it, and resolves when it has ended; at once when it has, or was never started. First `onStop` is called, which
   * may take `graceMs`; then the signal of `run` aborts, and then what `onStart` has opened is closed, the last first.
   * What does not end is named and passed over, so that a stop takes at most `graceMs` and `cleanupTimeoutMs` for each of
   * the two hooks and each resource. A start that is under way is aborted.
   *
   * Any number of calls, also at the same time: there is one stop, and a later call can shorten its grace. A
   * rejection may go unawaited. None of the hooks may await it.
   *
   * @throws what the service ends with, when it fails while this call waits: an AggregateError when hooks or clean-ups
   *   have failed. The state is `failed` then, and nothing is left open
   * @throws the signal's reason when it aborts, TimeoutError (phase `call`) after `timeoutMs`: the service goes on
   *   stopping. With a signal that has aborted before, nothing is done
   * @throws RangeError for a time of no meaning
   */
  stop(options: StopServiceOptions = {}): Promise<void> {
    const { graceMs = this.#graceMs } = options
    const refused = refuseEnd(options, graceMs)
    if (refused !== undefined) return refused
    this.#stops++
    const life = this.#life
    if (life === undefined || this.#state === 'stopped' || this.#state === 'failed') return DONE
    life.grace.limit(graceMs)
    if (this.#state === 'starting') {
      const message = `${this.name}: it was stopped while it was starting`
      life.stopReason ??= new ClosedError(message)
      life.starting.abort(life.stopReason)
    } else if (this.#state === 'running') {
      void this.#end(life)
    }
    const stopped = life.closed.promise.then(({ state, error }) => {
      if (state === 'failed') throw error
    })
    return unobserved(shield(stopped, { ...options, clock: this.clock }))
  }

  /** The same as `stop()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /**
   * Opens what the service needs, and registers it in the scope. The signal aborts when the start is given up;
   * what is registered later than that is closed at once.
   */
  protected onStart(_scope: ResourceScope, _signal: AbortSignal): unknown {
    return undefined
  }

  /**
   * The work of the service, called when it is started. It should go on until the signal aborts; when it returns earlier
   * the service ends as after a stop, and when it throws, the service has failed.
   */
  protected run(signal: AbortSignal): unknown {
    return new Promise<void>((resolve) => {
      onAbort(signal, resolve)
    })
  }

  /**
   * Ends what can be ended in good order, while `run` still goes on and all is still open. The signal aborts at the end
   * of the grace: it should return soon after, and what it then throws is no error if it is nothing but the abort. It is
   * called once for each `onStart` that has succeeded, also after a crash of `run`: then `this.error` is set.
   */
  protected onStop(_signal: AbortSignal): unknown {
    return undefined
  }

  async #start(options: WaitOptions): Promise<void> {
    const refused = refuseWait(options)
    if (refused !== undefined) return refused
    const { clock } = this
    const life = this.#life
    if (this.#state === 'running') return
    if (life === undefined || this.#state === 'stopped' || this.#state === 'failed') {
      return this.#begin(options)
    }
    if (this.#state === 'starting') return shield(life.started, { ...options, clock })
    const stops = this.#stops
    const startMs = clock.now()
    await shield(life.closed.promise, { ...options, clock })
    if (this.#stops !== stops) {
      throw new ClosedError(`${this.name}: it was stopped again before it was started`)
    }
    const leftMs = (options.timeoutMs ?? Infinity) - (clock.now() - startMs)
    return this.#start({ signal: options.signal, timeoutMs: leftMs })
  }

  #begin({ signal, timeoutMs }: WaitOptions): Promise<void> {
    const { name, clock } = this
    if (this.#life !== undefined) this.#closed = deferred()
    this.#error = undefined
    this.#move('start')
    const stopping = new AbortScope([], {})
    const endGrace = (): void => {
      stopping.abort(abortError(`${name}: the grace of the stop is over`))
    }
    const life: Life = {
      scope: this.#newScope(),
      startMs: clock.now(),
      starting: new AbortScope([signal], { timeoutMs, clock, what: `${name}: start()` }),
      closed: this.#closed,
      started: DONE,
      stopReason: undefined,
      running: undefined,
      stopping,
      grace: new Grace(endGrace, clock),
    }
    this.#life = life
    life.started = unobserved(this.#open(life))
    return life.started
  }

  async #open(life: Life): Promise<void> {
    const { scope, starting } = life
    try {
      await starting.run((signal) =>
        this.#patiently('onStart()', () => this.onStart(scope, signal), signal),
      )
    } catch (error) {
      // Of a stop it is no failure that it has ended the start.
      const isStop = life.stopReason !== undefined && starting.explains(error)
      const end = await this.#end(life, isStop ? undefined : { error })
      throw isStop ? life.stopReason : end.error
    }
    const work = new AbortScope([])
    if (life.stopReason === undefined) {
      this.#move('started')
      const done = unobserved(work.run((signal) => this.run(signal)))
      life.running = { scope: work, done }
      done.then(
        () => this.#runEnded(life),
        (error: unknown) => this.#runEnded(life, { error }),
      )
    } else {
      // It has come through all the same: its `onStop` is due.
      life.running = { scope: work, done: DONE }
      await this.#end(life)
      throw life.stopReason
    }
  }

  #runEnded(life: Life, failure?: { error: unknown }): void {
    // In a stop it is one of the clean-ups.
    if (this.#life !== life || this.#state !== 'running') return
    if (failure !== undefined) {
      this.#error = failure.error
      this.logger.error({ err: failure.error }, `${this.name}: it has crashed: run() threw`)
    }
    void this.#end(life, failure).then(({ error }) => {
      if (error === failure?.error) return
      this.logger.error({ err: error }, `${this.name}: it has ended, and not everything was closed`)
    })
  }

  /** Closes everything. Never rejects. */
  async #end(life: Life, failure?: { error: unknown }): Promise<ServiceEnd> {
    const { running, stopping, grace } = life
    // A hook may have closed or moved the one that it was given.
    const scope = life.scope.state === 'open' ? life.scope : this.#newScope()
    this.#move('end')
    if (running !== undefined) {
      const endRun = async (): Promise<void> => {
        running.scope.abort(abortError(`${this.name}: it is being stopped`))
        try {
          await running.done
        } catch (error) {
          if (error !== failure?.error && !running.scope.explains(error)) throw error
        }
      }
      scope.defer(endRun, { name: 'run()' })
      const endWell = (): Promise<unknown> =>
        stopping
          .run((signal) => this.#patiently('onStop()', () => this.onStop(signal), signal))
          .catch((error: unknown) => {
            if (!stopping.explains(error)) throw error
          })
      scope.defer(endWell, { name: 'onStop()', cleanupTimeoutMs: Infinity })
      grace.limit(this.#graceMs)
    }
    let outcome = failure
    if (failure === undefined) {
      await scope.close().catch((error: unknown) => (outcome = { error }))
    } else {
      outcome = { error: await scope.closeAfter(failure.error) }
    }
    grace.close()
    this.#error = outcome?.error
    this.#move(outcome === undefined ? 'ended' : 'failed')
    const durationMs = this.clock.now() - life.startMs
    const end: ServiceEnd =
      outcome === undefined
        ? { state: 'stopped', durationMs }
        : { state: 'failed', error: outcome.error, durationMs }
    life.closed.resolve(end)
    return end
  }

  #newScope(): ResourceScope {
    const { name, logger, clock } = this
    return new ResourceScope({ name, cleanupTimeoutMs: this.#cleanupTimeoutMs, logger, clock })
  }

  /** Calls a hook, and gives it up when it goes on for too long after its signal has aborted. */
  async #patiently(what: string, hook: () => unknown, signal: AbortSignal): Promise<unknown> {
    const running = startTask(hook, signal)
    try {
      return await raceAbort(running, signal)
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error
      return callWithin(() => running, {
        what: `${this.name}: ${what}, after its abort`,
        timeoutMs: this.#cleanupTimeoutMs,
        clock: this.clock,
        onLateError: (late) => {
          this.logger.warn({ err: late }, `${this.name}: ${what} failed after it was given up`)
        },
      })
    }
  }

  #move(event: ServiceEvent): void {
    const next = nextState(this.#state, event)
    if (next === undefined) throw new Error(`${this.name}: no ${event} in state ${this.#state}`)
    this.#state = next
  }
}
