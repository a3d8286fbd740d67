/**
 * One direction of one connection through a fault proxy: takes in what its source sends, keeps it as long as the
 * faults say, and gives it out, in order, to its destination.
 *
 *     source's reader → items (bytes, the end, a reset; each with its time of arrival) → destination's writer
 *
 * What an item waits for it asks the faults anew at each look, so that a change holds for what waits already. It
 * listens to nothing itself: who owns it tells it of changes.
 *
 * Invariants: no more than `maxHeldBytes` are kept, and the source is read no further while they are; at most one
 * piece is with the writer; every byte taken in is given out, dropped and counted, or lost with its connection.
 */
import { setAlarm } from '../concurrency/alarm.js'
import type { Clock } from '../concurrency/clock.js'
import { isBroken } from '../protocol/close-info.js'
import type { Connection } from '../protocol/connection.js'
import type { ActiveFault } from './active-fault.js'
import { loopTurns } from './fake-clock.js'
import type { FaultWay } from './fault.js'
import { LinkFaults, type Waiting } from './link-faults.js'

/** What Node reads at once. */
const READ_BYTES = 64 * 1024
/** What an item costs besides its bytes, so that many small ones are bounded too. Arbitrary, about right. */
const ITEM_BYTES = 64
/** The receiver gets so many turns to see the last bytes before a reset, which may overtake them. */
const TURNS_BEFORE_RESET = 2

/** The connection's whole way through the proxy, as one direction of it sees it. */
export interface FaultLinkHost {
  readonly clock: Clock
  readonly seed: number
  /** The number of the connection. */
  readonly number: number
  readonly maxHeldBytes: number
  /** Whether a fault strikes this connection at all. */
  strikes(fault: ActiveFault): boolean
  /** A fault has done something. */
  applied(fault: ActiveFault, way: FaultWay): void
  /** So many bytes more are kept, or fewer. */
  held(way: FaultWay, bytes: number): void
  passed(way: FaultWay, bytes: number): void
  dropped(way: FaultWay, bytes: number): void
  /** Resets both connections. */
  reset(): void
  /** Closes both cleanly. */
  close(): void
}

interface Item extends Waiting {
  readonly kind: 'data' | 'end' | 'reset'
  /** What is left of it. */
  bytes: Buffer
}

const NOTHING = (): void => {}

export class FaultLink {
  readonly #way: FaultWay
  readonly #source: Connection
  readonly #destination: Connection
  readonly #host: FaultLinkHost
  readonly #faults: LinkFaults

  #items: Item[] = []
  #heldBytes = 0
  /** All that the source has sent so far. */
  #receivedBytes = 0
  #isIntakeOver = false
  /** Whether a data limit has ended it: what still comes is thrown away. */
  #isLimited = false
  #isOver = false
  #wakeOutlet: (() => void) | undefined
  #wakeIntake: (() => void) | undefined
  /** Calls off what is to strike at its time, also while a piece is stuck. */
  #stopAlarm = NOTHING

