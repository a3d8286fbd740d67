/**
 * Torture, as curl calls it: plays a scenario on a memory pair, counts the operations of its transports, and plays it
 * again for every one of them and every error code, with that one operation failing. Whatever fails, everything must
 * come to an end: nobody left waiting, no connection, no timer, no rejection that nobody handles.
 *
 * Time is a fake clock's, so that deadlines of minutes cost nothing. It needs no test runner.
 */
import { StandpipeError } from '../errors.js'
import type { Connection } from '../protocol/connection.js'
import type { Handler } from '../protocol/handler.js'
import {
  connectionPair,
  type ConnectionPair,
  type ConnectionPairOptions,
} from './connection-pair.js'
import { loopTurns, type FakeClock } from './fake-clock.js'
import type { MemoryOperation } from './memory-transport.js'
import { watch, type Watch } from './rule.js'

/** What a scenario is played with; fresh each time. */
export interface TortureAttempt {
  readonly client: Connection
  readonly server: Connection
  readonly clock: FakeClock
  /** Runs a handler on the server's end, as a server does; it must settle. */
  readonly serve: (handler: Handler) => void
  /** The operation that was made to fail, once it has been; undefined before, and where none fails. */
  readonly failed: MemoryOperation | undefined
}

/**
 * Plays a conversation and closes what it opens. It may reject with an error of the kit when an operation fails, and
 * with nothing else: an assertion of its own that does not hold is reported.
 */
export type TortureScenario = (attempt: TortureAttempt) => Promise<unknown>

export interface TortureOptions {
  /** The errors that operations fail with. @default ECONNRESET, EPIPE, ETIMEDOUT, ECONNABORTED, EIO */
  codes?: readonly string[] | undefined
  /** How the pair is made. @default a hundred bytes of room, so that there are many operations, and no log */
  pair?: Omit<ConnectionPairOptions, 'clock'> | undefined
  /** The turns of the loop that the scenario gets at most before any time passes. @default 1000 */
  turns?: number | undefined
  /**
   * The time by which all must have ended, in milliseconds of the fake clock. The default is more than a linger takes,
   * and less than the deadlines of a server, which must not be what ends it. @default 20000
   */
  settleMs?: number | undefined
  /** Rejections that a scenario may end with besides errors of the kit. @default none */
  allows?: ((error: unknown) => boolean) | undefined
}

/** What torture came to where nothing was wrong. */
export interface TortureReport {
  /** Operations of the scenario when none fails. */
  readonly operations: number
  /** How often it was played with one that failed. */
  readonly attempts: number
}

/** What was wrong in one attempt. */
export interface TortureFailure {
  /** Which operation failed; undefined where none did, and the scenario did not hold all the same. */
  readonly operation: MemoryOperation | undefined
  readonly code: string | undefined
  /** What was wrong, each as a sentence. */
  readonly problems: readonly string[]
  /** What the scenario rejected with, if it did. */
  readonly error: unknown
}

/** A scenario did not hold under torture. */
export class TortureError extends Error {
  readonly failures: readonly TortureFailure[]

  constructor(failures: readonly TortureFailure[]) {
    const [first] = failures
    const lines = failures.slice(0, LISTED_FAILURES).map((one) => `  ${describe(one)}`)
    const more = failures.length - lines.length
    super(
      [
        `${failures.length === 1 ? 'one attempt' : `${failures.length} attempts`} went wrong:`,
        ...lines,
        ...(more > 0 ? [`  … and ${more} more`] : []),
      ].join('\n'),
      { cause: first?.error },
    )
    this.name = 'TortureError'
    this.failures = failures
  }
}

/** So many are named in a message; `failures` has all. Arbitrary. */
const LISTED_FAILURES = 10
const CODES = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'EIO']
const PAIR = { both: { logger: false }, transport: { bufferBytes: 100 } } as const
const DEFAULT_TURNS = 1000
const DEFAULT_SETTLE_MS = 20_000

/**
 * Plays the scenario once as it is, and then once for each of its operations and each code.
 *
 * ```ts
 * await torture(async ({ client, serve }) => {
 *   serve(lineEcho())
 *   client.writer.write('hello\n')
 *   await client.reader.readLine()
 *   await client.close()
 * })
 * ```
 *
 * The conditions: the scenario and each handler settle, both connections are closed, no timer is left, no rejection is
 * unhandled, and what the scenario rejects with is an error of the kit. With no operation failing it must not reject.
 *
 * @throws TortureError when a condition does not hold in any attempt
 * @throws TypeError for a scenario that is no function, and for `codes` that are none
 * @throws RangeError for `turns` or `settleMs` that are no numbers above 0
 */
