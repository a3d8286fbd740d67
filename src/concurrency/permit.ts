/**
 * The right to go on that a semaphore or a mutex has given. It knows how to give it back, and does so once.
 *
 * Invariant: a permit that was given out is given back exactly once, however often `release()` is called; a permit
 * that is lent while a condition waits stands for nothing until it is regained.
 */

/**
 * A permit of a {@link Semaphore} or a {@link Mutex}. It is freed by `release()`, or at the end of the block with
 * `using permit = await semaphore.acquire()`.
 */
export class Permit {
  /** Tells the owner that the permit is back. */
  readonly #giveBack: () => void
  #state: 'held' | 'lent' | 'released' = 'held'

  /** @internal Permits are made by what they are permits of. */
  constructor(giveBack: () => void) {
    this.#giveBack = giveBack
  }

  /** Whether it stands for a place now: false once it was released, and while `Condition.wait()` has lent it. */
  get isHeld(): boolean {
    return this.#state === 'held'
  }

  /** Frees the place, for the next who waits if anybody does. Any further call does nothing. */
  release(): void {
    const wasHeld = this.#state === 'held'
    this.#state = 'released'
    if (wasHeld) this.#giveBack()
  }

  /** The same as `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  /** @internal Frees the place, to have it back later. */
  lend(): void {
    this.#state = 'lent'
    this.#giveBack()
  }

  /** @internal It has a place again; one that was released in the meantime passes it on at once. */
  regain(): void {
    if (this.#state === 'released') this.#giveBack()
    else this.#state = 'held'
  }
}
