/**
 * An event loop of its own, in a thread, for work that would make this one stand still.
 *
 * It shares nothing with the thread: what goes there and what comes back are clones. It does not spread the work over
 * several threads.
 */
import type { Transferable, WorkerOptions } from 'node:worker_threads'
import { ClosedError } from '../errors.js'
import { raceAbort, refuseWait, type WaitOptions } from './abort.js'
import { AbortScope } from './abort-scope.js'
import { checkCount } from './check-count.js'
import { rejected } from './deferred.js'
import type { ResourceScope } from './resource-scope.js'
import { Service, type ServiceOptions } from './service.js'
import { TaskPool } from './task-pool.js'
import { TaskThread } from './task-thread.js'
import { watchUnawaited } from './unawaited.js'

/** How a {@link WorkerLoop} is made. */
export interface WorkerLoopOptions extends ServiceOptions {
  /** How many tasks the thread has at a time; the others wait for their turn here. @default 16 */
  maxInFlight?: number | undefined
  /** Whether a stop lets what waits for its turn have it, as far as the grace allows, or drops it. @default true */
  drain?: boolean | undefined
  /** For the thread: `env`, `execArgv`, `resourceLimits`, `workerData` and so on. */
  worker?: Omit<WorkerOptions, 'eval'> | undefined
}

/** What {@link WorkerLoop.submit} takes. `timeoutMs` is for the wait and the work together. */
export interface SubmitTaskOptions extends WaitOptions {
  /** Parts of the input that are handed over instead of being cloned, such as an ArrayBuffer. */
  transfer?: readonly Transferable[] | undefined
}

/** A module whose tasks are not known to the compiler. */
export type AnyTasks = Record<string, (input: unknown, signal: AbortSignal) => unknown>

type AnyFunction = (...args: never[]) => unknown

/** The names of the functions that a module exports. */
export type TaskName<Tasks> = {
  [Name in keyof Tasks]: Tasks[Name] extends AnyFunction ? Name : never
}[keyof Tasks] &
  string

/** What a task takes: undefined when that is nothing. */
export type TaskInput<Task> = Task extends (...args: infer Args) => unknown
  ? Args extends readonly []
    ? undefined
    : Args[0]
  : never

/** What a task gives. */
export type TaskResult<Task> = Task extends (...args: never[]) => infer Result
  ? Awaited<Result>
  : never

const DEFAULT_MAX_IN_FLIGHT = 16

/**
 * A thread with a loop, and a module whose exported functions are its tasks.
 *
 * ```ts
 * // hashing.js: export async function hash(path, signal) { … }
 * await using loop = new WorkerLoop<typeof import('./hashing.js')>(new URL('./hashing.js', import.meta.url))
 * await loop.start()
 * const digest = await loop.submit('hash', '/var/log/syslog', { signal })
 * ```
 *
 * A task is called as `task(input, signal)`. As a service the loop has `start()`, `stop()`, `state` and `closed`: when the
 * thread ends by itself, all calls reject with a BrokenError, and the service has failed; it can be started again.
 * A thread that runs keeps the process alive.
 *
 * asyncio: `new_event_loop()` in a `threading.Thread`, and `run_coroutine_threadsafe(coro, loop)`.
 */
export class WorkerLoop<Tasks extends object = AnyTasks> extends Service {
  readonly #url: string
  readonly #maxInFlight: number
  readonly #drain: boolean
  readonly #worker: Omit<WorkerOptions, 'eval'>
  /** Those of the latest start. */
  #thread: TaskThread | undefined
  #pool: TaskPool

