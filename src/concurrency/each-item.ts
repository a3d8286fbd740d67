/**
 * The items of a source, each with what a function makes of it, one after the other: what `map` and `filter` stand on.
 *
 * Invariant: no item is taken before the function is through with the one before, and when the iteration has ended the
 * function is not running.
 */
import { controllerForMany } from './abort-scope.js'
import { PulledSource, type MapSource } from './pulled-source.js'
import { checkFunction, startTask } from './start-task.js'

/** A function that is called with an item. It should end soon after its signal has aborted. @internal */
export type ItemFunction<In, Out> = (item: In, signal: AbortSignal) => Out | PromiseLike<Out>

/** @internal */
export class EachItem<In, Out> {
  readonly #source: PulledSource<In>
  readonly #fn: ItemFunction<In, Out>
  readonly #controller = controllerForMany()
  #running: Promise<Out> | undefined
  #isLeft = false

  /** @throws TypeError when `source` is not iterable or `fn` no function */
  constructor(source: MapSource<In>, fn: ItemFunction<In, Out>, name = 'fn') {
    checkFunction(fn, name)
    this.#source = new PulledSource(source)
    this.#fn = fn
  }

  /** The next item, and what the function gave for it; undefined at the end. */
  async next(): Promise<{ readonly item: In; readonly result: Out } | undefined> {
    const { done, value: item } = await this.#source.next()
    // It may have been left while the source was asked.
    if (done === true || this.#isLeft) return undefined
    this.#running = startTask((signal) => this.#fn(item, signal), this.#controller.signal)
    const result = await this.#running
    this.#running = undefined
    return { item, result }
  }

  /** Aborts the function if it is running, waits for it, and ends the source. */
  async leave(reason: () => unknown): Promise<void> {
    this.#isLeft = true
    if (this.#running !== undefined) {
      this.#controller.abort(reason())
      await this.#running.catch(() => {})
    }
    await this.#source.return()
  }
}
