/**
 * At most so many tasks at a time; the others wait for their turn, first come, first served.
 *
 * It bounds how many run, not how many wait: who submits without end awaits what it submits, or uses `map`, which
 * takes from its source no more than it can use.
 *
 * Invariant: while fewer than `limit` run, none waits.
 */
import { ClosedError } from '../errors.js'
import { checkTimeout, onAbort, refuseWait, type WaitOptions } from './abort.js'
import { AbortScope, controllerForMany } from './abort-scope.js'
import { checkCount } from './check-count.js'
import { systemClock, type Clock } from './clock.js'
import { rejected, unobserved } from './deferred.js'
import { LinkedList, type Linked } from './linked-list.js'
import { mapThrough } from './map-through.js'
import type { MapSource } from './pulled-source.js'
import { checkFunction, startTask, type TaskFunction } from './start-task.js'
import { WaitQueue } from './wait-queue.js'

/** What a {@link TaskPool} takes. */
export interface TaskPoolOptions {
  /** How many tasks run at a time. */
  limit: number
  /** For `timeoutMs`. @default the clock of the process */
  clock?: Clock | undefined
}

/** What {@link TaskPool.map} takes. `timeoutMs` is for the whole iteration, from its first step on. */
export interface PoolMapOptions extends WaitOptions {
  /** How many items can be begun whose results are not yet taken. @default the limit of the pool */
  maxAhead?: number | undefined
}

/** What {@link TaskPool.shutdown} takes. `signal` and `timeoutMs` end the wait alone. */
export interface ShutdownOptions extends WaitOptions {
  /** Whether what waits for its turn is still run. @default true */
  drain?: boolean | undefined
  /** Whether the signals of the tasks that run abort, with a ClosedError; what waits is dropped then. @default false */
  abortRunning?: boolean | undefined
}

/** A task on its way through the pool. */
class Submission<T> implements Linked<Submission<unknown>> {
  readonly fn: TaskFunction<T>
  readonly signal: AbortSignal
  /** That of this task alone, if it has one; closed when the task settles. */
  readonly scope: AbortScope | undefined
  readonly promise: Promise<T>
  resolve!: (value: T) => void
  reject!: (reason: unknown) => void
  /** While it waits for its turn. */
  previous: Submission<unknown> | undefined = undefined
  next: Submission<unknown> | undefined = undefined
  stopListening: (() => void) | undefined = undefined

  constructor(fn: TaskFunction<T>, signal: AbortSignal, scope: AbortScope | undefined) {
    this.fn = fn
    this.signal = signal
    this.scope = scope
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
}

/**
 * A pool of tasks.
 *
 * ```ts
 * await using pool = new TaskPool({ limit: 8 })
 * for await (const size of pool.map(paths, (path) => sizeOf(path))) console.log(size)
 * ```
 *
 * A task that awaits another one of its own pool waits for ever when all the others do so too.
 */
export class TaskPool {
  readonly #limit: number
  readonly #clock: Clock
  readonly #controller = controllerForMany()
  readonly #shutdowns: WaitQueue
  readonly #waiting = new LinkedList<Submission<unknown>>()
  #running = 0
  #isClosed = false

  /** @throws RangeError when `limit` is not a whole number above 0 */
  constructor({ limit, clock = systemClock }: TaskPoolOptions) {
    checkCount('limit', limit)
    this.#limit = limit
    this.#clock = clock
    this.#shutdowns = new WaitQueue('TaskPool.shutdown()', clock)
  }

  /** How many tasks are in it: those that run and those that wait. */
  get size(): number {
    return this.#running + this.#waiting.size
  }

  /** How many tasks wait for their turn. */
  get pending(): number {
    return this.#waiting.size
  }

  /**
   * Runs `fn(signal)` when it is its turn, at once when fewer than `limit` run, and settles as it does.
   *
   * An abort takes a task that waits out of the pool. One that runs hears it by its signal, and keeps its place and its
   * promise until it has settled. `timeoutMs` is for both together, and works in the same way.
   *
   * @throws what the function throws
   * @throws the signal's reason when it aborts, also if it has before, or TimeoutError (phase `call`) after
   *   `timeoutMs`: a task whose turn has not come is never run
   * @throws ClosedError after `shutdown()`, or when it is dropped by that; such a rejection may go unawaited
   * @throws TypeError when `fn` is no function, RangeError for a `timeoutMs` that is not above 0
   */
  submit<T>(fn: TaskFunction<T>, options?: WaitOptions): Promise<T> {
    try {
      checkFunction(fn)
    } catch (error) {
      return Promise.reject(error)
    }
    if (options?.signal === undefined && options?.timeoutMs === undefined) {
      return this.#submit(fn, this.#controller.signal)
    }
    const refused = refuseWait(options)
    if (refused !== undefined) return refused
    const scope = new AbortScope([options.signal, this.#controller.signal], {
      timeoutMs: options.timeoutMs,
      clock: this.#clock,
      what: 'TaskPool.submit()',
    })
    return this.#submit(fn, scope.signal, scope)
  }

