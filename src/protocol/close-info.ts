/**
 * How connections end: the kinds, and what each of them is to whoever counts, logs or waits. It ends nothing.
 *
 * Invariant: what a kind is to anybody is looked up in one table.
 */
import type { TimeoutPhase } from '../errors.js'

/** Why a connection ended. */
export type CloseKind =
  | 'ended'
  | 'closed-here'
  | 'aborted'
  | 'reset'
  | 'timed-out'
  | 'connect-refused'
  | 'not-admitted'
  | 'handler-failed'
  | 'failed'
  | 'server-stopped'

export interface CloseReason {
  readonly kind: CloseKind
  /** Which deadline it was, for `timed-out`. */
  readonly phase?: TimeoutPhase
}

/** What `closed` resolves with. */
export interface CloseInfo {
  readonly reason: CloseReason
  /** The error behind the reason, where there is one; or what kept a clean end from delivering all. */
  readonly error?: unknown
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly durationMs: number
}

/**
 * `clean`: an error beside it is a loss. `willed`: an error beside it is the program's own reason. `broken`: the
 * peer's doing, or the network's. `faulty`: our own.
 */
const NATURES: Readonly<Record<CloseKind, 'clean' | 'willed' | 'broken' | 'faulty'>> = {
  ended: 'clean',
  'closed-here': 'clean',
  'server-stopped': 'clean',
  aborted: 'willed',
  'not-admitted': 'willed',
  reset: 'broken',
  'timed-out': 'broken',
  'connect-refused': 'broken',
  failed: 'broken',
  'handler-failed': 'faulty',
}

/** Whether the peer or the network ended it against the will of the program. */
export function isBroken({ kind }: CloseReason): boolean {
  return NATURES[kind] === 'broken'
}

/** Whether neither side had asked for such an end. */
export function isFault({ kind }: CloseReason): boolean {
  return NATURES[kind] === 'broken' || NATURES[kind] === 'faulty'
}

/** Whether a clean end did not deliver all that it had still to deliver. */
export function isLossy({ reason, error }: CloseInfo): boolean {
  return error !== undefined && NATURES[reason.kind] === 'clean'
}
