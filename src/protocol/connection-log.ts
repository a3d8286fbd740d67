/** What the log says of a connection: whose its records are, and the line on an end that came early. */
import { childLogger, resolveLogger, type Logger } from '../logger.js'
import { describeAddress, type Address } from './address.js'
import type { CloseReason } from './close-info.js'

/** A logger each record of which has its `conn` (the id) and its `peer`. */
export function connectionLog(
  option: Logger | false | undefined,
  id: number,
  remote: Address | undefined,
): Logger {
  return childLogger(resolveLogger(option), { conn: id, peer: describeAddress(remote) })
}

/** The peer or the network has ended it, with this error; the reason, where it is known yet, is two fields. */
export function logEarlyEnd(
  log: Logger,
  remote: Address | undefined,
  error: unknown,
  reason: CloseReason | undefined,
): void {
  const fields = { err: error, ...(reason === undefined ? {} : labelsOf(reason)) }
  log.info(fields, `the connection from ${describeAddress(remote)} ended early`)
}

function labelsOf({ kind, phase }: CloseReason): Record<string, string> {
  return phase === undefined ? { reason: kind } : { reason: kind, phase }
}
