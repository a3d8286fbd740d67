/**
 * The latest ends of connections, for a look at what has just happened: a fixed number of small records, the oldest
 * making room. It holds no connection, no error and no socket, so that nothing lives longer for being told of here.
 *
 * Invariant: at most `size` records, in the order of the ends.
 */
import { inspect } from 'node:util'
import { StandpipeError } from '../errors.js'
import { describeAddress } from '../protocol/address.js'
import type { CloseInfo, CloseReason } from '../protocol/close-info.js'
import type { Connection } from '../protocol/connection.js'

/** How one connection ended. */
export interface CloseRecord {
  /** The `id` of the Connection, and the `conn` of its log records. */
  readonly id: number
  /** `127.0.0.1:8888`, `[::1]:8888`, `unix:/run/x.sock`, or `an unknown address`. */
  readonly peer: string
  readonly reason: CloseReason
  /** The code of the error behind it, or the error's name where it has no code of the kit; '' without an error. */
  readonly code: string
  /** The message of that error; '' without one. */
  readonly message: string
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly durationMs: number
  /** When it ended, as `Date.now()` says. */
  readonly closedAt: number
}

/** What a record keeps of a message: a program may throw errors of any length. */
const MAX_MESSAGE_LENGTH = 300

export class RecentCloses {
  readonly #size: number
  readonly #records: CloseRecord[] = []
  /** Where the next record goes: the oldest one, once all places are taken. */
  #next = 0

  constructor(size: number) {
    this.#size = size
  }

  /** Those that are kept, the oldest first. */
  get records(): CloseRecord[] {
    return [...this.#records.slice(this.#next), ...this.#records.slice(0, this.#next)]
  }

  add({ id, remote }: Connection, info: CloseInfo): void {
    const { reason, error, bytesRead, bytesWritten, durationMs } = info
    const peer = describeAddress(remote)
    const closedAt = Date.now()
    const counts = { bytesRead, bytesWritten, durationMs, closedAt }
    this.#records[this.#next] = { id, peer, reason, ...wordsOf(error), ...counts }
    this.#next = (this.#next + 1) % this.#size
  }
}

function wordsOf(error: unknown): Pick<CloseRecord, 'code' | 'message'> {
  if (error === undefined) return { code: '', message: '' }
  if (!(error instanceof Error))
    return { code: typeof error, message: shortened(inspect(error, { depth: 0 })) }
  // What types call text may be anything: these are errors of programs.
  const code: unknown = error instanceof StandpipeError ? error.code : error.name
  return { code: String(code), message: shortened(error.message) }
}

function shortened(message: unknown): string {
  return String(message).slice(0, MAX_MESSAGE_LENGTH)
}
