/**
 * Takes chunk after chunk from a source and writes each, waiting for room in between: what `StreamWriter.pipeFrom` does.
 * It ends the source, and never what it writes to.
 */
import type { WaitOptions } from '../concurrency/abort.js'
import type { Chunk } from './framing.js'

/** A writer, as a pipe into it sees it. */
export interface Sink {
  /** Whether `whenRoom` would wait. */
  readonly isOverMark: boolean
  /** @throws when it no longer takes anything */
  checkOpen(): void
  write(chunk: Chunk): void
  whenRoom(options: WaitOptions): Promise<void>
  /** Settles as `promise` does, or rejects as soon as writing ends or the signal aborts. */
  unlessEnded<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T>
}

/** A source that has what is at hand without a promise: `undefined` for nothing now, `null` for the end. */
interface Pile {
  tryGet(): Chunk | undefined | null
}

/** See `StreamWriter.pipeFrom`. */
export async function pipe(
  source: AsyncIterable<Chunk> | Iterable<Chunk>,
  sink: Sink,
  options: WaitOptions,
): Promise<void> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  const pile = hasTryGet(source) ? source : undefined
  let waitsForSource = false
  try {
    for (;;) {
      options.signal?.throwIfAborted()
      sink.checkOpen()
      waitsForSource = true
      const next = await sink.unlessEnded(Promise.resolve(iterator.next()), options.signal)
      waitsForSource = false
      if (next.done === true) return
      sink.write(next.value)
      if (pile !== undefined) writeUpToMark(pile, sink)
      await sink.whenRoom(options)
    }
  } catch (error) {
    const closed = closeSource(source, iterator)
    // A generator that is waited for cannot be closed before it goes on.
    if (!waitsForSource) await closed
    throw error
  }
}

/** A promise for each message would cost more than the message. */
function writeUpToMark(pile: Pile, sink: Sink): void {
  while (!sink.isOverMark) {
    const chunk = pile.tryGet()
    if (chunk == null) return
    sink.write(chunk)
  }
}

function hasTryGet(source: object): source is Pile {
  return 'tryGet' in source && typeof source.tryGet === 'function'
}

/** A Node stream is closed by itself, since its iterator may be waiting. */
async function closeSource(
  source: object,
  iterator: AsyncIterator<Chunk> | Iterator<Chunk>,
): Promise<void> {
  if ('destroy' in source && typeof source.destroy === 'function') source.destroy()
  try {
    await iterator.return?.()
  } catch {
    // The first error is the one that counts.
  }
}