  /**
   * @param module The URL of the module, of which only the thread loads anything.
   * @throws TypeError when `module` is no absolute URL, RangeError when a number or a time has no meaning
   */
  constructor(module: URL | string, options: WorkerLoopOptions = {}) {
    super(options)
    const { maxInFlight = DEFAULT_MAX_IN_FLIGHT, drain = true, worker = {} } = options
    checkCount('maxInFlight', maxInFlight)
    if (!URL.canParse(String(module))) {
      throw new TypeError(
        `module must be an absolute URL, such as new URL('./tasks.js', import.meta.url), not ${String(module)}`,
      )
    }
    this.#url = String(module)
    this.#maxInFlight = maxInFlight
    this.#drain = drain
    this.#worker = worker
    this.#pool = this.#newPool()
  }

  /** How many tasks are under way or wait for their turn. */
  get pending(): number {
    return this.#pool.size
  }

  /**
   * Calls a task in the thread, when it is its turn, and gives a clone of its result. The input is cloned when it is
   * sent; what is in `transfer` is no longer usable here then.
   *
   * An abort rejects at once. A task that waits is never called then; one that is under way hears of it by its
   * signal, and keeps its place until it has ended, since a thread that is busy can hear nothing.
   *
   * @throws what the task throws: an error with the same name, message, code, cause and stack, of the same class where
   *   that is one of the language's
   * @throws BrokenError when the thread ends by itself before the reply
   * @throws ClosedError unless the loop is running, or when it is stopped before the reply
   * @throws the signal's reason when it aborts, also if it has before; TimeoutError (phase `call`) after `timeoutMs`
   * @throws DOMException (DataCloneError) when the input or the result cannot be cloned
   * @throws TypeError for a name that is none of a task, RangeError for a `timeoutMs` that is not above 0
   */
  submit<Name extends TaskName<Tasks>>(
    name: Name,
    ...[input, options]: undefined extends TaskInput<Tasks[Name]>
      ? [input?: TaskInput<Tasks[Name]>, options?: SubmitTaskOptions]
      : [input: TaskInput<Tasks[Name]>, options?: SubmitTaskOptions]
  ): Promise<TaskResult<Tasks[Name]>> {
    const result = this.#submit(name, input, options ?? {}) as Promise<TaskResult<Tasks[Name]>>
    return watchUnawaited(result, 'WorkerLoop.submit()')
  }

  protected override async onStart(scope: ResourceScope, signal: AbortSignal): Promise<void> {
    const options = {
      url: this.#url,
      owner: this.name,
      worker: this.#worker,
      clock: this.clock,
    }
    this.#thread = await scope.enter(
      (inner) => TaskThread.start(options, inner),
      (thread) => thread.end(),
      { name: 'the thread', signal },
    )
    this.#pool = this.#newPool()
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    if (this.#thread !== undefined) await raceAbort(this.#thread.crash, signal)
  }

  protected override onStop(signal: AbortSignal): Promise<void> {
    return this.#pool.shutdown({ drain: this.#drain, signal })
  }

  #submit(name: string, input: unknown, options: SubmitTaskOptions): Promise<unknown> {
    const { signal, timeoutMs, transfer } = options
    const refused = refuseWait(options)
    if (refused !== undefined) return refused
    const thread = this.#thread
    if (thread === undefined || !this.isRunning) {
      return rejected(new ClosedError(`${this.name}: it takes nothing in state ${this.state}`))
    }
    if (!thread.names.includes(name)) {
      const message = `name must be that of a function of the module (${thread.names.join(', ')}), not ${name}`
      return Promise.reject(new TypeError(message))
    }
    if (signal === undefined && timeoutMs === undefined) {
      return this.#pool.submit(() => thread.call(name, input, undefined, transfer))
    }
    const what = `${this.name}: submit('${name}')`
    const scope = new AbortScope([signal], { timeoutMs, clock: this.clock, what })
    return scope.run((inner) => {
      const call = (): Promise<unknown> => thread.call(name, input, inner, transfer)
      return raceAbort(this.#pool.submit(call, { signal: inner }), inner)
    })
  }

  #newPool(): TaskPool {
    return new TaskPool({ limit: this.#maxInFlight, clock: this.clock })
  }
}
