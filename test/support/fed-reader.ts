/** Readers without a socket: fed by hand, in chunks. */
import type { Deadlines } from '../../src/protocol/deadlines.js'
import { StreamReader, type StreamReaderOptions } from '../../src/protocol/stream-reader.js'

/** Feeds each as a chunk of its own; strings as UTF-8. */
export function feed(reader: StreamReader, ...chunks: (string | Buffer)[]): void {
  for (const chunk of chunks) {
    reader.feedData(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  }
}

/** A reader with these chunks in it, and more to come. */
export function fedReader(
  chunks: readonly (string | Buffer)[],
  options?: StreamReaderOptions,
): StreamReader {
  const reader = new StreamReader(options)
  feed(reader, ...chunks)
  return reader
}

/** A reader with these chunks in it, and the end behind them. */
export function endedReader(
  chunks: readonly (string | Buffer)[],
  options?: StreamReaderOptions,
): StreamReader {
  const reader = fedReader(chunks, options)
  reader.feedEof()
  return reader
}

/** Writes down what a reader asks of the connection that it belongs to. */
export class RecordingHost {
  readonly calls: string[] = []

  pauseReading(): void {
    this.calls.push('pause')
  }

  resumeReading(): void {
    this.calls.push('resume')
  }

  lineOverran(error: Error, gaveUp: boolean): void {
    this.calls.push(gaveUp ? `gave up: ${error.message}` : 'overran')
  }
}

/** Attaches a recording host, and no deadlines unless they are given. */
export function attachHost(reader: StreamReader, deadlines?: Deadlines): RecordingHost {
  const host = new RecordingHost()
  const none = {
    readWaits: ignore,
    readProgresses: ignore,
    readEnds: ignore,
    bytesCame: ignore,
    newMessage: ignore,
  } as unknown as Deadlines
  reader.attach(host, deadlines ?? none)
  return host
}

function ignore(): void {}
