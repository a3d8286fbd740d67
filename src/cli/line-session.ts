/**
 * Pairs each line of the input with a line of the peer: the session of `connect --lines`.
 *
 *     input  → lines → writer → the peer
 *     output ← pairs ← reader ← the peer, one line for each
 *
 * Lines are sent without waiting for the replies of those before. When the input has ended and the last reply has
 * come it is over; only then our half is ended, since many a peer forgets its replies as soon as we end ours.
 * This file neither dials nor prints, and decides no exit code.
 */
import { unobserved } from '../concurrency/deferred.js'
import { BrokenError, IncompleteReadError, LimitOverrunError } from '../errors.js'
import { describeAddress, type Connection } from '../protocol/connection.js'
import { StreamReader } from '../protocol/stream-reader.js'
import { nextChunk } from './next-chunk.js'
import { InputError, type Output } from './stdio.js'
import { UnansweredLines, type AskedLine } from './unanswered-lines.js'

export interface LineSessionOptions {
  /** One object `{ line, reply, ms }` for each pair, instead of the reply alone. */
  json: boolean
  /** What a last line of the input without terminator is sent with. */
  terminator: '\n' | '\r\n'
  /** The longest line of the input, in bytes. */
  limit: number
}

/**
 * Runs until each line of the input has its reply, and the output is flushed.
 *
 * @throws BrokenError when the peer ends or resets before; the message has how many lines were unanswered
 * @throws LimitOverrunError when a line of the input, or a reply, is too long
 * @throws TimeoutError when a deadline of the connection has passed
 * @throws InputError, OutputError, ReaderLeftError
 */
export async function runLineSession(
  connection: Connection,
  input: AsyncIterable<Buffer>,
  output: Output,
  options: LineSessionOptions,
): Promise<void> {
  const unanswered = new UnansweredLines()
  const peerEnds = new AbortController()
  const asking = ask(linesOf(input, peerEnds.signal, options), connection, unanswered, peerEnds)
  // The reader tells of a broken connection as well, and only after what had arrived before.
  const inputFails = unobserved(
    asking.catch((error: unknown) => {
      if (error instanceof InputError || error instanceof LimitOverrunError) throw error
    }),
  ).then(never)
  const receiving = unobserved(receive(connection, unanswered, output, options.json))
  const peerEnded = receiving.then(async () => {
    peerEnds.abort()
    // There may be lines that have not been sent: they will have no reply.
    if (unanswered.count === 0) await asking.catch(ignore)
    if (unanswered.count > 0) throw endedEarly(connection, unanswered)
  })
  try {
    await Promise.race([peerEnded, unanswered.done, inputFails, output.failure])
  } catch (error) {
    await output.flush()
    throw withCount(error, connection, unanswered)
  }
  const closed = connection.close()
  await output.flush()
  await closed
}

async function ask(
  lines: AsyncIterable<Buffer>,
  { writer }: Connection,
  unanswered: UnansweredLines,
  peerEnds: AbortController,
): Promise<void> {
  for await (const line of lines) {
    unanswered.asked(line)
    if (peerEnds.signal.aborted) return
    writer.write(line)
    await writer.drain()
    await unanswered.room()
  }
  unanswered.complete()
}

/** The lines of the input, each with a terminator. */
async function* linesOf(
  input: AsyncIterable<Buffer>,
  peerEnds: AbortSignal,
  { limit, terminator }: LineSessionOptions,
): AsyncGenerator<Buffer> {
  const reader = new StreamReader({ limit, partial: 'yield' })
  const style = { encoding: 'buffer', keepTerminator: true } as const
  const chunks = input[Symbol.asyncIterator]()
  for (let count = 1; ;) {
    let line: Buffer | null | undefined
    try {
      line = reader.tryReadLine(style)
    } catch (error) {
      throw tooLong(error, `line ${count} of the input`)
    }
    if (line === null) return
    if (line === undefined) {
      const chunk = await nextChunk(chunks, peerEnds)
      if (chunk === undefined) reader.feedEof()
      else reader.feedData(chunk)
      continue
    }
    yield line.at(-1) === LF ? line : Buffer.concat([line, Buffer.from(terminator)])
    count++
  }
}

async function receive(
  { reader, remote }: Connection,
  unanswered: UnansweredLines,
  output: Output,
  json: boolean,
): Promise<void> {
  try {
    const batches = reader.lineBatches({ encoding: 'buffer', keepTerminator: true })
    for await (const replies of batches) {
      const shown = replies.map((reply) => {
        const asked = unanswered.answered()
        return json ? Buffer.from(`${JSON.stringify(toPair(asked, reply))}\n`) : reply
      })
      await output.write(Buffer.concat(shown))
    }
  } catch (error) {
    throw tooLong(error, `connection to ${describeAddress(remote)}: a reply`)
  }
}

/** A reply to nothing, such as a greeting, has no line and no time. */
function toPair(asked: AskedLine | undefined, reply: Buffer): object {
  const ms = asked && Math.round((performance.now() - asked.sentAt) * 1000) / 1000
  return {
    line: asked === undefined ? null : toText(asked.line),
    reply: toText(reply),
    ms: ms ?? null,
  }
}

function toText(line: Buffer): string {
  return line.toString().replace(/\r?\n$/, '')
}

function endedEarly(
  connection: Connection,
  unanswered: UnansweredLines,
  detail = 'the peer has ended',
): BrokenError {
  const where = describeAddress(connection.remote)
  return new BrokenError(`connection to ${where}: ${detail}; ${inWords(unanswered)}`)
}

/** The error of a peer that has gone, with how many lines it has left unanswered. */
function withCount(error: unknown, connection: Connection, unanswered: UnansweredLines): unknown {
  // A line that was cut short is no reply.
  if (error instanceof IncompleteReadError) {
    return endedEarly(connection, unanswered, 'the peer has ended in the middle of a line')
  }
  const isReset = error instanceof BrokenError && error.code === 'ERR_STANDPIPE_RESET'
  if (!isReset) return error
  const message = `${error.message}; ${inWords(unanswered)}`
  return new BrokenError(message, { code: 'ERR_STANDPIPE_RESET', cause: error.cause })
}

function inWords({ count }: UnansweredLines): string {
  if (count === 0) return 'no line is unanswered'
  return count === 1 ? '1 line is unanswered' : `${count} lines are unanswered`
}

function tooLong(error: unknown, what: string): unknown {
  if (!(error instanceof LimitOverrunError)) return error
  return new LimitOverrunError(`${what} is longer than ${error.limit} bytes`, error)
}

const LF = 10

function ignore(): void {}

function never(): Promise<never> {
  return new Promise(() => {})
}