export async function torture(
  scenario: TortureScenario,
  options: TortureOptions = {},
): Promise<TortureReport> {
  if (typeof scenario !== 'function') {
    throw new TypeError(`scenario must be a function, not ${typeof scenario}`)
  }
  const { codes = CODES, turns = DEFAULT_TURNS, settleMs = DEFAULT_SETTLE_MS } = options
  for (const [name, value] of Object.entries({ turns, settleMs })) {
    if (!(value > 0)) throw new RangeError(`${name} must be a number above 0, not ${value}`)
  }
  if (!Array.isArray(codes) || codes.length === 0) {
    throw new TypeError('codes must be an array of errno codes such as EPIPE, and not empty')
  }
  const play = (nth: number, code: string): Promise<Played> =>
    new Attempt(nth, code, options).play(scenario, turns, settleMs)

  const whole = await play(0, '')
  if (whole.failure !== undefined) throw new TortureError([whole.failure])
  const failures: TortureFailure[] = []
  let attempts = 0
  for (const code of codes as readonly string[]) {
    // A failure may bring about operations that a whole play does not have.
    for (let nth = 1; ; nth++) {
      const { failure, hasFailed } = await play(nth, code)
      if (!hasFailed) break
      attempts++
      if (failure !== undefined) failures.push(failure)
    }
  }
  if (failures.length > 0) throw new TortureError(failures)
  return { operations: whole.operations, attempts }
}

interface Played {
  readonly operations: number
  /** Whether there was an operation of that number. */
  readonly hasFailed: boolean
  readonly failure: TortureFailure | undefined
}

class Attempt implements TortureAttempt {
  readonly client: Connection
  readonly server: Connection
  readonly clock: FakeClock
  readonly #code: string
  readonly #allows: (error: unknown) => boolean
  readonly #pair: ConnectionPair
  readonly #handlers: Watch<void>[] = []
  #operations = 0
  #failed: MemoryOperation | undefined

  constructor(nth: number, code: string, { pair = PAIR, allows = never }: TortureOptions) {
    this.#code = code
    this.#allows = allows
    const made = connectionPair({
      ...pair,
      transport: {
        ...pair.transport,
        intercept: (operation) => {
          this.#operations = operation.nth
          if (operation.nth !== nth) return undefined
          this.#failed = operation
          return code
        },
      },
    })
    this.client = made.client
    this.server = made.server
    this.clock = made.clock
    this.#pair = made
  }

  get failed(): MemoryOperation | undefined {
    return this.#failed
  }

  /** A field, so that a scenario can take it out of the attempt. */
  readonly serve = (handler: Handler): void => {
    this.#handlers.push(watch(this.#pair.serve(handler)))
  }

  async play(scenario: TortureScenario, turns: number, settleMs: number): Promise<Played> {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => {
      unhandled.push(reason)
    }
    process.on('unhandledRejection', note)
    try {
      // An async function, so that a scenario that throws at once rejects.
      const played = watch((async () => await scenario(this))())
      for (let turn = 0; turn < turns && played.state === 'pending'; turn++) await loopTurns(1)
      await this.clock.advance(settleMs)
      const problems = [
        ...this.#problems(played),
        ...unhandled.map((reason) => `a rejection is unhandled: ${String(reason)}`),
      ]
      const failure =
        problems.length === 0
          ? undefined
          : { operation: this.#failed, code: this.#code, problems, error: played.error }
      return { operations: this.#operations, hasFailed: this.#failed !== undefined, failure }
    } finally {
      await this.#pair[Symbol.asyncDispose]()
      await loopTurns(1)
      process.off('unhandledRejection', note)
    }
  }

  #problems({ state, error }: Watch<unknown>): string[] {
    const problems: string[] = []
    if (state === 'pending') problems.push('the scenario still waits')
    if (state === 'rejected' && !this.#mayReject(error)) {
      problems.push(`the scenario rejected: ${String(error)}`)
    }
    if (this.#handlers.some((handler) => handler.state === 'pending')) {
      problems.push('a handler still runs')
    }
    for (const name of ['client', 'server'] as const) {
      const connection = this[name]
      if (connection.state !== 'closed') problems.push(`the ${name} is ${connection.state}`)
    }
    const { pendingTimers } = this.clock
    if (pendingTimers > 0) problems.push(`timers that are left: ${pendingTimers}`)
    return problems
  }

  #mayReject(error: unknown): boolean {
    if (this.#allows(error)) return true
    return this.#failed !== undefined && error instanceof StandpipeError
  }
}

function describe({ operation, code, problems }: TortureFailure): string {
  const what =
    operation === undefined
      ? 'without a failure'
      : `${code} in operation ${operation.nth} (${operation.name} of the ${operation.side === 0 ? 'client' : 'server'})`
  return `${what}: ${problems.join('; ')}`
}

function never(): boolean {
  return false
}
