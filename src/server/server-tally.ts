/** What a server has done so far, and how its latest connections ended. It asks nobody: it is told. */
import type { TimeoutPhase } from '../errors.js'
import { isLossy, type CloseInfo, type CloseKind } from '../protocol/close-info.js'
import type { Connection } from '../protocol/connection.js'
import type { RefusalReason } from './admission.js'
import { RecentCloses, type CloseRecord } from './recent-closes.js'

/** What a server has done so far. */
export interface ServerStats {
  /** Connections that were admitted. */
  readonly accepted: number
  /** Those of them that have not ended. */
  readonly open: number
  /** How many were not admitted, and why. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>
  /** How many connections ended for which reason; those that were refused are `not-admitted`. */
  readonly closedBy: Readonly<Partial<Record<CloseKind, number>>>
  /** Which deadlines those were that ended `timed-out`. */
  readonly timedOutBy: Readonly<Partial<Record<TimeoutPhase, number>>>
  /** Connections that ended cleanly as far as they could, and did not deliver all that was written. */
  readonly lossyCloses: number
  /** Lines that passed the limit. Their connections went on, unless a line passed 16 times the limit. */
  readonly overlongLines: number
  /** Totals of the connections that have ended. */
  readonly bytesRead: number
  readonly bytesWritten: number
  /**
   * How the latest 100 connections ended, the oldest first; those that were not admitted are counted in `refused`
   * alone, or a flood of them would push everything else out.
   */
  readonly recentCloses: readonly CloseRecord[]
}

/** Arbitrary: more than a person reads, and some tens of KiB. */
const RECENT_CLOSES = 100

/** Keeps what nothing else has of it. */
export class ServerTally {
  #accepted = 0
  readonly #closedBy: Partial<Record<CloseKind, number>> = {}
  readonly #timedOutBy: Partial<Record<TimeoutPhase, number>> = {}
  #lossyCloses = 0
  #overlongLines = 0
  #bytesRead = 0
  #bytesWritten = 0
  readonly #recentCloses = new RecentCloses(RECENT_CLOSES)

  /** A connection was admitted. */
  admitted(): void {
    this.#accepted++
  }

  /** A line has passed the limit. */
  lineOverran(): void {
    this.#overlongLines++
  }

  /** A connection that was admitted has ended. */
  ended(connection: Connection, info: CloseInfo): void {
    this.#count(info)
    this.#recentCloses.add(connection, info)
  }

  /** One that was not. */
  refusedEnded(info: CloseInfo): void {
    this.#count(info)
  }

  #count(info: CloseInfo): void {
    const { kind, phase } = info.reason
    this.#closedBy[kind] = (this.#closedBy[kind] ?? 0) + 1
    if (phase !== undefined) this.#timedOutBy[phase] = (this.#timedOutBy[phase] ?? 0) + 1
    if (isLossy(info)) this.#lossyCloses++
    this.#bytesRead += info.bytesRead
    this.#bytesWritten += info.bytesWritten
  }

  /** All as it is now, with what others know: how many are open, and who was refused. */
  stats(open: number, refused: ServerStats['refused']): ServerStats {
    return {
      accepted: this.#accepted,
      open,
      refused,
      closedBy: { ...this.#closedBy },
      timedOutBy: { ...this.#timedOutBy },
      lossyCloses: this.#lossyCloses,
      overlongLines: this.#overlongLines,
      bytesRead: this.#bytesRead,
      bytesWritten: this.#bytesWritten,
      recentCloses: this.#recentCloses.records,
    }
  }
}
