/** Telling of answers, for access logs: what each came to, once. Who does not ask pays nothing for it. */
import type { Connection } from '../protocol/connection.js'
import type { HttpRequest } from './http-request.js'

/** How an answer came out. */
export interface AnswerInfo {
  /** 499 when the client had left before it: what servers write in their logs, and never send. */
  readonly status: number
  /** Bytes that were written for it, its head included. */
  readonly bytes: number
  readonly durationMs: number
  /** Whether all of it was written. */
  readonly isWhole: boolean
}

/** Called when an answer was written, or could not be. */
export type OnAnswer = (request: HttpRequest, info: AnswerInfo) => void

/** The status of an answer that nobody was there to get. */
export const UNANSWERED = 499

/** Tells of the answers of one connection. */
export class AnswerTeller {
  readonly #connection: Connection
  readonly #onAnswer: OnAnswer
  #beganAt = 0
  #bytesBefore = 0

  constructor(connection: Connection, onAnswer: OnAnswer) {
    this.#connection = connection
    this.#onAnswer = onAnswer
  }

  /** A request has come. */
  begin(): void {
    this.#beganAt = this.#connection.clock.now()
    this.#bytesBefore = this.#bytesWritten
  }

  /** It has been answered. */
  tell(request: HttpRequest, status: number, isWhole: boolean): void {
    this.#onAnswer(request, {
      status,
      bytes: this.#bytesWritten - this.#bytesBefore,
      durationMs: this.#connection.clock.now() - this.#beganAt,
      isWhole,
    })
  }

  get #bytesWritten(): number {
    const { writer } = this.#connection
    return writer.flushedBytes + writer.bufferedBytes
  }
}
