/**
 * Structured concurrency: tasks that end before the block ends that started them.
 *
 * Invariant: when the promise of `taskGroup` settles, its body and all its tasks have settled, and nothing listens to
 * the outer signal any more. There is no way to leave a task behind, and no error of a task is lost.
 */
import { ClosedError } from '../errors.js'
import { abortError, AbortScope } from './abort-scope.js'
import { deferred, rejected, unobserved, type Deferred } from './deferred.js'
import { checkFunction, startTask, type TaskFunction } from './start-task.js'
import { watchUnawaited } from './unawaited.js'

/** What {@link taskGroup} takes. */
export interface TaskGroupOptions {
  /** Aborts the whole group. */
  signal?: AbortSignal | undefined
}

/** What {@link TaskGroup.spawn} takes. */
export interface SpawnOptions {
  /** Aborts this task alone. When it then ends with that, it is no failure of the group. */
  signal?: AbortSignal | undefined
}

/** What the body of a {@link taskGroup} gets. */
export interface TaskGroup {
  /** Aborts when a task or the body fails, or the outer signal aborts: the body should heed it in all that it awaits. */
  readonly signal: AbortSignal
  /** How many tasks have not settled. */
  readonly size: number
  /**
   * Starts a task: calls `fn(signal)` at once. The promise gives its result; it may go unawaited, since a failure is
   * the group's. Tasks may spawn tasks, also when the body is through.
   *
   * asyncio: `TaskGroup.create_task(coro)`, whose task begins a turn of the loop later.
   *
   * @throws ClosedError when a task has failed, the group is aborted, or has ended; `fn` is not called. A task that ends
   *   with this error does not add it to the errors of the group
   * @throws TypeError when `fn` is no function
   */
  spawn<T>(fn: TaskFunction<T>, options?: SpawnOptions): Promise<T>
}

/**
 * Runs the body, which may start tasks in the group, and gives the body's result when **all of them are done**.
 *
 * ```ts
 * const [user, orders] = await taskGroup(async (group) => {
 *   const user = group.spawn((signal) => fetchUser(id, { signal }))
 *   const orders = group.spawn((signal) => fetchOrders(id, { signal }))
 *   return [await user, await orders]
 * })
 * ```
 *
 * The first failure, of a task or of the body, aborts `group.signal`, which all of them should heed; the call then
 * rejects when the last one has settled. All errors are kept in one AggregateError, in the order of their coming, also
 * if it is a single one; one that several tasks end with, since they await each other, is kept once. What ends with
 * nothing but the abort of the group has no error: the reason itself, or an AbortError for it.
 *
 * An abort of the outer signal aborts all; then the call rejects with its reason, unless a task has failed in its
 * own way, which comes first. Groups can be nested, by `{ signal: group.signal }`; an inner one that fails
 * is one error of the outer one.
 *
 * asyncio: `async with TaskGroup() as group`. What differs: an aborted body must heed `group.signal`, since nothing
 * can be thrown into it; the outer abort is never swallowed by a body that returns in spite of it; no kind of error
 * is raised by itself, as KeyboardInterrupt is.
 *
 * @throws AggregateError with the errors of the tasks and the body
 * @throws the outer signal's reason when it aborts; when it has before, the body is not run
 * @throws TypeError when `body` is no function
 */
export function taskGroup<T>(
  body: (group: TaskGroup) => T | PromiseLike<T>,
  options: TaskGroupOptions = {},
): Promise<T> {
  return watchUnawaited(runGroup(body, options), 'taskGroup()')
}

async function runGroup<T>(
  body: (group: TaskGroup) => T | PromiseLike<T>,
  { signal }: TaskGroupOptions,
): Promise<T> {
  checkFunction(body, 'body')
  signal?.throwIfAborted()
  return new Group(signal).run(body)
}

class Group implements TaskGroup {
  readonly #outer: AbortSignal | undefined
  readonly #scope: AbortScope
  /** In the order of their coming; the same error twice is one. */
  readonly #errors = new Set<unknown>()
  /** What `spawn` has thrown: consequences of the abort, not errors of their own. */
  readonly #refusals = new WeakSet<ClosedError>()
  #size = 0
  /** Made by `run` while it waits for the last task. */
  #empty: Deferred | undefined
  #hasEnded = false

  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer
    this.#scope = new AbortScope([outer])
  }

  get signal(): AbortSignal {
    return this.#scope.signal
  }

  get size(): number {
    return this.#size
  }

  spawn<T>(fn: TaskFunction<T>, { signal: own }: SpawnOptions = {}): Promise<T> {
    checkFunction(fn)
    this.#mayStillSpawn()
    if (own === undefined) return this.#watch(startTask(fn, this.signal), this.#scope)
    if (own.aborted) return rejected(own.reason)
    const scope = new AbortScope([this.signal, own])
    return this.#watch(scope.run(fn), scope)
  }

  async run<T>(body: (group: TaskGroup) => T | PromiseLike<T>): Promise<T> {
    let result: T | undefined
    try {
      result = await startTask(() => body(this), this.signal)
    } catch (error) {
      this.#judge(error, this.#scope)
    }
    // The last to settle may have started others, so it is looked at anew.
    while (this.#size > 0) {
      this.#empty = deferred()
      await this.#empty.promise
    }
    this.#hasEnded = true
    this.#scope.close()
    if (this.#errors.size > 0) throw aggregate([...this.#errors])
    this.#outer?.throwIfAborted()
    return result as T
  }

  #mayStillSpawn(): void {
    if (this.#hasEnded) {
      throw new ClosedError(
        'task group: it has ended; spawn while its body or one of its tasks still runs',
      )
    }
    if (!this.signal.aborted) return
    const refusal = new ClosedError('task group: it is being aborted and takes no more tasks', {
      cause: this.signal.reason,
    })
    this.#refusals.add(refusal)
    throw refusal
  }

  /** Counts a task until it has settled. Attached before anyone else can be, so that the group is the first to know. */
  #watch<T>(task: Promise<T>, scope: AbortScope): Promise<T> {
    this.#size++
    task.then(
      () => {
        this.#leave()
      },
      (error: unknown) => {
        this.#judge(error, scope)
        this.#leave()
      },
    )
    return unobserved(task)
  }

  #leave(): void {
    this.#size--
    if (this.#size === 0) this.#empty?.resolve()
  }

  /** Keeps an error, and aborts the others, unless it is but a consequence of the abort. */
  #judge(error: unknown, scope: AbortScope): void {
    if (scope.explains(error)) return
    if (error instanceof ClosedError && this.#refusals.has(error)) return
    this.#errors.add(error)
    const message = `task group: aborted, since a task failed: ${messageOf(error)}`
    this.#scope.abort(abortError(message, error))
  }
}

function aggregate(errors: readonly unknown[]): AggregateError {
  const count = errors.length === 1 ? '1 error' : `${errors.length} errors, the first`
  return new AggregateError(errors, `task group: ${count}: ${messageOf(errors[0])}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
