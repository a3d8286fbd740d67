/** One call that waits: its promise, its deadline and its signal. Whoever settles it first, settles it. */
import { onAbort } from '../concurrency/abort.js'
import { unobserved } from '../concurrency/deferred.js'

export class PendingCall<T> {
  readonly promise: Promise<T>
  /** When it has waited long enough, on the clock of its owner; Infinity for never. */
  readonly due: number
  /** How long that was, in milliseconds. */
  readonly timeoutMs: number

  #resolve!: (value: T) => void
  #reject!: (reason: unknown) => void
  #stopListening: (() => void) | undefined
  #isSettled = false

  constructor(now: number, timeoutMs: number) {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.due = now + timeoutMs
    this.timeoutMs = timeoutMs
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Calls `aborted` when the signal aborts while this waits. */
  heed(signal: AbortSignal, aborted: (reason: unknown) => void): void {
    this.#stopListening = onAbort(signal, () => {
      aborted(signal.reason)
    })
  }

  /** Whether it was this that settled it. */
  resolve(value: T): boolean {
    if (!this.#settle()) return false
    this.#resolve(value)
    return true
  }

  /**
   * Whether it was this that settled it. Among many calls under way the first to be awaited hides the others:
   * none of them must end the process.
   */
  reject(reason: unknown): boolean {
    if (!this.#settle()) return false
    void unobserved(this.promise)
    this.#reject(reason)
    return true
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.#stopListening?.()
    return true
  }
}
