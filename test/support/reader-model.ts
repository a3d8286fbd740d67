/**
 * What reads must give, worked out on one flat Buffer that has everything from the start: the opposite of how
 * a reader does it. And scripts of reads, played on a reader and on the model.
 */
import { TextDecoder } from 'node:util'
import type { FrameSource, Framing } from '../../src/protocol/framing.js'
import { StreamReader, type StreamReaderOptions } from '../../src/protocol/stream-reader.js'
import { watch } from './settled.js'

export interface LineRead {
  encoding: 'utf8' | 'latin1' | 'buffer'
  keepTerminator: boolean
  partial: 'error' | 'yield' | 'drop'
  invalidText: 'error' | 'replace'
}

/** One read of a script. */
export type Read =
  | { form: 'read'; maxBytes: number }
  | { form: 'readExactly' | 'peek'; count: number }
  | { form: 'readUntil'; separators: string[] }
  | { form: 'readLine' | 'lineBatch'; options: LineRead }
  | { form: 'readAll'; maxBytes: number }
  | { form: 'readFrame'; framing: Framing<unknown> }

/** What came of a read: its value, or of its error what does not depend on how much had come. */
export type Outcome = { value: unknown } | { error: string; data?: unknown }

const LF = 10
const CR = 13

/** All bytes of an input, and the reads that take from it. */
class ReaderModel {
  #rest: Buffer
  readonly #limit: number
  /** Whether a line was so long that the stream was given up. */
  #gaveUp = false

  constructor(bytes: Buffer, limit: number) {
    this.#rest = bytes
    this.#limit = limit
  }

