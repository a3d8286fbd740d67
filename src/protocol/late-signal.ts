/**
 * An AbortSignal that is made when somebody asks for it: few connections are ever asked, and a signal costs as much
 * memory as the rest of an idle one.
 *
 * Invariant: it aborts once, and who asks later sees the same.
 */
export class LateSignal {
  #controller: AbortController | undefined
  #hasAborted = false
  #reason: unknown

  get hasAborted(): boolean {
    return this.#hasAborted
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#hasAborted) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Any number of calls; the first reason stays. */
  abort(reason?: unknown): void {
    if (this.#hasAborted) return
    this.#hasAborted = true
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}
