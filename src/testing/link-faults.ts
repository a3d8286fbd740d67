/**
 * The faults that hold for one direction of one connection, and what they say: how long something waits, how large
 * a piece may be, when it ends. What they say is worked out anew at each question, from the faults as they are then.
 *
 * It moves no bytes and has no timers. Draws depend on the seed, the connection, the direction and the place in the
 * stream alone, so that the same bytes meet the same fate however they were cut on their way.
 */
import type { ActiveFault } from './active-fault.js'
import type { FaultKind, FaultOf, FaultWay } from './fault.js'
import { SeededRandom } from './seeded-random.js'

/** Under a bandwidth this much time's worth leaves at once: short enough to look even, long enough for a timer. */
const PIECE_MS = 20

/** Draws of a direction: what for. */
const JITTER = 0
const PIECES = 1

export interface LinkFaultsOptions {
  readonly seed: number
  /** The number of the connection. */
  readonly connection: number
  readonly way: FaultWay
  /** Whether a fault strikes this connection at all. */
  readonly strikes: (fault: ActiveFault) => boolean
  /** A fault has done something. */
  readonly applied: (fault: ActiveFault) => void
}

/** What waits to be passed on, as faults see it. */
export interface Waiting {
  readonly arrivedMs: number
  /** Where it stands in what its source has sent. */
  readonly offset: number
  /** From when on everything before it had passed; unknown before its first look. */
  headMs: number | undefined
  isDelayed: boolean
}

/** Since when a fault has held for this direction. */
interface Hold {
  readonly fault: ActiveFault
  readonly sinceMs: number
  readonly sinceBytes: number
  isApplied: boolean
  /** Of a slicer: where the piece under way began, counted in bytes that have passed, and how large it is. */
  pieceFrom: number
  pieceRoll: number
}

export class LinkFaults {
  readonly #options: LinkFaultsOptions
  readonly #way: number
  #holds: Hold[] = []
  #passedBytes = 0
  /** When the last piece left, for the gaps of a slicer. */
  #sentAtMs = -Infinity
  /** From when on a bandwidth reckons the last piece, and its size. */
  #pacedFromMs = -Infinity
  #pacedBytes = 0

  constructor(options: LinkFaultsOptions) {
    this.#options = options
    this.#way = options.way === 'toTarget' ? 0 : 1
  }

