/** What came of the attempts of a race, as one error of one line. */
import { ConnectError, describeSystemError, TimeoutError, type ConnectAttempt } from '../errors.js'
import { describeAddress, type Address } from '../protocol/connection.js'
import type { RaceAttempt } from './race.js'

/** What stands for the answer that an attempt does not have yet. */
const NO_ANSWER = { code: 'ETIMEDOUT' }

/** Every address has failed. `where` is what was asked for, `tookMs` the time from the call on. */
export function connectError(
  where: string,
  attempts: readonly RaceAttempt[],
  now: number,
  tookMs: number,
): ConnectError {
  const errors = attempts.map(({ failure }) => failure?.error ?? NO_ANSWER)
  const inAll = Math.round(tookMs)
  const words = describeAll(where, attempts)
  const [first = 'no address'] = words
  // `refused (nothing is listening)`: the time goes before what is in brackets.
  const detail =
    words.length === 1
      ? first.replace(/(?= \(|$)/, ` after ${inAll} ms`)
      : `${words.join(', ')} (${inAll} ms in all)`
  return new ConnectError(
    `connect ${where}: ${detail}`,
    attempts.map((attempt, i): ConnectAttempt => ({
      address: describeAddress(attempt.address),
      code: describeSystemError(errors[i]).code,
      durationMs: Math.round((attempt.failure?.at ?? now) - attempt.startedAt),
    })),
    // Node's own race leaves the message of this empty.
    { cause: errors.length === 1 ? errors[0] : new AggregateError(errors, words.join(', ')) },
  )
}

/**
 * The deadline has passed while addresses were tried. What came of each is in `cause.attempts`, where those
 * without an answer have the code `ETIMEDOUT`.
 */
export function connectTimeout(
  where: string,
  connectMs: number,
  attempts: readonly RaceAttempt[],
  untried: readonly Address[],
  now: number,
): TimeoutError {
  const [only, ...others] = attempts
  const isPlain = only !== undefined && others.length === 0 && isWhere(where, only)
  const message = isPlain
    ? `no answer within ${connectMs} ms`
    : `not connected within ${connectMs} ms: ${[
        ...describeAll(where, attempts),
        ...untried.map((address) => `${describeAddress(address)} not tried yet`),
      ].join(', ')}`
  return new TimeoutError(`connect ${where}: ${message}`, 'connect', connectMs, {
    cause: connectError(where, attempts, now, connectMs),
  })
}

/** The deadline has passed, and the look-up of the name has not ended. */
export function lookUpTimeout(where: string, host: string, connectMs: number): TimeoutError {
  return new TimeoutError(
    `connect ${where}: the look-up of ${host} did not end within ${connectMs} ms`,
    'connect',
    connectMs,
  )
}

/** Each attempt in words; its address only where that is not what was asked for. */
function describeAll(where: string, attempts: readonly RaceAttempt[]): string[] {
  return attempts.map((attempt) => {
    const { words } = describeSystemError(attempt.failure?.error ?? NO_ANSWER)
    return isWhere(where, attempt) ? words : `${describeAddress(attempt.address)} ${words}`
  })
}

function isWhere(where: string, { address }: RaceAttempt): boolean {
  return describeAddress(address) === where
}