  constructor(
    way: FaultWay,
    ends: { readonly source: Connection; readonly destination: Connection },
    host: FaultLinkHost,
  ) {
    this.#way = way
    this.#source = ends.source
    this.#destination = ends.destination
    this.#host = host
    this.#faults = new LinkFaults({
      seed: host.seed,
      connection: host.number,
      way,
      strikes: (fault) => host.strikes(fault),
      applied: (fault) => {
        host.applied(fault, way)
      },
    })
  }

  /** Runs until all is passed, or the link is ended. Never rejects for what its connections come to. */
  async run(): Promise<void> {
    await Promise.all([this.#takeIn(), this.#giveOut()])
  }

  /** The faults of the proxy are these now. */
  faultsChanged(faults: Iterable<ActiveFault>): void {
    this.#faults.changed(faults, this.#host.clock.now())
    this.#strikeInTime()
    this.#wakeOutlet?.()
  }

  /** Nothing more is to pass. */
  end(): void {
    this.#isOver = true
    this.#stopAlarm()
    this.#items = []
    this.#hold(-this.#heldBytes)
    this.#wakeOutlet?.()
    this.#wakeIntake?.()
  }

  // ---- in

  async #takeIn(): Promise<void> {
    try {
      for (;;) {
        if (this.#room <= 0) await this.#enoughRoom()
        if (this.#isOver) break
        const bytes = await this.#source.reader.read(Math.min(this.#room, READ_BYTES))
        if (bytes === null) break
        this.#keep('data', bytes)
      }
      this.#keep('end')
    } catch {
      // How the source ended, `closed` tells, also after an end of its input.
    }
    const { reason } = await this.#source.closed
    if (isBroken(reason)) this.#keep('reset')
    this.#isIntakeOver = true
    this.#wakeOutlet?.()
  }

  get #room(): number {
    return this.#host.maxHeldBytes - this.#heldBytes - this.#items.length * ITEM_BYTES
  }

  /** Once full it takes in nothing before there is room for a good piece: what leaves in bits would come in in bits. */
  async #enoughRoom(): Promise<void> {
    const enough = Math.max(1, Math.min(READ_BYTES, Math.floor(this.#host.maxHeldBytes / 2)))
    while (!this.#isOver && this.#room < enough && this.#items.length > 0) {
      await new Promise<void>((resolve) => (this.#wakeIntake = resolve))
    }
  }

  #keep(kind: Item['kind'], bytes: Buffer = NO_BYTES): void {
    if (this.#isOver) return
    const arrivedMs = this.#host.clock.now()
    const offset = this.#receivedBytes
    this.#receivedBytes += bytes.length
    this.#items.push({ kind, bytes, arrivedMs, offset, isDelayed: false, headMs: undefined })
    this.#hold(bytes.length)
    this.#wakeOutlet?.()
  }

  #forget(item: Item): void {
    this.#items.shift()
    this.#hold(-item.bytes.length)
    this.#wakeIntake?.()
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes
    this.#host.held(this.#way, bytes)
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
    // Its end, if it has one, comes by the alarm.
    if (this.#faults.holeEndsAt() !== undefined) return Infinity
    if (!this.#isLimited && this.#faults.reachesLimit()) {
      this.#isLimited = true
      this.#sendEnd()
    }
    if (item === undefined) return Infinity
    if (this.#isLimited && item.kind !== 'reset') return this.#drop(item)
    const dueMs = this.#faults.dueAt(item, item.kind === 'end', now)
    if (now < dueMs) return dueMs
    if (item.kind === 'reset') {
      this.#destination.abort()
      return this.#finish()
    }
    const pacedMs = this.#faults.pacedUntil()
    if (now < pacedMs) return pacedMs
    if (item.kind === 'data') return this.#pass(item, now, pacedMs)
    this.#sendEnd()
    this.#forget(item)
    return now
  }

  async #pass(item: Item, now: number, pacedMs: number): Promise<void> {
    const faults = this.#faults
    const size = faults.pieceSize(item.bytes.length)
    try {
      this.#destination.writer.write(item.bytes.subarray(0, size))
      faults.leaves(size, now, pacedMs)
      await this.#destination.writer.flush()
    } catch {
      // The destination is gone; the other direction tells the source how.
      this.#finish()
      return
    }
    if (this.#isOver) return
    faults.passed(size)
    this.#host.passed(this.#way, size)
    item.bytes = item.bytes.subarray(size)
    this.#hold(-size)
    if (item.bytes.length === 0) this.#forget(item)
    else this.#wakeIntake?.()
    if (faults.has('slicer')) await loopTurns(1)
    if (faults.dueReset(now) !== undefined) {
      await loopTurns(TURNS_BEFORE_RESET)
      this.#strikeInTime()
    }
  }

  /** Resets or ends the connection if that is due, and otherwise when it will be. */
  #strikeInTime(): void {
    this.#stopAlarm()
    if (this.#isOver) return
    const { clock } = this.#host
    const now = clock.now()
    const reset = this.#faults.dueReset(now)
    if (reset !== undefined) {
      this.#host.applied(reset, this.#way)
      this.#finish()
      this.#host.reset()
      return
    }
    const holeEndsMs = this.#faults.holeEndsAt() ?? Infinity
    if (now >= holeEndsMs) {
      this.#finish()
      this.#host.close()
      return
    }
    const strikeMs = Math.min(this.#faults.resetsAt(), holeEndsMs)
    this.#stopAlarm = setAlarm(() => this.#strikeInTime(), strikeMs - now, clock)
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

  /** Until that moment, or until something has changed. */
  async #pauseUntil(untilMs: number): Promise<void> {
    const { clock } = this.#host
    const delayMs = untilMs - clock.now()
    if (delayMs <= 0) return
    let stopAlarm = NOTHING
    await new Promise<void>((resolve) => {
      this.#wakeOutlet = resolve
      stopAlarm = setAlarm(resolve, delayMs, clock)
    })
    this.#wakeOutlet = undefined
    stopAlarm()
  }
}

const NO_BYTES = Buffer.alloc(0)
