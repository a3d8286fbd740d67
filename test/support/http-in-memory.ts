/** An HTTP server and a client that writes bytes, joined in memory, with time in the test's hand. */
import { httpHandler } from '../../src/http-mini/index.js'
import type { HttpApp, HttpHandler, HttpOptions } from '../../src/http-mini/index.js'
import { runHandler } from '../../src/protocol/handler.js'
import { connectionPair, type ConnectionPair } from '../../src/testing/connection-pair.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { RecordingLogger } from './recording-logger.js'

/** Arbitrary: more turns than any chain of answers here takes. */
const SETTLING_TURNS = 20

export class HttpInMemory {
  readonly pair: ConnectionPair
  readonly logger = new RecordingLogger()
  /** Everything that the server has sent so far, as latin-1. */
  received = ''
  /** Whether the server has ended its half. */
  hasEnded = false
  readonly #reading: Promise<void>

  constructor(app: HttpHandler | HttpApp, options: HttpOptions = {}) {
    this.pair = connectionPair({ server: { logger: this.logger } })
    runHandler(this.pair.server, httpHandler(app, options), () => {})
    this.#reading = this.#read()
  }

  /** Sends these bytes, and gives what has come since the last call when nothing comes any more. */
  async send(bytes: string): Promise<string> {
    const before = this.received.length
    this.pair.client.writer.write(bytes, 'latin1')
    await loopTurns(SETTLING_TURNS)
    return this.received.slice(before)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pair[Symbol.asyncDispose]()
    await this.#reading
  }

  async #read(): Promise<void> {
    try {
      for await (const chunk of this.pair.client.reader.chunks()) {
        this.received += chunk.toString('latin1')
      }
    } catch {
      // A test looks at what came before.
    }
    this.hasEnded = true
  }
}

/** The body of the last answer, where that has a length. */
export function bodyOf(answer: string): string {
  return answer.slice(answer.lastIndexOf('\r\n\r\n') + 4)
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
}

/** A request with these fields; its body, if any, has its length. */
export function request(
  line: string,
  { fields = [], body }: { fields?: readonly string[]; body?: string } = {},
): string {
  const framing = body === undefined ? [] : [`Content-Length: ${body.length}`]
  return [`${line} HTTP/1.1`, 'Host: a', ...fields, ...framing, '', body ?? ''].join('\r\n')
}
