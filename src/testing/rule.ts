/**
 * What a rule of `checkByteStream` is, and the few tools that rules are written with. Nothing here knows a
 * rule, and nothing waits by a timer: "now" and "not yet" are counted in turns of the loop.
 */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import type { ByteStream, ByteWriter } from './byte-stream.js'
import { loopTurns } from './fake-clock.js'

/** One promise of the contract, and how to find out whether a stream keeps it. */
export interface Rule {
  /** The promise, as a sentence. */
  readonly name: string
  /** Whether it needs a pair that clogs: one that takes only so much while nobody reads. */
  readonly needsClogging?: boolean
  /** Throws, or rejects, when the promise is broken. */
  readonly check: (context: RuleContext) => Promise<void>
}

/** What a rule is checked with: a fresh pair, and what is known about it. */
export interface RuleContext {
  readonly a: ByteStream
  readonly b: ByteStream
  /** The longest line that both ends take, in bytes. */
  readonly limit: number
  /** The cap on what a writer keeps, in bytes. */
  readonly maxBufferedBytes: number
}

/**
 * Turns in which a stream that can go on has gone on. Arbitrary: the longest way, a FIN over a socket of the
 * same process, takes about six.
 */
const STILL_TURNS = 30

/** What became of a promise so far. Watching it also means that its rejection is handled. */
export class Watch<T> {
  state: 'pending' | 'resolved' | 'rejected' = 'pending'
  value: T | undefined
  error: unknown

  constructor(readonly promise: Promise<T>) {
    promise.then(
      (value) => {
        this.state = 'resolved'
        this.value = value
      },
      (error: unknown) => {
        this.state = 'rejected'
        this.error = error
      },
    )
  }

  /** @throws AssertionError unless it is still pending after the stream had its time. */
  async staysPending(what: string): Promise<void> {
    await loopTurns(STILL_TURNS)
    assert.equal(this.state, 'pending', `${what} was to wait, and it has ${this.state}`)
  }

  /** @throws AssertionError unless it has settled so within `turns` turns. */
  async is(state: 'resolved' | 'rejected', turns: number, what: string): Promise<void> {
    for (let turn = 0; turn < turns && this.state === 'pending'; turn++) await loopTurns(1)
    assert.equal(this.state, state, `${what} was to have ${state} after ${turns} turns`)
  }
}

/** Starts to watch a promise. */
export function watch<T>(promise: Promise<T>): Watch<T> {
  return new Watch(promise)
}

/** Lets as many turns pass as any stream needs to deliver what is under way. */
export async function untilStill(): Promise<void> {
  await loopTurns(STILL_TURNS)
}

/** The error of a promise. @throws AssertionError when it resolves, or its code is none of `codes`. */
export async function rejection(
  promise: Promise<unknown>,
  ...codes: string[]
): Promise<CodedError> {
  const watched = watch(promise)
  await promise.then(ignore, ignore)
  assert.equal(watched.state, 'rejected', `it resolved with ${describe(watched.value)}`)
  return withCode(watched.error, codes)
}

/** What `call` throws, at once. @throws AssertionError when it does not, or the code is none of `codes`. */
export function thrown(call: () => unknown, ...codes: string[]): CodedError {
  let value: unknown
  try {
    value = call()
  } catch (error) {
    return withCode(error, codes)
  }
  return assert.fail(`it was to throw, and gave ${describe(value)}`)
}

/** An error of the kit as rules look at it: by its code and its data. */
export interface CodedError extends Error {
  readonly code?: string
  readonly partial?: Buffer
  readonly expected?: number
  readonly found?: boolean
}

function withCode(error: unknown, codes: readonly string[]): CodedError {
  assert.ok(error instanceof Error, `an Error was to be raised, not ${describe(error)}`)
  const coded: CodedError = error
  if (codes.length > 0 && !codes.includes(coded.code ?? '')) {
    assert.fail(`the error was to have the code ${codes.join(' or ')}: ${describe(error)}`)
  }
  return coded
}

