/** An iteration with something to be done at its end, however it ends. */
import { PulledSource, type MapSource } from './pulled-source.js'
import { checkFunction } from './start-task.js'
import { Stepwise, type Iteration, type IterationOptions, type Steps } from './stepwise.js'

/**
 * Gives what the source gives, and calls `cleanup` once when the iteration is over: at the end, after an error, an
 * abort, or when the loop is left. Then the source is ended first, and what is thrown on the way out comes only where
 * nothing else is thrown.
 *
 * A generator of one's own has `try … finally` for this. But that is not run for a generator of which no step was made,
 * and while it waits for something it runs only when that has come; here the cleanup is run at once in both cases.
 *
 * ```ts
 * const rows = withCleanup(rowsOf(cursor), () => cursor.close())
 * for await (const row of rows) if (row.id === wanted) break
 * ```
 *
 * asyncio: `contextlib.aclosing`, and the `finally` of an async generator.
 *
 * @throws what the source and the cleanup throw, from the iteration
 * @throws the signal's reason when it aborts, from the iteration
 * @throws TypeError when `source` is not iterable or `cleanup` no function: at once
 */
export function withCleanup<T>(
  source: MapSource<T>,
  cleanup: () => unknown,
  options: IterationOptions = {},
): Iteration<T> {
  checkFunction(cleanup, 'cleanup')
  return new Stepwise(new CleanedUp(source, cleanup), options)
}

class CleanedUp<T> implements Steps<T> {
  readonly #source: PulledSource<T>
  readonly #cleanup: () => unknown
  #isCleanedUp = false

  constructor(source: MapSource<T>, cleanup: () => unknown) {
    this.#source = new PulledSource(source)
    this.#cleanup = cleanup
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const result = await this.#source.next()
    if (result.done === true) await this.#cleanUp()
    return result
  }

  async leave(): Promise<void> {
    try {
      await this.#source.return()
    } finally {
      await this.#cleanUp()
    }
  }

  /** Once: an iteration may be left while its source is at its end. */
  async #cleanUp(): Promise<void> {
    if (this.#isCleanedUp) return
    this.#isCleanedUp = true
    await this.#cleanup()
  }
}