  /** `seen` is what the reader made of it: only how much a `read` or a batch holds is taken from there. */
  play(read: Read, seen: Outcome): Outcome {
    const rest = this.#rest
    if (this.#gaveUp && !takesNothing(read)) return overrun(this.#limit)
    switch (read.form) {
      case 'read': {
        if (read.maxBytes === 0) return { value: Buffer.alloc(0) }
        if (rest.length === 0) return { value: null }
        const length = 'value' in seen && Buffer.isBuffer(seen.value) ? seen.value.length : -1
        const isSensible = length > 0 && length <= Math.min(read.maxBytes, rest.length)
        return { value: isSensible ? this.#take(length) : 'at least a byte, at most maxBytes' }
      }
      case 'readExactly':
        if (rest.length >= read.count) return { value: this.#take(read.count) }
        return { error: 'ERR_STANDPIPE_INCOMPLETE_READ', data: this.#take(rest.length) }
      case 'peek':
        if (rest.length === 0 && read.count > 0) return { value: null }
        return { value: rest.subarray(0, read.count) }
      case 'readAll':
        if (rest.length > read.maxBytes) return overrun(read.maxBytes)
        return { value: this.#take(rest.length) }
      case 'readUntil':
        return this.#until(read.separators.map((one) => Buffer.from(one)))
      case 'readLine':
        return this.#line(read.options)
      case 'lineBatch': {
        if (!('value' in seen) || !Array.isArray(seen.value)) return this.#line(read.options)
        const lines = seen.value.map(() => this.#line(read.options))
        const values = lines.map((one) => ('value' in one ? one.value : one))
        return { value: values.length === 0 ? 'at least a line' : values }
      }
      case 'readFrame':
      default:
        return this.#frame(read.framing)
    }
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }

  #until(separators: Buffer[]): Outcome {
    const rest = this.#rest
    let start = -1
    let end = Infinity
    for (const one of separators) {
      const at = rest.indexOf(one)
      if (at >= 0 && at + one.length < end) {
        start = at
        end = at + one.length
      }
    }
    const longest = Math.max(...separators.map((one) => one.length))
    const before = start >= 0 ? start : rest.length - longest + 1
    if (before > this.#limit) return overrun(this.#limit)
    if (start >= 0) return { value: this.#take(end) }
    if (rest.length === 0) return { value: null }
    return { error: 'ERR_STANDPIPE_INCOMPLETE_READ', data: this.#take(rest.length) }
  }

  #line(options: LineRead): Outcome {
    const at = this.#rest.indexOf(LF)
    const isWhole = at >= 0
    const taken = this.#take(isWhole ? at + 1 : this.#rest.length)
    const length = !isWhole ? taken.length : at > 0 && taken[at - 1] === CR ? at - 1 : at
    if (length > this.#limit) {
      const endsInCr = !isWhole && taken[taken.length - 1] === CR
      this.#gaveUp = length - (endsInCr ? 1 : 0) > 16 * this.#limit
      return overrun(this.#limit)
    }
    if (!isWhole) {
      if (taken.length === 0 || options.partial === 'drop') return { value: null }
      if (options.partial === 'error') {
        return { error: 'ERR_STANDPIPE_INCOMPLETE_READ', data: taken }
      }
    }
    const line = options.keepTerminator ? taken : taken.subarray(0, length)
    if (options.encoding !== 'utf8') {
      return { value: options.encoding === 'buffer' ? line : line.toString('latin1') }
    }
    const fatal = options.invalidText === 'error'
    try {
      return { value: new TextDecoder('utf-8', { fatal, ignoreBOM: true }).decode(line) }
    } catch {
      return { error: 'ERR_STANDPIPE_DECODE', data: line }
    }
  }

  #frame(framing: Framing<unknown>): Outcome {
    const source = new FlatSource(this.#rest)
    let value: unknown
    try {
      value = source.size === 0 ? undefined : framing.decode(source)
    } catch (error) {
      return toError(error)
    } finally {
      this.#rest = source.rest
    }
    if (value !== undefined) return { value }
    if (source.size > (framing.maxBytes ?? Infinity)) return overrun(framing.maxBytes ?? 0)
    if (source.size === 0) return { value: null }
    return { error: 'ERR_STANDPIPE_INCOMPLETE_READ', data: this.#take(source.size) }
  }
}

/** A read of no bytes is done at once, whatever the state of the stream. */
function takesNothing(read: Read): boolean {
  if (read.form === 'read') return read.maxBytes === 0
  return (read.form === 'readExactly' || read.form === 'peek') && read.count === 0
}

/** A frame source that has everything and remembers nothing. */
export class FlatSource implements FrameSource {
  rest: Buffer

  constructor(rest: Buffer) {
    this.rest = rest
  }

  get size(): number {
    return this.rest.length
  }

  get front(): Buffer {
    return this.rest
  }

  readonly frontStart = 0

  byteAt(index: number): number {
    const byte = this.rest[index]
    if (byte === undefined) throw new RangeError(`over-read: ${index} of ${this.size}`)
    return byte
  }

  indexOf(needle: number | Buffer): number {
    return this.rest.indexOf(needle)
  }

  peek(count: number): Buffer {
    return this.rest.subarray(0, count)
  }

  take(count: number): Buffer {
    const taken = this.peek(count)
    this.skip(count)
    return taken
  }

  skip(count: number): void {
    if (count > this.size) throw new RangeError(`over-read: ${count} of ${this.size}`)
    this.rest = this.rest.subarray(count)
  }
}

/** Plays a script on a reader that is fed a chunk whenever it waits, and `ahead` chunks before each read. */
export async function playFed(
  chunks: readonly Buffer[],
  script: readonly Read[],
  options: StreamReaderOptions & { ahead?: readonly number[]; tries?: boolean } = {},
): Promise<Outcome[]> {
  const { ahead = [0], tries = false, ...readerOptions } = options
  const reader = new StreamReader(readerOptions)
  const left = [...chunks]
  let isEnded = false
  const feedNext = (): void => {
    const chunk = left.shift()
    if (chunk !== undefined) {
      reader.feedData(chunk)
      return
    }
    if (isEnded) throw new Error('a read still waits at the end of input')
    isEnded = true
    reader.feedEof()
  }
  const outcomes: Outcome[] = []
  for (const [i, read] of script.entries()) {
    const most = ahead[i % ahead.length] ?? 0
    for (let n = 0; n < most && left.length > 0; n++) feedNext()
    if (tries && read.form !== 'readAll' && read.form !== 'peek' && read.form !== 'lineBatch') {
      outcomes.push(tryUntilDone(reader, read, feedNext))
      continue
    }
    const outcome = watch(settle(perform(reader, read)))
    for (;;) {
      for (let tick = 0; tick < 4; tick++) await Promise.resolve()
      if (outcome.state !== 'pending') break
      feedNext()
    }
    outcomes.push(await outcome.promise)
  }
  return outcomes
}

/** Plays a script on a reader that gets its bytes by itself. */
export async function playLive(reader: StreamReader, script: readonly Read[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const read of script) outcomes.push(await settle(perform(reader, read)))
  return outcomes
}

/** The same script on the model. */
export function playModel(
  bytes: Buffer,
  limit: number,
  script: readonly Read[],
  seen: readonly Outcome[],
): Outcome[] {
  const model = new ReaderModel(bytes, limit)
  return script.map((read, i) => model.play(read, seen[i] as Outcome))
}

function perform(reader: StreamReader, read: Read): Promise<unknown> {
  switch (read.form) {
    case 'read':
      return reader.read(read.maxBytes)
    case 'readExactly':
      return reader.readExactly(read.count)
    case 'peek':
      return reader.peek(read.count)
    case 'readAll':
      return reader.readAll({ maxBytes: read.maxBytes })
    case 'readUntil':
      return reader.readUntil(read.separators)
    case 'readLine':
      return reader.readLine(read.options as LineRead & { encoding: 'utf8' })
    case 'lineBatch': {
      const batches = reader.lineBatches(read.options as LineRead & { encoding: 'utf8' })
      return batches.next().then((result) => result.value ?? null)
    }
    case 'readFrame':
    default:
      return reader.readFrame(read.framing)
  }
}

function tryUntilDone(reader: StreamReader, read: Read, feedNext: () => void): Outcome {
  for (;;) {
    let value: unknown
    try {
      value = performTry(reader, read)
    } catch (error) {
      return toError(error)
    }
    if (value !== undefined) return { value }
    feedNext()
  }
}

function performTry(reader: StreamReader, read: Read): unknown {
  switch (read.form) {
    case 'read':
      return reader.tryRead(read.maxBytes)
    case 'readExactly':
      return reader.tryReadExactly(read.count)
    case 'readUntil':
      return reader.tryReadUntil(read.separators)
    case 'readLine':
      return reader.tryReadLine(read.options as LineRead & { encoding: 'utf8' })
    case 'readFrame':
      return reader.tryReadFrame(read.framing)
    case 'readAll':
    case 'peek':
    case 'lineBatch':
    default:
      throw new Error(`${read.form} has no try form`)
  }
}

function settle(promise: Promise<unknown>): Promise<Outcome> {
  return promise.then((value) => ({ value }), toError)
}

function overrun(limit: number): Outcome {
  return { error: 'ERR_STANDPIPE_LIMIT_OVERRUN', data: limit }
}

function toError(error: unknown): Outcome {
  const { code, partial, bytes, limit } = error as Record<string, unknown>
  if (typeof code !== 'string') throw error
  const data = partial ?? bytes ?? limit
  return data === undefined ? { error: code } : { error: code, data }
}