  /** The faults of the proxy are these now. */
  changed(faults: Iterable<ActiveFault>, now: number): void {
    const before = new Map(this.#holds.map((hold) => [hold.fault, hold]))
    this.#holds = []
    for (const fault of faults) {
      if (!fault.holds(this.#options.way) || !this.#options.strikes(fault)) continue
      this.#holds.push(before.get(fault) ?? this.#begin(fault, now))
    }
  }

  has(kind: FaultKind): boolean {
    return this.#holds.some(({ fault }) => fault.kind === kind)
  }

  /** A piece leaves; `pacedMs` is what `pacedUntil()` said. */
  leaves(bytes: number, now: number, pacedMs: number): void {
    this.#sentAtMs = now
    // What a timer was late is made up for, as far as one piece goes.
    this.#pacedFromMs = now - pacedMs <= PIECE_MS ? pacedMs : now
    this.#pacedBytes = bytes
  }

  /** A piece has left. */
  passed(bytes: number): void {
    this.#passedBytes += bytes
  }

  /** The size of the next piece of so many bytes that may leave now. */
  pieceSize(available: number): number {
    let size = available
    for (const { settings, hold } of this.#holding('slicer')) {
      const left = this.#leftOfPiece(hold, settings)
      if (left >= size) continue
      size = left
      this.#options.applied(hold.fault)
    }
    for (const { settings, hold } of this.#holding('bandwidth')) {
      size = Math.min(size, Math.max(1, Math.floor((settings.bytesPerSecond * PIECE_MS) / 1000)))
      this.#options.applied(hold.fault)
    }
    for (const { settings, hold } of this.#holding('reset')) {
      size = Math.min(size, afterBytesOf(settings) - this.#countSince(hold))
    }
    for (const { settings, hold } of this.#holding('data-limit')) {
      size = Math.min(size, settings.bytes - this.#countSince(hold))
    }
    return size
  }

  /** Until when latencies hold it, and, for the end of the input, a slow close. */
  dueAt(item: Waiting, isEnd: boolean, now: number): number {
    let dueMs = item.arrivedMs
    for (const { settings, hold } of this.#holding('latency')) {
      const { latencyMs, jitterMs = 0 } = settings
      const lateMs = Math.max(0, latencyMs + jitterMs * this.#jitterOf(hold.fault, item.offset))
      dueMs += lateMs
      if (lateMs > 0 && !item.isDelayed) this.#options.applied(hold.fault)
    }
    item.isDelayed ||= dueMs > item.arrivedMs
    if (!isEnd || now < dueMs) return dueMs
    // An end is slow from when all that was before it has passed.
    for (const { settings, hold } of this.#holding('slow-close')) {
      item.headMs ??= Math.max(now, this.pacedUntil())
      dueMs = Math.max(dueMs, item.headMs + settings.delayMs)
      this.#applyOnce(hold)
    }
    return dueMs
  }

  /** Until when bandwidths and slicers hold back what comes behind the last piece. */
  pacedUntil(): number {
    let untilMs = -Infinity
    for (const { settings } of this.#holding('bandwidth')) {
      const tookMs = (this.#pacedBytes * 1000) / settings.bytesPerSecond
      untilMs = Math.max(untilMs, this.#pacedFromMs + tookMs)
    }
    for (const { settings } of this.#holding('slicer')) {
      untilMs = Math.max(untilMs, this.#sentAtMs + (settings.gapMs ?? 0))
    }
    return untilMs
  }

  /** When a black hole ends the connection, Infinity for never; undefined where there is none. */
  holeEndsAt(): number | undefined {
    let endsMs: number | undefined
    for (const { settings, hold } of this.#holding('black-hole')) {
      this.#applyOnce(hold)
      endsMs = Math.min(endsMs ?? Infinity, hold.sinceMs + (settings.endAfterMs ?? Infinity))
    }
    return endsMs
  }

  /** Whether a data limit is reached; it counts as applied then. */
  reachesLimit(): boolean {
    const reached = this.#holding('data-limit').find(
      ({ settings, hold }) => this.#countSince(hold) >= settings.bytes,
    )
    if (reached !== undefined) this.#options.applied(reached.hold.fault)
    return reached !== undefined
  }

  /** The reset that is due by now. */
  dueReset(now: number): ActiveFault | undefined {
    return this.#holding('reset').find(
      ({ settings, hold }) =>
        this.#countSince(hold) >= afterBytesOf(settings) ||
        now >= hold.sinceMs + (settings.afterMs ?? Infinity),
    )?.hold.fault
  }

  /** When time alone makes a reset due; Infinity for never. */
  resetsAt(): number {
    const times = this.#holding('reset').map(
      ({ settings, hold }) => hold.sinceMs + (settings.afterMs ?? Infinity),
    )
    return Math.min(Infinity, ...times)
  }

  #begin(fault: ActiveFault, now: number): Hold {
    const sinceBytes = this.#passedBytes
    const pieceRoll = this.#draw(PIECES, fault, sinceBytes)
    return { fault, sinceMs: now, sinceBytes, isApplied: false, pieceFrom: sinceBytes, pieceRoll }
  }

  /** What is left of the piece under way; when it has passed, of the next. */
  #leftOfPiece(hold: Hold, { bytes, variation = 0 }: FaultOf<'slicer'>): number {
    for (;;) {
      const vary = Math.floor(hold.pieceRoll * (2 * variation + 1)) - variation
      const left = hold.pieceFrom + Math.max(1, bytes + vary) - this.#passedBytes
      if (left > 0) return left
      hold.pieceFrom = this.#passedBytes
      hold.pieceRoll = this.#draw(PIECES, hold.fault, this.#passedBytes)
    }
  }

  /** From -1 to 1. */
  #jitterOf(fault: ActiveFault, offset: number): number {
    return this.#draw(JITTER, fault, offset) * 2 - 1
  }

  /** At least 0 and below 1. */
  #draw(what: number, { id }: ActiveFault, offset: number): number {
    const { seed, connection } = this.#options
    return new SeededRandom(seed, connection, this.#way, what, id, offset).next()
  }

  #countSince({ sinceBytes }: Hold): number {
    return this.#passedBytes - sinceBytes
  }

  #holding<Kind extends FaultKind>(kind: Kind): { settings: FaultOf<Kind>; hold: Hold }[] {
    const found: { settings: FaultOf<Kind>; hold: Hold }[] = []
    for (const hold of this.#holds) {
      const { fault } = hold
      if (fault.kind === kind) found.push({ settings: fault.settings as FaultOf<Kind>, hold })
    }
    return found
  }

  #applyOnce(hold: Hold): void {
    if (hold.isApplied) return
    hold.isApplied = true
    this.#options.applied(hold.fault)
  }
}

function afterBytesOf({ afterBytes, afterMs }: FaultOf<'reset'>): number {
  return afterBytes ?? (afterMs === undefined ? 0 : Infinity)
}
