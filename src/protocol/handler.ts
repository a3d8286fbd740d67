/**
 * The contract of a handler: what its return, and each kind of throw, does to the connection.
 *
 * A return closes cleanly. A throw of an outcome (the peer or the connection brought it about) closes cleanly
 * too and is told at info. Any other throw is a fault of the handler: its connection is aborted, the fault is
 * told once at error, and nothing else is touched by it.
 */
import { StandpipeError, type ErrorCode } from '../errors.js'
import { describeAddress, type Connection } from './connection.js'

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
export function isOutcome(error: unknown, connection: Connection): boolean {
  if (error instanceof StandpipeError && OUTCOMES.has(error.code)) return true
  const { signal, draining } = connection
  return (
    (signal.aborted && error === signal.reason) || (draining.aborted && error === draining.reason)
  )
}

/** Runs the handler and ends the connection with it. Resolves when the handler has settled; never rejects. */
export async function runHandler(connection: Connection, handler: Handler): Promise<void> {
  try {
    await handler(connection)
  } catch (error) {
    const where = describeAddress(connection.remote)
    if (!isOutcome(error, connection)) {
      connection.cut({ kind: 'handler-failed' }, error)
      connection.log.error({ err: error, conn: connection.id }, `the handler of ${where} failed`)
      return
    }
    connection.log.info(
      { err: error, conn: connection.id },
      `the connection from ${where} ended early`,
    )
  }
  connection.closeBecause({ kind: connection.isDraining ? 'server-stopped' : 'closed-here' })
}
