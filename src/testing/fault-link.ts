/**
 * One direction of one connection through a fault proxy: takes in what its source sends, keeps it as long as the
 * faults say, and gives it out, in order, to its destination.
 *
 *     source's reader → items (bytes, the end, a reset; each with its time of arrival) → destination's writer
 *
 * What an item waits for is worked out anew at each look, from the faults as they are then, so that a change holds
 * for what waits already. It listens to nothing itself: who owns it tells it of changes.
 *
 * Invariants: no more than `maxHeldBytes` are kept, and the source is read no further while they are; at most one
 * piece is with the writer; every byte taken in is given out, dropped and counted, or lost with its connection.
 */
import type { Clock } from '../concurrency/clock.js'
import type { CloseKind, Connection } from '../protocol/connection.js'
import type { ActiveFault } from './active-fault.js'
import { loopTurns } from './fake-clock.js'
import type { FaultKind, FaultOf, FaultWay } from './fault.js'
import type { SeededRandom } from './seeded-random.js'

/** What Node reads at once. */
const READ_BYTES = 64 * 1024
/** Under a bandwidth this much time's worth leaves at once: short enough to look even, long enough for a timer. */
const PIECE_MS = 20
/** What an item costs besides its bytes, so that many small ones are bounded too. Arbitrary, about right. */
const ITEM_BYTES = 64
/** The receiver gets so many turns to see the last bytes before a reset, which may overtake them. */
const TURNS_BEFORE_RESET = 2

const BROKEN_KINDS: ReadonlySet<CloseKind> = new Set(['reset', 'failed', 'timed-out'])

/** The connection's whole way through the proxy, as one direction of it sees it. */
export interface FaultLinkHost {
  readonly clock: Clock
  readonly maxHeldBytes: number
  /** Whether a fault strikes this connection at all. */
  strikes(fault: ActiveFault): boolean
  /** A fault has done something. */
  applied(kind: FaultKind, way: FaultWay): void
  passed(way: FaultWay, bytes: number): void
  dropped(way: FaultWay, bytes: number): void
  /** Resets both connections. */
  reset(): void
  /** Closes both cleanly. */
  close(): void
}

interface Item {
  readonly kind: 'data' | 'end' | 'reset'
  /** What is left of it. */
  bytes: Buffer
  readonly arrivedMs: number
  /** From -1 to 1: its share of the jitter. */
  readonly roll: number
  isDelayed: boolean
  /** When everything before it had passed; known at its first look. */
  headMs: number | undefined
}

/** Since when a fault has held for this link. */
interface Hold {
  readonly sinceMs: number
  readonly sinceBytes: number
  isApplied: boolean
}

export class FaultLink {
  readonly #way: FaultWay
  readonly #source: Connection
  readonly #destination: Connection
  readonly #host: FaultLinkHost
  readonly #jitter: SeededRandom
  readonly #sizes: SeededRandom
  readonly #holds = new Map<ActiveFault, Hold>()

  #items: Item[] = []
  #heldBytes = 0
  #isIntakeOver = false
  /** Whether a data limit has ended it: what still comes is thrown away. */
  #isLimited = false
  #isOver = false
  #passedBytes = 0
  /** When the last piece left, for the gaps of a slicer. */
  #sentAtMs = -Infinity
  /** From when on a bandwidth reckons the last piece, and its size. */
  #pacedFromMs = -Infinity
  #pacedBytes = 0
  #wakeOutlet: (() => void) | undefined
  #wakeIntake: (() => void) | undefined

  constructor(
    way: FaultWay,
    ends: { readonly source: Connection; readonly destination: Connection },
    host: FaultLinkHost,
    random: { readonly jitter: SeededRandom; readonly sizes: SeededRandom },
  ) {
    this.#way = way
    this.#source = ends.source
    this.#destination = ends.destination
    this.#host = host
    this.#jitter = random.jitter
    this.#sizes = random.sizes
  }

