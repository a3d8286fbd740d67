/**
 * The contract of a handler: what its return, and each kind of throw, does to the connection.
 *
 * A return closes cleanly. A throw of an outcome (the peer or the connection brought it about) closes cleanly
 * too and is told at info. Any other throw is a fault of the handler: its connection is aborted, the fault is
 * told once at error, and nothing else is touched by it.
 */
import { legible } from '../concurrency/legible.js'
import { StandpipeError, type ErrorCode } from '../errors.js'
import { describeAddress } from './address.js'
import { publishError } from './connection-channels.js'
import type { Connection } from './connection.js'

/** Serves one connection. The connection ends when the handler does. */
export type Handler = (connection: Connection) => unknown

const OUTCOMES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_STANDPIPE_BROKEN',
  'ERR_STANDPIPE_CLOSED',
  'ERR_STANDPIPE_DECODE',
  'ERR_STANDPIPE_INCOMPLETE_READ',
  'ERR_STANDPIPE_LIMIT_OVERRUN',
  'ERR_STANDPIPE_PROTOCOL',
  'ERR_STANDPIPE_RESET',
  'ERR_STANDPIPE_SLOW_CONSUMER',
  'ERR_STANDPIPE_TIMED_OUT',
])

/** Whether an error that a handler threw tells of the peer or of the connection's end, and not of a fault in the handler. */
function isOutcome(error: unknown, connection: Connection): boolean {
  if (error instanceof StandpipeError && OUTCOMES.has(error.code)) return true
  const { signal, draining } = connection
  return (
    (signal.aborted && error === signal.reason) || (draining.aborted && error === draining.reason)
  )
}

/**
 * Runs the handler, ends the connection with it, and calls `settled` once it is over. Promises are chained by
 * hand: an async function here would cost every idle connection a third of a KiB.
 */
export function runHandler(
  connection: Connection,
  handler: Handler,
  settled: (connection: Connection) => void,
): void {
  let result: unknown
  try {
    result = handler(connection)
  } catch (error) {
    handlerThrew(connection, error)
    settled(connection)
    return
  }
  void Promise.resolve(result).then(
    () => {
      handlerReturned(connection)
      settled(connection)
    },
    (error: unknown) => {
      handlerThrew(connection, error)
      settled(connection)
    },
  )
}

function handlerReturned(connection: Connection): void {
  connection.closeBecause({ kind: connection.isDraining ? 'server-stopped' : 'closed-here' })
}

function handlerThrew(connection: Connection, thrown: unknown): void {
  const error = legible(thrown)
  if (isOutcome(error, connection)) {
    connection.tellEnd(error)
    handlerReturned(connection)
    return
  }
  // Whatever else was logged: this is the fault.
  connection.markTold()
  connection.cut({ kind: 'handler-failed' }, error)
  publishError(connection, error)
  connection.log.error(
    { err: error },
    `the handler of ${describeAddress(connection.remote)} failed`,
  )
}