/** Bytes of which each depends on its place, so that a loss, a repetition or a swap shows. */
export function pattern(length: number, from = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let index = 0; index < length; index++) {
    const place = from + index
    bytes[index] = (place ^ (place >> 8) ^ (place >> 16)) & 0xff
  }
  return bytes
}

/** @throws AssertionError that names the first difference instead of printing megabytes. */
export function assertSameBytes(actual: Uint8Array | null, expected: Uint8Array): void {
  assert.ok(actual !== null, `the input ended where ${expected.length} bytes were to come`)
  if (Buffer.compare(actual, expected) === 0) return
  const at = expected.findIndex((byte, index) => byte !== actual[index])
  const where = at < 0 ? expected.length : at
  assert.fail(
    `${expected.length} bytes were to come, ${actual.length} came, different from byte ${where} on`,
  )
}

/** Reads `length` bytes and compares them with the {@link pattern}. */
export async function assertPatternArrives(
  stream: ByteStream,
  length: number,
  from = 0,
): Promise<void> {
  for (let read = 0; read < length;) {
    const chunk = await stream.reader.read(length - read)
    assert.ok(chunk !== null, `the input ended after ${read} of ${length} bytes`)
    assert.ok(chunk.length > 0, 'a read gave no bytes, and no end')
    assertSameBytes(chunk, pattern(chunk.length, from + read))
    read += chunk.length
  }
}

/** Writes the {@link pattern} in pieces, with a drain() after each. */
export async function writePattern(stream: ByteStream, length: number): Promise<void> {
  const PIECE = 16_000
  for (let written = 0; written < length; written += PIECE) {
    stream.writer.write(pattern(Math.min(PIECE, length - written), written))
    await stream.writer.drain()
  }
}

/** More than any pair may take before it clogs. */
const MOST_BEFORE_CLOGGED = 64 * 1024 * 1024
const FILLER_BYTES = 32 * 1024
/** A bound for streams whose counts never come to rest. */
const MOST_TURNS_TO_CLOG = 10_000

/**
 * Writes the {@link pattern} until drain() waits and nothing moves any more; gives the count of bytes, and
 * the drain() that waits.
 *
 * @throws AssertionError when 64 MiB were taken.
 */
export async function clog(stream: ByteStream): Promise<{ written: number; drain: Watch<void> }> {
  const { writer } = stream
  let written = 0
  while (written < MOST_BEFORE_CLOGGED) {
    writer.write(pattern(FILLER_BYTES, written))
    written += FILLER_BYTES
    if (await drainWaits(writer)) {
      await untilNothingMoves(writer)
      // What moved meanwhile may have gone below the high mark: then there is room for more.
      const drain = watch(writer.drain())
      await loopTurns(1)
      if (drain.state === 'pending') return { written, drain }
    }
  }
  return assert.fail(`drain() never waited, though nobody read ${written} bytes`)
}

async function drainWaits(writer: ByteWriter): Promise<boolean> {
  const drain = watch(writer.drain())
  await loopTurns(1)
  if (drain.state === 'rejected') throw drain.error
  return drain.state === 'pending'
}

async function untilNothingMoves(writer: ByteWriter): Promise<void> {
  let left = writer.bufferedBytes
  let still = 0
  for (let turn = 0; turn < MOST_TURNS_TO_CLOG && still < STILL_TURNS; turn++) {
    await loopTurns(1)
    still = writer.bufferedBytes === left ? still + 1 : 0
    left = writer.bufferedBytes
  }
}

/** How many abort listeners a signal has. */
export function listenerCount(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length
}

function describe(value: unknown): string {
  if (Buffer.isBuffer(value)) return `${value.length} bytes (${value.toString('latin1', 0, 40)})`
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value)
}

function ignore(): void {}