  /** Runs until all is passed, or the link is ended. Never rejects for what its connections come to. */
  async run(): Promise<void> {
    await Promise.all([this.#takeIn(), this.#giveOut()])
  }

  /** The faults of the proxy are these now. */
  faultsChanged(faults: Iterable<ActiveFault>): void {
    const before = new Map(this.#holds)
    this.#holds.clear()
    for (const fault of faults) {
      if (!fault.holds(this.#way) || !this.#host.strikes(fault)) continue
      const fresh = {
        sinceMs: this.#host.clock.now(),
        sinceBytes: this.#passedBytes,
        isApplied: false,
      }
      this.#holds.set(fault, before.get(fault) ?? fresh)
    }
    if (!this.#isOver && this.#resetIsDue) this.#resetBoth()
    this.#wakeOutlet?.()
  }

  /** Nothing more is to pass. */
  end(): void {
    this.#isOver = true
    this.#items = []
    this.#heldBytes = 0
    this.#wakeOutlet?.()
    this.#wakeIntake?.()
  }

  // ---- in

  async #takeIn(): Promise<void> {
    try {
      for (;;) {
        const room = this.#host.maxHeldBytes - this.#heldBytes
        if (this.#isOver) break
        if (room <= 0) {
          await new Promise<void>((resolve) => (this.#wakeIntake = resolve))
          continue
        }
        const bytes = await this.#source.reader.read(Math.min(room, READ_BYTES))
        if (bytes === null) break
        this.#keep('data', bytes)
      }
      this.#keep('end')
    } catch {
      // How the source ended, `closed` tells, also after an end of its input.
    }
    const { reason } = await this.#source.closed
    if (BROKEN_KINDS.has(reason.kind)) this.#keep('reset')
    this.#isIntakeOver = true
    this.#wakeOutlet?.()
  }

  #keep(kind: Item['kind'], bytes: Buffer = NO_BYTES): void {
    if (this.#isOver) return
    const roll = this.#jitter.next() * 2 - 1
    const arrivedMs = this.#host.clock.now()
    this.#items.push({ kind, bytes, arrivedMs, roll, isDelayed: false, headMs: undefined })
    this.#heldBytes += bytes.length + ITEM_BYTES
    this.#wakeOutlet?.()
  }

  #forget(item: Item): void {
    if (this.#items[0] !== item) return
    this.#items.shift()
    this.#heldBytes -= item.bytes.length + ITEM_BYTES
    this.#wakeIntake?.()
  }

  // ---- out

  async #giveOut(): Promise<void> {
    while (!this.#isOver) {
      const next = this.#step()
      if (typeof next === 'number') await this.#pauseUntil(next)
      else await next
    }
  }

  /** Does what can be done now; tells when to look again, or that it is under way. */
  #step(): number | Promise<void> {
    const now = this.#host.clock.now()
    const [item] = this.#items
    if (item === undefined && this.#isIntakeOver) return this.#finish()
    const holeEndsMs = this.#holeEndsAt()
    if (holeEndsMs !== undefined) {
      if (now < holeEndsMs) return holeEndsMs
      this.#host.close()
      return this.#finish()
    }
    if (!this.#isLimited && this.#limitIsReached) {
      this.#isLimited = true
      this.#host.applied('data-limit', this.#way)
      this.#sendEnd()
    }
    if (item === undefined) return Infinity
    if (this.#isLimited && item.kind !== 'reset') return this.#drop(item)
    const dueMs = this.#dueAt(item, now)
    if (now < dueMs) return dueMs
    if (item.kind === 'reset') {
      this.#destination.abort()
      return this.#finish()
    }
    const pacedMs = this.#pacedUntil()
    if (now < pacedMs) return pacedMs
    if (item.kind === 'data') return this.#pass(item, now, pacedMs)
    this.#sendEnd()
    this.#forget(item)
    return now
  }

  async #pass(item: Item, now: number, pacedMs: number): Promise<void> {
    const size = this.#pieceSize(item.bytes.length)
    const piece = item.bytes.subarray(0, size)
    try {
      this.#destination.writer.write(piece)
      this.#sentAtMs = now
      // What a timer was late is made up for, as far as one piece goes.
      this.#pacedFromMs = now - pacedMs <= PIECE_MS ? pacedMs : now
      this.#pacedBytes = size
      await this.#destination.writer.flush()
    } catch {
      // The destination is gone; the other direction tells the source how.
      this.#finish()
      return
    }
    if (this.#isOver) return
    this.#passedBytes += size
    this.#host.passed(this.#way, size)
    item.bytes = item.bytes.subarray(size)
    this.#heldBytes -= size
    if (item.bytes.length === 0) this.#forget(item)
    else this.#wakeIntake?.()
    if (this.#has('slicer')) await loopTurns(1)
    if (this.#resetIsDue) {
      await loopTurns(TURNS_BEFORE_RESET)
      if (!this.#isOver && this.#resetIsDue) this.#resetBoth()
    }
  }

  #pieceSize(available: number): number {
    let size = available
    for (const { settings } of this.#holding('slicer')) {
      const { bytes, variation = 0 } = settings
      const wanted = Math.max(1, bytes + this.#sizes.integer(-variation, variation))
      if (wanted >= size) continue
      size = wanted
      this.#host.applied('slicer', this.#way)
    }
    for (const { settings } of this.#holding('bandwidth')) {
      size = Math.min(size, Math.max(1, Math.floor((settings.bytesPerSecond * PIECE_MS) / 1000)))
      this.#host.applied('bandwidth', this.#way)
    }
    for (const { settings, hold } of this.#holding('reset')) {
      size = Math.min(size, (settings.afterBytes ?? 0) - this.#countSince(hold))
    }
    for (const { settings, hold } of this.#holding('data-limit')) {
      size = Math.min(size, settings.bytes - this.#countSince(hold))
    }
    return size
  }

  #dueAt(item: Item, now: number): number {
    let dueMs = item.arrivedMs
    for (const { settings } of this.#holding('latency')) {
      dueMs += Math.max(0, settings.latencyMs + item.roll * (settings.jitterMs ?? 0))
    }
    if (dueMs > item.arrivedMs && !item.isDelayed) {
      item.isDelayed = true
      this.#host.applied('latency', this.#way)
    }
    if (item.kind !== 'end' || now < dueMs) return dueMs
    // An end is slow from when all that was before it has passed.
    for (const { settings, hold } of this.#holding('slow-close')) {
      item.headMs ??= Math.max(now, this.#pacedUntil())
      dueMs = Math.max(dueMs, item.headMs + settings.delayMs)
      this.#applyOnce('slow-close', hold)
    }
    return dueMs
  }

  #pacedUntil(): number {
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
  #holeEndsAt(): number | undefined {
    let endsMs: number | undefined
    for (const { settings, hold } of this.#holding('black-hole')) {
      this.#applyOnce('black-hole', hold)
      endsMs = Math.min(endsMs ?? Infinity, hold.sinceMs + (settings.endAfterMs ?? Infinity))
    }
    return endsMs
  }

  get #limitIsReached(): boolean {
    return this.#holding('data-limit').some(
      ({ settings, hold }) => this.#countSince(hold) >= settings.bytes,
    )
  }

  get #resetIsDue(): boolean {
    return this.#holding('reset').some(
      ({ settings, hold }) => this.#countSince(hold) >= (settings.afterBytes ?? 0),
    )
  }

  #countSince({ sinceBytes }: Hold): number {
    return this.#passedBytes - sinceBytes
  }

  #resetBoth(): void {
    this.#host.applied('reset', this.#way)
    this.#finish()
    this.#host.reset()
  }

  #drop(item: Item): number {
    this.#host.dropped(this.#way, item.bytes.length)
    this.#forget(item)
    return 0
  }

  #sendEnd(): void {
    const { writer } = this.#destination
    if (!writer.isClosing) writer.writeEof()
  }

  #finish(): number {
    this.end()
    return 0
  }

  // ---- parts

  #has(kind: FaultKind): boolean {
    return this.#holding(kind).length > 0
  }

  #holding<Kind extends FaultKind>(kind: Kind): { settings: FaultOf<Kind>; hold: Hold }[] {
    const found: { settings: FaultOf<Kind>; hold: Hold }[] = []
    for (const [fault, hold] of this.#holds) {
      if (fault.kind === kind) found.push({ settings: fault.settings as FaultOf<Kind>, hold })
    }
    return found
  }

  #applyOnce(kind: FaultKind, hold: Hold): void {
    if (hold.isApplied) return
    hold.isApplied = true
    this.#host.applied(kind, this.#way)
  }

  /** Until that moment, or until something has changed. */
  async #pauseUntil(untilMs: number): Promise<void> {
    const { clock } = this.#host
    const delayMs = untilMs - clock.now()
    if (delayMs <= 0) return
    let timer: unknown
    await new Promise<void>((resolve) => {
      this.#wakeOutlet = resolve
      if (delayMs !== Infinity) timer = clock.setTimeout(resolve, delayMs)
    })
    this.#wakeOutlet = undefined
    clock.clearTimeout(timer)
  }
}

const NO_BYTES = Buffer.alloc(0)
