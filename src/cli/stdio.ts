/**
 * The standard streams of a command: data out with backpressure, words on stderr, and an end at which nothing
 * that was printed is lost. It interprets no bytes, and decides no exit code.
 *
 * A reader of stdout that leaves (`| head`) is no error of ours: it is told apart from a full disk.
 */
import { fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { deferred, unobserved, type Deferred } from '../concurrency/deferred.js'
import { describeSystemError } from '../errors.js'

/** Whoever read our stdout has gone: there is nobody to print for, and nothing to complain about. */
export class ReaderLeftError extends Error {
  constructor() {
    super('the reader of stdout has left')
    this.name = 'ReaderLeftError'
  }
}

/** stdout cannot be written, such as on a full disk. */
export class OutputError extends Error {
  constructor(cause: unknown) {
    super(`write to stdout: ${describeSystemError(cause).words}`, { cause })
    this.name = 'OutputError'
  }
}

/** stdin cannot be read. */
export class InputError extends Error {
  constructor(cause: unknown) {
    super(`read from stdin: ${describeSystemError(cause).words}`, { cause })
    this.name = 'InputError'
  }
}

/** Where data goes. */
export interface Output {
  /** Takes bytes; resolves when more may follow. @throws ReaderLeftError, OutputError */
  write(chunk: Uint8Array | string): Promise<void>
  /** Resolves when all of it is out of this process. @throws ReaderLeftError, OutputError */
  flush(): Promise<void>
  /** Rejects when writing has failed, also while nothing is being written; resolves never. */
  readonly failure: Promise<never>
}

/** The standard output: a file is written to here, everything else through Node's stream. */
export function openStdout(): Output {
  const stat = fstatSync(1)
  const isFile = stat.isFile() || stat.isBlockDevice() || (stat.isCharacterDevice() && !isatty(1))
  return isFile ? new FileOutput(1) : new StreamOutput(process.stdout)
}

/**
 * Node's own stream for files ignores how much of a write was taken, so that the rest of a block is lost in
 * silence when a disk becomes full in its middle (Node 20 to 24).
 */
class FileOutput implements Output {
  readonly #fd: number
  readonly #failed = deferred<never>()

  constructor(fd: number) {
    this.#fd = fd
    void unobserved(this.#failed.promise)
  }

  get failure(): Promise<never> {
    return this.#failed.promise
  }

  write(chunk: Uint8Array | string): Promise<void> {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at)
      return Promise.resolve()
    } catch (error) {
      this.#failed.reject(new OutputError(error))
      return this.#failed.promise
    }
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }
}

class StreamOutput implements Output {
  readonly #stream: NodeJS.WriteStream
  readonly #failed = deferred<never>()
  #error: Error | undefined
  /** How many writes the stream has not handed over. */
  #pending = 0
  #room: Deferred | undefined
  #empty: Deferred | undefined
  readonly #onWritten = (): void => {
    if (--this.#pending === 0 && this.#error === undefined) this.#empty?.resolve()
  }

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    void unobserved(this.#failed.promise)
    stream.on('drain', () => {
      this.#room?.resolve()
      this.#room = undefined
    })
    // Without a listener a reader that leaves is an uncaught exception with a stack.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error.code === 'EPIPE' ? new ReaderLeftError() : new OutputError(error)
      for (const waiting of [this.#failed, this.#room, this.#empty]) waiting?.reject(this.#error)
    })
  }

  get failure(): Promise<never> {
    return this.#failed.promise
  }

  write(chunk: Uint8Array | string): Promise<void> {
    if (this.#error !== undefined) return this.#failed.promise
    this.#pending++
    if (this.#stream.write(chunk, this.#onWritten)) return Promise.resolve()
    this.#room ??= deferred()
    return this.#room.promise
  }

  flush(): Promise<void> {
    if (this.#error !== undefined) return this.#failed.promise
    if (this.#pending === 0) return Promise.resolve()
    this.#empty = deferred()
    return this.#empty.promise
  }
}

/** How long the end of the process waits for a reader of stderr that does not read. */
const STDERR_FLUSH_MS = 1000

/** Prints a line of words. A stderr that nobody reads any more is no reason to fail. */
export function printWords(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** From now on a broken stderr is ignored. Without a listener it is an uncaught exception. */
export function ignoreBrokenStderr(): void {
  process.stderr.on('error', () => {})
}

/**
 * Ends the process with its exit code as soon as stderr has taken what was printed. Nothing else is waited for:
 * not a read of stdin, not a socket that is open.
 */
export async function leave(): Promise<never> {
  if (process.stderr.writableLength > 0) {
    const flushed = deferred()
    process.stderr.write('', () => {
      flushed.resolve()
    })
    const timer = setTimeout(flushed.resolve, STDERR_FLUSH_MS)
    await flushed.promise
    clearTimeout(timer)
  }
  return process.exit()
}
