/**
 * One thread that runs the tasks of a module, seen from outside.
 *
 * Invariant: each call settles: with its reply, or when the thread ends, however it does.
 */
import { Worker, type Transferable, type WorkerOptions } from 'node:worker_threads'
import { BrokenError, ClosedError, describeSystemError } from '../errors.js'
import { onAbort, raceAbort } from './abort.js'
import type { Clock } from './clock.js'
import { deferred, rejected, unobserved, type Deferred } from './deferred.js'
import { shield } from './shield.js'
import { taskServerSource, type FromThread, type ToThread } from './task-server.js'
import { thrownFromWire, thrownToWire } from './thread-error.js'

/** How a thread is made. */
export interface TaskThreadOptions {
  /** The URL of the module. */
  readonly url: string
  /** Whose it is, for messages. */
  readonly owner: string
  readonly worker: WorkerOptions
  readonly clock: Clock
}

interface Call {
  readonly reply: Deferred<unknown>
  readonly stopListening: () => void
}

/** How long an idle thread may take to exit by itself, with what it has registered for that. Arbitrary. */
const EXIT_TIMEOUT_MS = 1_000

export class TaskThread {
  readonly #worker: Worker
  readonly #owner: string
  readonly #clock: Clock
  readonly #calls = new Map<number, Call>()
  readonly #ready = deferred<readonly string[]>()
  readonly #exited = deferred()
  readonly #crash = deferred<never>()
  #names: readonly string[] = []
  #nextId = 0
  /** Why nothing can be called any more. */
  #endReason: BrokenError | ClosedError | undefined
  /** What the thread itself has not caught. */
  #uncaught: unknown

  /**
   * Starts one, and gives it when its module is loaded.
   *
   * @throws what the module throws when it is loaded
   * @throws BrokenError when the thread ends before; the signal's reason when it aborts: the thread is ended then
   */
  static async start(options: TaskThreadOptions, signal: AbortSignal): Promise<TaskThread> {
    const thread = new TaskThread(options)
    try {
      thread.#names = await raceAbort(thread.#ready.promise, signal)
      return thread
    } catch (error) {
      await thread.#worker.terminate()
      throw error
    }
  }

  private constructor({ url, owner, worker, clock }: TaskThreadOptions) {
    this.#owner = owner
    this.#clock = clock
    void unobserved(this.#ready.promise)
    void unobserved(this.#crash.promise)
    this.#worker = new Worker(taskServerUrl(), { name: owner, ...worker, eval: false })
    this.#worker.on('message', this.#workerOnMessage)
    this.#worker.on('messageerror', this.#workerOnMessageError)
    this.#worker.on('error', this.#workerOnError)
    this.#worker.on('exit', this.#workerOnExit)
    this.#post({ kind: 'load', url })
  }

  /** The tasks that it has. */
  get names(): readonly string[] {
    return this.#names
  }

  /** Rejects with a BrokenError when the thread ends by itself; otherwise it never settles. */
  get crash(): Promise<never> {
    return this.#crash.promise
  }

  /**
   * Calls a task with a clone of the input. An abort is told to the task, and the reply is waited for all the same.
   *
   * @throws what the task throws; a DOMException (DataCloneError) for an input or a result that cannot be cloned
   * @throws BrokenError when the thread has ended by itself, ClosedError when it was ended
   */
  call(
    name: string,
    input: unknown,
    signal: AbortSignal | undefined,
    transfer: readonly Transferable[] = [],
  ): Promise<unknown> {
    if (this.#endReason !== undefined) return rejected(this.#endReason)
    const id = this.#nextId++
    try {
      this.#post({ kind: 'call', id, name, input }, transfer)
    } catch (error) {
      return Promise.reject(error)
    }
    const stopListening = onAbort(signal, () => {
      this.#post({ kind: 'abort', id, reason: thrownToWire(signal?.reason) })
    })
    const reply = deferred<unknown>()
    this.#calls.set(id, { reply, stopListening })
    return reply.promise
  }

  /**
   * Ends it: an idle one is asked to exit, and has a second for that; one that still works is cut off, and its calls
   * reject with a ClosedError. Resolves when the thread is gone.
   */
  async end(): Promise<void> {
    const isIdle = this.#calls.size === 0
    this.#refuse(new ClosedError(`${this.#owner}: it was stopped before the task was done`))
    if (isIdle) {
      this.#post({ kind: 'exit' })
      const options = { timeoutMs: EXIT_TIMEOUT_MS, clock: this.#clock }
      await shield(this.#exited.promise, options).catch(() => {})
    }
    await this.#worker.terminate()
  }

  readonly #workerOnMessage = (message: FromThread): void => {
    if (message.kind === 'ready') return this.#ready.resolve(message.names)
    if (message.kind === 'unready') return this.#ready.reject(thrownFromWire(message.error))
    const call = this.#calls.get(message.id)
    this.#calls.delete(message.id)
    call?.stopListening()
    if (message.kind === 'value') call?.reply.resolve(message.value)
    else call?.reply.reject(thrownFromWire(message.error))
  }

  /** A reply that cannot be read: nobody knows whose it was. */
  readonly #workerOnMessageError = (error: unknown): void => {
    this.#uncaught = error
    void this.#worker.terminate()
  }

  readonly #workerOnError = (error: unknown): void => {
    this.#uncaught = error
  }

  readonly #workerOnExit = (exitCode: number): void => {
    const words =
      this.#uncaught === undefined
        ? `it exited with code ${exitCode}`
        : describeSystemError(this.#uncaught).words
    const crash = new BrokenError(`${this.#owner}: its thread has ended: ${words}`, {
      cause: this.#uncaught,
    })
    this.#ready.reject(crash)
    if (this.#endReason === undefined) this.#crash.reject(crash)
    this.#refuse(crash)
    this.#exited.resolve()
  }

  /** The first reason counts. */
  #refuse(reason: BrokenError | ClosedError): void {
    this.#endReason ??= reason
    for (const [id, { reply, stopListening }] of this.#calls) {
      this.#calls.delete(id)
      stopListening()
      reply.reject(this.#endReason)
    }
  }

  #post(message: ToThread, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, transfer)
  }
}

/**
 * The program of the thread. Not `eval`: Node 20 then runs no modules of `--import` in the thread, such as the loaders of
 * TypeScript. The name keeps the text of the program out of stacks.
 */
function taskServerUrl(): URL {
  const source = `${taskServerSource()}\n//# sourceURL=standpipe:task-server`
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`)
}
