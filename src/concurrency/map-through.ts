/**
 * The iteration behind `TaskPool.map`: takes items from a source ahead of who consumes the results, but no further than
 * `maxAhead`.
 *
 * It knows nothing of the pool: `begin` starts the work on an item, when the pool lets it.
 *
 * Invariant: an item that was taken is begun, and its result is given or was in vain because the iteration ended; when
 * it has ended, nothing that it began still runs.
 */
import { raceAbort } from './abort.js'
import { abortError, type AbortScope } from './abort-scope.js'
import { deferred, unobserved, type Deferred } from './deferred.js'
import { checkSource, PulledSource, type MapSource } from './pulled-source.js'

/** @internal */
export interface MapSettings<In, Out> {
  /** Starts the work on an item; the work ends with the signal. */
  readonly begin: (item: In, signal: AbortSignal) => Promise<Out>
  /** Called at the first step. */
  readonly makeScope: () => AbortScope
  /** How many items may be begun whose results are not taken. */
  readonly maxAhead: number
  readonly inOrder: boolean
}

/** @internal @throws TypeError when the source is not iterable: at once */
export function mapThrough<In, Out>(
  source: MapSource<In>,
  settings: MapSettings<In, Out>,
): AsyncGenerator<Out, void, undefined> {
  checkSource(source)
  return iterate(source, settings)
}

async function* iterate<In, Out>(
  source: MapSource<In>,
  settings: MapSettings<In, Out>,
): AsyncGenerator<Out, void, undefined> {
  const mapping = new Mapping(source, settings)
  let hasFailed = false
  try {
    for (;;) {
      const result = await mapping.next()
      if (result === undefined) return
      yield result.value
    }
  } catch (error) {
    hasFailed = true
    throw error
  } finally {
    const ended = mapping.end()
    // As in `for await`: what ended the loop comes before what happens on the way out.
    await (hasFailed ? ended.catch(() => {}) : ended)
  }
}

class Mapping<In, Out> {
  readonly #source: PulledSource<In>
  readonly #settings: MapSettings<In, Out>
  readonly #scope: AbortScope
  /** Results to be given, in their order; in any order only settled ones. */
  readonly #results: Promise<Out>[] = []
  /** Begun, and the result not taken. */
  #ahead = 0
  /** Begun, and not settled. */
  #running = 0
  #isAsking = false
  /** Whether no more is to be begun: something failed, or who consumes has left. */
  #isStopped = false
  #failure: { readonly error: unknown } | undefined
  /** Made by who waits for a change. */
  #changed: Deferred | undefined

  constructor(source: MapSource<In>, settings: MapSettings<In, Out>) {
    this.#source = new PulledSource(source)
    this.#settings = settings
    this.#scope = settings.makeScope()
  }

  /** The next result; undefined at the end. */
  async next(): Promise<{ readonly value: Out } | undefined> {
    const { signal } = this.#scope
    for (;;) {
      signal.throwIfAborted()
      void this.#feed()
      const result = this.#results.shift()
      if (result !== undefined) {
        const value = await raceAbort(result, signal)
        this.#ahead--
        // While who consumes is busy with this one, the next ones are on their way.
        void this.#feed()
        return { value }
      }
      if (this.#ahead === 0 && !this.#isAsking) {
        if (this.#failure !== undefined) throw this.#failure.error
        if (!this.#source.isOpen) return undefined
      }
      await raceAbort(this.#change(), signal)
    }
  }

  /** Ends everything, and resolves when nothing runs any more. @throws what the source's `return()` throws */
  async end(): Promise<void> {
    this.#isStopped = true
    if (this.#running > 0) this.#scope.abort(abortError('task pool: the iteration was left'))
    while (this.#running > 0) await this.#change()
    this.#scope.close()
    await this.#source.return()
  }

  /** Takes items from the source while there is room. One at a time asks. */
  async #feed(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      while (this.#source.isOpen && !this.#isStopped && this.#ahead < this.#settings.maxAhead) {
        const { done, value } = await this.#source.next()
        if (done !== true && !this.#isStopped) this.#begin(value)
      }
    } catch (error) {
      this.#failure = { error }
      this.#isStopped = true
    }
    this.#isAsking = false
    this.#notify()
  }

  #begin(item: In): void {
    const { begin, inOrder } = this.#settings
    const result = unobserved(begin(item, this.#scope.signal))
    this.#ahead++
    this.#running++
    if (inOrder) this.#results.push(result)
    const settled = (): void => {
      this.#running--
      if (!inOrder) this.#results.push(result)
      this.#notify()
    }
    result.then(settled, () => {
      this.#isStopped = true
      settled()
    })
    this.#notify()
  }

  #change(): Promise<void> {
    this.#changed ??= deferred()
    return this.#changed.promise
  }

  #notify(): void {
    this.#changed?.resolve()
    this.#changed = undefined
  }
}
