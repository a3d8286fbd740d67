/**
 * Tells of refused connections in at most one line a second, however many there are: the first at once, those
 * that follow with their count. A flood must not become a flood of the log.
 */
import type { Logger } from '../logger.js'
import { describeAddress, type Address } from '../protocol/address.js'
import type { Clock } from '../concurrency/clock.js'
import type { RefusalReason } from './admission.js'

const WINDOW_MS = 1000

/** Those that the operator has asked for by a list are no news; those for want of room are. */
const IS_EXPECTED: ReadonlySet<RefusalReason> = new Set<RefusalReason>(['denied', 'not-allowed'])

export class RefusalLog {
  readonly #clock: Clock
  readonly #log: Logger
  #untold: Partial<Record<RefusalReason, number>> = {}
  /** Runs while a line was written less than a window ago. */
  #window: unknown

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock
    this.#log = log
  }

  /** One was refused. */
  note(reason: RefusalReason, remote: Address | undefined): void {
    if (this.#window !== undefined) {
      this.#untold[reason] = (this.#untold[reason] ?? 0) + 1
      return
    }
    const level = IS_EXPECTED.has(reason) ? 'debug' : 'warn'
    this.#log[level]({ reason }, `refused a connection from ${describeAddress(remote)}: ${reason}`)
    this.#openWindow()
  }

  /** Tells what is untold; no timer runs afterwards. */
  close(): void {
    this.#clock.clearTimeout(this.#window)
    this.#window = undefined
    this.#tell()
  }

  #openWindow(): void {
    this.#window = this.#clock.setTimeout(() => {
      this.#window = undefined
      if (this.#tell()) this.#openWindow()
    }, WINDOW_MS)
  }

  #tell(): boolean {
    const refused = this.#untold
    const counts = Object.entries(refused) as [RefusalReason, number][]
    if (counts.length === 0) return false
    this.#untold = {}
    const total = counts.reduce((sum, [, count]) => sum + count, 0)
    const level = counts.every(([reason]) => IS_EXPECTED.has(reason)) ? 'debug' : 'warn'
    const reasons = counts.map(([reason, count]) => `${reason} ${count}`).join(', ')
    this.#log[level]({ refused }, `refused ${total} more: ${reasons}`)
    return true
  }
}
