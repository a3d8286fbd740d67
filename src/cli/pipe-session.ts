/**
 * Joins a connection with stdin and stdout, byte for byte: the session of `connect` in a pipe.
 *
 *     input  → writer → (its end: our half is ended) → the peer
 *     output ← reader ← the peer, until it ends, however long that takes
 *
 * The two directions are independent: one that is slow holds only its own source. This file neither dials nor
 * prints, and decides no exit code.
 */
import { TimeoutError } from '../errors.js'
import { describeAddress, type Connection } from '../protocol/connection.js'
import type { StreamWriter } from '../protocol/stream-writer.js'
import { nextChunk } from './next-chunk.js'
import { InputError, type Output } from './stdio.js'

/** A stall after the peer's end is found at most a fifth too late. */
const CHECKS_PER_IDLE_TIMEOUT = 5

export interface PipeSessionOptions {
  /** Without a byte either way; Infinity for no bound. */
  idleTimeoutMs: number
}

/**
 * Runs until both directions have ended and the output is flushed.
 *
 * @throws BrokenError when the peer resets, or does not take all of the input
 * @throws TimeoutError when a deadline of the connection has passed
 * @throws InputError, OutputError, ReaderLeftError
 */
export async function runPipeSession(
  connection: Connection,
  input: AsyncIterable<Buffer>,
  output: Output,
  { idleTimeoutMs }: PipeSessionOptions,
): Promise<void> {
  const peerEnds = new AbortController()
  const sending = send(input, connection.writer, peerEnds.signal)
  // The reader tells of a broken connection as well, and only after what had arrived before.
  const inputFails = sending.then(never, (error: unknown) => {
    if (error instanceof InputError) throw error
    return never()
  })
  try {
    await Promise.race([receive(connection, output), inputFails, output.failure])
  } catch (error) {
    await output.flush()
    throw error
  }
  await output.flush()
  peerEnds.abort()
  await untilStalled(
    sending.then(() => connection.closed),
    connection,
    idleTimeoutMs,
  )
  await connection.writer.waitClosed()
}

async function receive(connection: Connection, output: Output): Promise<void> {
  for (let chunk; (chunk = await connection.reader.read()) !== null;) await output.write(chunk)
}

async function send(
  input: AsyncIterable<Buffer>,
  writer: StreamWriter,
  peerEnds: AbortSignal,
): Promise<void> {
  const chunks = input[Symbol.asyncIterator]()
  for (let chunk; (chunk = await nextChunk(chunks, peerEnds)) !== undefined;) {
    writer.write(chunk)
    await writer.drain()
  }
  writer.writeEof()
}

/** No read waits after the peer's end, so that the connection's own idle deadline is over: this is its successor. */
async function untilStalled(
  done: Promise<unknown>,
  connection: Connection,
  idleTimeoutMs: number,
): Promise<void> {
  if (idleTimeoutMs === Infinity) {
    await done
    return
  }
  let stalledChecks = 0
  let written = connection.bytesWritten
  const check = (reject: (error: Error) => void): void => {
    const isStalled = connection.writer.bufferedBytes > 0 && connection.bytesWritten === written
    stalledChecks = isStalled ? stalledChecks + 1 : 0
    written = connection.bytesWritten
    if (stalledChecks < CHECKS_PER_IDLE_TIMEOUT) return
    const where = describeAddress(connection.remote)
    const message = `connection to ${where}: the peer took nothing within ${idleTimeoutMs} ms`
    reject(new TimeoutError(message, 'idle', idleTimeoutMs))
  }
  let timer: NodeJS.Timeout | undefined
  const stalls = new Promise<never>((_, reject) => {
    timer = setInterval(check, idleTimeoutMs / CHECKS_PER_IDLE_TIMEOUT, reject)
  })
  try {
    await Promise.race([done, stalls])
  } finally {
    clearInterval(timer)
  }
}

function never(): Promise<never> {
  return new Promise(() => {})
}
