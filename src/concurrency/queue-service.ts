/**
 * A service that works through what it is given: a bounded queue, and so many workers.
 *
 * It gives no results: for those there is `TaskPool`. It does not try an item again.
 *
 * Invariant: each item that was taken in is counted once, as processed, failed or dropped; an item that fails ends
 * neither its worker nor the service.
 */
import { ClosedError } from '../errors.js'
import { onAbort, refuseWait, type WaitOptions } from './abort.js'
import { BoundedQueue } from './bounded-queue.js'
import { checkCount } from './check-count.js'
import { rejected } from './deferred.js'
import { Service, type ServiceOptions } from './service.js'
import { checkFunction } from './start-task.js'
import { watchUnawaited } from './unawaited.js'

/** How a {@link QueueService} is made. */
export interface QueueServiceOptions<T> extends ServiceOptions {
  /** The work on one item. Its signal aborts when the grace of a stop is over; it should end soon after. */
  process: (item: T, signal: AbortSignal) => unknown
  /** How many items may wait; then `submit()` waits. `Infinity` for no limit. */
  maxSize: number
  /** How many items are worked on at a time. @default 1 */
  workers?: number | undefined
  /** Whether a stop works through what waits, as far as the grace allows, or drops it. @default true */
  drain?: boolean | undefined
  /** Is told of each item that has failed. @default the logger */
  onError?: ((error: unknown, item: T) => void) | undefined
  /** Is told of each item that a stop has dropped, before its work or in the middle of it. @default nobody */
  onDrop?: ((item: T) => void) | undefined
}

/** What a {@link QueueService} has done so far, over all its starts. */
export interface QueueServiceStats {
  /** Items that wait for a worker. */
  readonly waiting: number
  /** Items that are worked on. */
  readonly working: number
  readonly processed: number
  readonly failed: number
  /** Items that were taken in, and that a stop has dropped. */
  readonly dropped: number
}

const DONE = Promise.resolve()

/**
 * A queue and its workers.
 *
 * ```ts
 * await using mailer = new QueueService<Letter>({ maxSize: 100, workers: 4, process: (letter, signal) => send(letter, { signal }) })
 * await mailer.start()
 * await mailer.submit(letter)
 * await mailer.join()
 * ```
 *
 * A stop takes in no more, and works through what waits, for as long as the grace; what is left then is dropped.
 * `null` and `undefined` are no good as items.
 */
export class QueueService<T> extends Service {
  readonly #options: QueueServiceOptions<T>
  readonly #workers: number
  /** That of the latest start. */
  #queue: BoundedQueue<T>
  #working = 0
  #totals = { processed: 0, failed: 0, dropped: 0 }

  /** @throws RangeError when a number or a time has no meaning, TypeError when a function is none */
  constructor(options: QueueServiceOptions<T>) {
    super(options)
    const { process, workers = 1, onError, onDrop } = options
    checkFunction(process, 'process')
    checkCount('workers', workers)
    if (onError !== undefined) checkFunction(onError, 'onError')
    if (onDrop !== undefined) checkFunction(onDrop, 'onDrop')
    this.#options = options
    this.#workers = workers
    this.#queue = this.#newQueue()
  }

  /** How it stands: a new object for each call. */
  get stats(): QueueServiceStats {
    return { waiting: this.#queue.size, working: this.#working, ...this.#totals }
  }

  /**
   * Gives it an item, and resolves when that is in the queue. What becomes of it is told to `onError` and `onDrop`.
   * An aborted call has put nothing in.
   *
   * @throws ClosedError unless the service is running, also when it is stopped while this call waits
   * @throws the signal's reason when it aborts, also if it has before; TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  submit(item: T, options?: WaitOptions): Promise<void> {
    return watchUnawaited(this.#submit(item, options), 'QueueService.submit()')
  }

  /** Gives it an item if there is room now; false where `submit()` would wait. @throws ClosedError unless it is running */
  trySubmit(item: T): boolean {
    if (!this.isRunning) throw this.#notRunning()
    return this.#queue.tryPut(item)
  }

  /**
   * Waits until all that was submitted is processed, has failed, or was dropped.
   *
   * @throws the signal's reason when it aborts, also if it has before; TimeoutError (phase `call`) after `timeoutMs`
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  join(options?: WaitOptions): Promise<void> {
    return this.#queue.join(options)
  }

  protected override onStart(): void {
    this.#queue = this.#newQueue()
  }

  protected override async run(signal: AbortSignal): Promise<void> {
    const queue = this.#queue
    const stopListening = onAbort(signal, () => this.#drop(queue))
    const workers = Array.from({ length: this.#workers }, () => this.#work(queue, signal))
    await Promise.all(workers)
    stopListening()
  }

  protected override async onStop(signal: AbortSignal): Promise<void> {
    if (this.#options.drain === false) this.#drop(this.#queue)
    else this.#queue.close()
    // Whatever is left at the end of the grace hears of it by the signal of `run`.
    await this.#queue.join({ signal })
  }

  #submit(item: T, options: WaitOptions | undefined): Promise<void> {
    const refused = options === undefined ? undefined : refuseWait(options)
    if (refused !== undefined) return refused
    if (!this.isRunning) return rejected(this.#notRunning())
    return this.#queue.tryPut(item) ? DONE : this.#queue.put(item, options)
  }

  async #work(queue: BoundedQueue<T>, signal: AbortSignal): Promise<void> {
    for await (const item of queue) {
      this.#working++
      try {
        await this.#options.process(item, signal)
        this.#totals.processed++
      } catch (error) {
        if (isAbort(error, signal)) this.#dropped(item)
        else this.#failed(error, item)
      } finally {
        this.#working--
        queue.taskDone()
      }
    }
  }

  #drop(queue: BoundedQueue<T>): void {
    for (const item of queue.close({ drain: false })) this.#dropped(item)
  }

  #dropped(item: T): void {
    this.#totals.dropped++
    this.#tell(() => this.#options.onDrop?.(item), 'onDrop()')
  }

  #failed(error: unknown, item: T): void {
    this.#totals.failed++
    const { onError } = this.#options
    if (onError !== undefined) this.#tell(() => onError(error, item), 'onError()')
    else this.logger.error({ err: error }, `${this.name}: an item has failed`)
  }

  /** Calls a function of somebody else, whose errors are not those of the work. */
  #tell(call: () => void, what: string): void {
    try {
      call()
    } catch (error) {
      this.logger.error({ err: error }, `${this.name}: ${what} threw`)
    }
  }

  /** @throws RangeError for a `maxSize` of no meaning */
  #newQueue(): BoundedQueue<T> {
    return new BoundedQueue<T>({ maxSize: this.#options.maxSize, clock: this.clock })
  }

  #notRunning(): ClosedError {
    return new ClosedError(`${this.name}: it takes nothing in state ${this.state}`)
  }
}

/** Whether an error is nothing but the abort: its reason, or an AbortError as Node's own functions throw. */
function isAbort(error: unknown, { aborted, reason }: AbortSignal): boolean {
  if (!aborted) return false
  return error === reason || (error instanceof Error && error.name === 'AbortError')
}