  /**
   * Runs `fn(item, signal)` for each item, and gives the results **in the order of the items**. The source may be
   * endless: at most `maxAhead` items are taken from it whose results are not yet taken from here. Nothing is begun
   * before the first step. Several `map` and `submit` share the limit.
   *
   * The first error, of the function or the source, ends the iteration where its result would have come. An
   * error, an abort, and leaving the loop abort the signals of what still runs, wait for it, drop what waits, and end
   * the source (`return()`); a source that is just being asked for its next item is told, and not waited for.
   *
   * asyncio has none; `concurrent.futures.Executor.map` is the like of it.
   *
   * @throws what the function or the source throws
   * @throws the signal's reason when it aborts, TimeoutError (phase `call`) after `timeoutMs`
   * @throws ClosedError when the pool is shut down before it is through
   * @throws RangeError for a `maxAhead` or a `timeoutMs` of no meaning, TypeError for a source or an `fn`: at once
   */
  map<In, Out>(
    source: MapSource<In>,
    fn: (item: In, signal: AbortSignal) => Out | PromiseLike<Out>,
    options: PoolMapOptions = {},
  ): AsyncGenerator<Out, void, undefined> {
    return this.#map(source, fn, options, true)
  }

  /** As {@link TaskPool.map}, but gives each result as soon as it is there. */
  mapUnordered<In, Out>(
    source: MapSource<In>,
    fn: (item: In, signal: AbortSignal) => Out | PromiseLike<Out>,
    options: PoolMapOptions = {},
  ): AsyncGenerator<Out, void, undefined> {
    return this.#map(source, fn, options, false)
  }

  /**
   * Takes no more tasks, and resolves when the last one has settled; at once when there is none. Any number of calls:
   * one that says more (`drain: false`, `abortRunning`) does more. It never rejects for what a task throws. Inside a
   * task of the pool it must not be awaited.
   *
   * @throws the signal's reason when it aborts, TimeoutError (phase `call`) after `timeoutMs`: the pool goes on
   *   shutting down. With a signal that has aborted before, nothing is done
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    const { drain = true, abortRunning = false } = options
    const refused = refuseWait(options)
    if (refused !== undefined) return refused
    this.#isClosed = true
    if (!drain || abortRunning) this.#dropWaiting()
    if (abortRunning) this.#controller.abort(new ClosedError('task pool: it was shut down'))
    return this.#running === 0 ? Promise.resolve() : this.#shutdowns.wait(options, undefined)
  }

  /** The same as `shutdown()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  #submit<T>(fn: TaskFunction<T>, signal: AbortSignal, scope?: AbortScope): Promise<T> {
    if (this.#isClosed) {
      scope?.close()
      return rejected(new ClosedError('task pool: it was shut down and takes no more tasks'))
    }
    const submission = new Submission(fn, signal, scope)
    if (this.#running < this.#limit) this.#start(submission)
    else this.#enqueue(submission as Submission<unknown>)
    return submission.promise
  }

  #start<T>(submission: Submission<T>): void {
    this.#running++
    startTask(submission.fn, submission.signal).then(
      (value) => {
        submission.resolve(value)
        this.#leave(submission.scope)
      },
      (error: unknown) => {
        submission.reject(error)
        this.#leave(submission.scope)
      },
    )
  }

  /** A task has settled: the next one has its turn. */
  #leave(scope: AbortScope | undefined): void {
    scope?.close()
    this.#running--
    const next = this.#waiting.first
    if (next !== undefined) {
      this.#dequeue(next)
      this.#start(next)
    } else if (this.#running === 0 && this.#isClosed) {
      this.#shutdowns.wakeAll()
    }
  }

  #dropWaiting(): void {
    for (let next; (next = this.#waiting.first) !== undefined;) {
      void unobserved(next.promise)
      this.#giveUp(
        next,
        new ClosedError('task pool: it was shut down before the task had its turn'),
      )
    }
  }

  /** Its turn will never come. */
  #giveUp(submission: Submission<unknown>, reason: unknown): void {
    this.#dequeue(submission)
    submission.scope?.close()
    submission.reject(reason)
  }

  #enqueue(submission: Submission<unknown>): void {
    this.#waiting.push(submission)
    const { signal } = submission
    // That of the pool aborts only when nothing waits any more.
    if (signal === this.#controller.signal) return
    submission.stopListening = onAbort(signal, () => {
      this.#giveUp(submission, signal.reason)
    })
  }

  #dequeue(submission: Submission<unknown>): void {
    this.#waiting.remove(submission)
    submission.stopListening?.()
  }

  #map<In, Out>(
    source: MapSource<In>,
    fn: (item: In, signal: AbortSignal) => Out | PromiseLike<Out>,
    { signal, timeoutMs, maxAhead = this.#limit }: PoolMapOptions,
    inOrder: boolean,
  ): AsyncGenerator<Out, void, undefined> {
    checkFunction(fn)
    checkCount('maxAhead', maxAhead)
    checkTimeout(timeoutMs)
    return mapThrough(source, {
      begin: (item, inner) => this.#submit(() => fn(item, inner), inner),
      makeScope: () =>
        new AbortScope([signal, this.#controller.signal], {
          timeoutMs,
          clock: this.#clock,
          what: 'TaskPool.map()',
        }),
      maxAhead,
      inOrder,
    })
  }
}
