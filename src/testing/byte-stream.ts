/**
 * The face that `checkByteStream` looks at: the part of a Connection that moves bytes, as an interface.
 * A Connection has it as it is; a stream of your own has it when it means the same by the same names.
 */
import type { WaitOptions } from '../concurrency/abort.js'

/** The reading half: see StreamReader for what each call promises. */
export interface ByteReader {
  read(maxBytes?: number, options?: WaitOptions): Promise<Buffer | null>
  readExactly(count: number, options?: WaitOptions): Promise<Buffer>
  readUntil(separator: string | Uint8Array, options?: WaitOptions): Promise<Buffer | null>
  readLine(options?: WaitOptions): Promise<string | null>
  readAll(options?: WaitOptions & { maxBytes?: number | undefined }): Promise<Buffer>
  peek(count: number, options?: WaitOptions): Promise<Buffer | null>
  tryRead(maxBytes?: number): Buffer | null | undefined
  tryReadExactly(count: number): Buffer | undefined
  tryReadUntil(separator: string | Uint8Array): Buffer | null | undefined
  tryReadLine(): string | null | undefined
  lines(): AsyncIterable<string>
  chunks(): AsyncIterable<Buffer>
  readonly atEof: boolean
  readonly bufferedBytes: number
}

/** The writing half: see StreamWriter for what each call promises. */
export interface ByteWriter {
  write(data: string | Uint8Array): unknown
  drain(options?: WaitOptions): Promise<void>
  flush(options?: WaitOptions): Promise<void>
  writeEof(): unknown
  waitClosed(options?: WaitOptions): Promise<void>
  readonly isClosing: boolean
  readonly bufferedBytes: number
}

/** Both halves and their end: see Connection for what each promises. */
export interface ByteStream {
  readonly reader: ByteReader
  readonly writer: ByteWriter
  /** Aborts when the stream is cut, and not when the peer ends its half. */
  readonly signal: AbortSignal
  /** Resolves, never rejects, when the stream is gone. */
  readonly closed: Promise<ByteStreamEnd>
  close(): Promise<void>
  abort(reason?: unknown): void
}

/** How a stream ended. */
export interface ByteStreamEnd {
  readonly reason: { readonly kind: string }
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** Two streams that are connected to each other. */
export type ByteStreamPair = readonly [ByteStream, ByteStream]

/** Makes a fresh pair; what it opened besides the two streams, such as a listener, it closes itself. */
export type MakeByteStreamPair = () => ByteStreamPair | Promise<ByteStreamPair>
