/**
 * Records the history of a line protocol while a test runs it, for `checkHistory`.
 *
 * It touches no connection: the test, or whoever wraps its client, tells it what happens.
 */
import { checkHistory, type CheckHistoryOptions, type HistoryEvent } from './check-history.js'

export interface LineHistoryOptions extends CheckHistoryOptions {
  /**
   * Finds the token in a line of the protocol. @default the first token of `nextToken()` that is in the line, or
   * the whole line where there is none
   */
  tokenOf?: ((line: string) => string) | undefined
}

/** A recording. Tokens are of the form `<NAME.NUMBER>`, and unique in it. */
export class LineHistory {
  readonly #events: HistoryEvent[] = []
  readonly #lastNumbers = new Map<string, number>()
  readonly #tokenOf: (line: string) => string
  readonly #deliveries: boolean | undefined

  /**
   * ```ts
   * const history = new LineHistory({ deliveries: false })
   * await history.ask('a client', (token) => client.request(token))
   * history.ended('a client')
   * history.check()
   * ```
   */
  constructor(options: LineHistoryOptions = {}) {
    this.#tokenOf = options.tokenOf ?? findToken
    this.#deliveries = options.deliveries
  }

  /** What was recorded so far. */
  get events(): readonly HistoryEvent[] {
    return this.#events
  }

  /**
   * A token that no request had before.
   * @throws TypeError for a name of a connection that would not fit into a line: with `<`, `>` or a line end
   */
  nextToken(connection: string): string {
    if (/[<>\r\n]/.test(connection)) {
      const received = JSON.stringify(connection)
      throw new TypeError(`connection must be a name without <, > and line ends, not ${received}`)
    }
    const number = (this.#lastNumbers.get(connection) ?? 0) + 1
    this.#lastNumbers.set(connection, number)
    return `<${connection}.${number}>`
  }

  /** Before the request leaves. */
  requested(connection: string, token: string): void {
    this.#events.push({ kind: 'request', connection, token })
  }

  /** In the server, when it carries a line out, before it replies. */
  delivered(line: string): void {
    this.#events.push({ kind: 'delivery', token: this.#tokenOf(line) })
  }

  /** When a connection has got a line. */
  replied(connection: string, line: string): void {
    this.#events.push({ kind: 'reply', connection, token: this.#tokenOf(line) })
  }

  /** When a connection has ended; cleanly means that every request was to be answered. */
  ended(connection: string, how: 'clean' | 'broken' = 'clean'): void {
    this.#events.push({ kind: 'end', connection, isClean: how === 'clean' })
  }

  /**
   * Makes one request with a token of its own, and records both it and the line that `send` resolves with.
   * @throws what `send` throws; the request then stays unanswered
   */
  async ask(connection: string, send: (token: string) => Promise<string>): Promise<string> {
    const token = this.nextToken(connection)
    this.requested(connection, token)
    const line = await send(token)
    this.replied(connection, line)
    return line
  }

  /** Checks what was recorded so far. @throws HistoryError for the first violation */
  check(): void {
    checkHistory(this.#events, { deliveries: this.#deliveries })
  }
}

function findToken(line: string): string {
  return /<[^<>]*\.\d+>/.exec(line)?.[0] ?? line
}
