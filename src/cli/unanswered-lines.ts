/**
 * The lines that were sent and have no reply yet, first in first out: the first reply belongs to the first of them.
 *
 * It is bounded: `room()` waits while too much is unanswered. It sends and reads nothing.
 */
import { deferred, type Deferred } from '../concurrency/deferred.js'

/** So many lines, or so many bytes of them, may be unanswered: arbitrary, and far more than keeps a peer busy. */
const MAX_LINES = 1024
const MAX_BYTES = 1024 * 1024

/** A line that was sent. */
export interface AskedLine {
  /** Its bytes, with the terminator. */
  readonly line: Buffer
  /** When it was sent, on the clock of `performance.now()`. */
  readonly sentAt: number
}

export class UnansweredLines {
  readonly #lines: AskedLine[] = []
  #bytes = 0
  #isComplete = false
  #room: Deferred | undefined
  readonly #done = deferred()

  /** How many lines wait for their reply. */
  get count(): number {
    return this.#lines.length
  }

  /** Resolves when there is no more to ask, and all of it is answered. */
  get done(): Promise<void> {
    return this.#done.promise
  }

  asked(line: Buffer): void {
    this.#lines.push({ line, sentAt: performance.now() })
    this.#bytes += line.length
  }

  /** A reply has come: gives the line that it belongs to, undefined where nothing was asked. */
  answered(): AskedLine | undefined {
    const asked = this.#lines.shift()
    this.#bytes -= asked?.line.length ?? 0
    if (!this.#isFull) this.#room?.resolve()
    this.#settle()
    return asked
  }

  /** There is no more to ask. */
  complete(): void {
    this.#isComplete = true
    this.#settle()
  }

  /** Resolves when one more line may be asked. */
  room(): Promise<void> {
    if (!this.#isFull) return Promise.resolve()
    this.#room = deferred()
    return this.#room.promise
  }

  get #isFull(): boolean {
    return this.#lines.length >= MAX_LINES || this.#bytes >= MAX_BYTES
  }

  #settle(): void {
    if (this.#isComplete && this.#lines.length === 0) this.#done.resolve()
  }
}
