/**
 * The right to use a resource of a pool, until it is given back.
 *
 * Invariant: a lease is given back exactly once, however often it is released or discarded.
 */

/** What becomes of the resource. */
type GiveBack = (discard: boolean) => void

/**
 * A resource of a {@link ResourcePool}, lent. It goes back by `release()`, or at the end of the block with
 * `using lease = await pool.acquire()`, and may not be used afterwards.
 */
export class Lease<T> {
  readonly resource: T
  #giveBack: GiveBack | undefined

  /** @internal Leases are made by pools. */
  constructor(resource: T, giveBack: GiveBack) {
    this.resource = resource
    this.#giveBack = giveBack
  }

  /** Whether the resource is this lease's: false once it was given back, and when a closing pool has cut it. */
  get isHeld(): boolean {
    return this.#giveBack !== undefined
  }

  /** Gives the resource back, for the next who waits if anybody does. Any further call does nothing. */
  release(): void {
    this.#end(false)
  }

  /** Gives the resource back to be destroyed: it is broken, or nobody knows its state. Any further call does nothing. */
  discard(): void {
    this.#end(true)
  }

  /** The same as `release()`. */
  [Symbol.dispose](): void {
    this.release()
  }

  /** @internal The pool has taken the resource back itself. */
  revoke(): void {
    this.#giveBack = undefined
  }

  #end(discard: boolean): void {
    const giveBack = this.#giveBack
    this.#giveBack = undefined
    giveBack?.(discard)
  }
}
