/**
 * Every deadline of one connection, kept by at most one timer.
 *
 * The reader, the writer and the connection tell facts (a read waits, bytes came, a slice is stuck); from
 * those the next moment at which something would be overdue is worked out. The timer is moved only when that
 * moment comes nearer; a timer that fires too early finds out and is set again. So a busy connection stores a
 * number here and there, and touches no timer.
 *
 * Deadlines are absolute: bytes that drip in do not extend the one for a message. Before a verdict one loop
 * turn goes by, so that a stalled loop first reads what the kernel has had all along.
 */
import type { Clock } from '../concurrency/clock.js'

/** How long a connection may take over what, in milliseconds; `Infinity` switches a guard off. */
export interface DeadlineOptions {
  /** For the first byte of the peer while a read waits. */
  firstByteMs?: number | undefined
  /** For a line, header or frame that has begun, from its first byte, while a read waits for the rest. */
  messageMs?: number | undefined
  /** Without a byte either way while a read waits. */
  idleMs?: number | undefined
  /** For the kernel to take anything of a slice that is written. */
  writeStallMs?: number | undefined
  /** For the peer to end its half after we have ended ours with `writeEof()`. */
  halfClosedMs?: number | undefined
}

/** Every deadline, resolved. */
export interface DeadlineLimits {
  readonly firstByteMs: number
  readonly messageMs: number
  readonly idleMs: number
  readonly writeStallMs: number
  readonly halfClosedMs: number
  /** While a read waits and nothing of its message has come, after the first; for protocols that say so. */
  readonly betweenMs?: number
}

/** The guards of a connection that was accepted. */
export const SERVER_DEADLINES: DeadlineLimits = Object.freeze({
  firstByteMs: 300_000,
  messageMs: 30_000,
  idleMs: 300_000,
  writeStallMs: 60_000,
  halfClosedMs: 10_000,
})

/** The guards of a connection that we opened: all off. */
export const CLIENT_DEADLINES: DeadlineLimits = Object.freeze({
  firstByteMs: Infinity,
  messageMs: Infinity,
  idleMs: Infinity,
  writeStallMs: Infinity,
  halfClosedMs: Infinity,
})

/** A frame or a piece of known length gets a second more for each 16 KiB of it that has come. */
const FRAME_BYTES_PER_MS = (16 * 1024) / 1000

/** After our FIN the peer's late bytes are thrown away until it is silent for this long … */
export const LINGER_SILENCE_MS = 2_000
/** … or this long has passed in all. */
export const LINGER_TOTAL_MS = 10_000

/**
 * Fills the gaps of `options` from `defaults`.
 * @throws RangeError when a value is not a number above 0.
 */
export function resolveDeadlines(
  options: DeadlineOptions | undefined,
  defaults: DeadlineLimits,
): DeadlineLimits {
  if (options === undefined) return defaults
  if (RESOLVED.has(options)) return options as DeadlineLimits
  const limits = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof DeadlineOptions)[]) {
    const value = options[name]
    if (value === undefined) continue
    if (!(value > 0)) {
      throw new RangeError(
        `deadlines.${name} must be a number of milliseconds above 0 (Infinity switches it off), not ${value}`,
      )
    }
    limits[name] = value
  }
  RESOLVED.add(limits)
  return limits
}

/** Limits that need no resolving again: a server shares one object among its connections. */
const RESOLVED = new WeakSet<object>([SERVER_DEADLINES, CLIENT_DEADLINES])

/**
 * The kernel's keep-alive probes are switched on at this age. They cost four system calls, a tenth of the life of
 * a connection that comes for one line; and the first of them is due after a minute of silence.
 */
const PROBES_FROM_AGE_MS = 5_000

/**
 * What a deadline was for. The last five are not guards: they end a linger, or one call, or tell that the
 * connection has lived long enough for keep-alive probes.
 */
export type DeadlinePhase =
  | 'first-byte'
  | 'message'
  | 'idle'
  | 'write'
  | 'half-closed'
  | 'linger'
  | 'read-call'
  | 'write-call'
  | 'probes'

/** Who is told that a deadline has passed. */
export interface DeadlineOwner {
  deadlinePassed(phase: DeadlinePhase, afterMs: number): void
}

/** What a waiting read has in hand: nothing begun, a message of unknown length, or a piece whose length grows its time. */
export type Begun = 'nothing' | 'message' | 'frame'

const NEVER = Infinity

interface Due {
  readonly due: number
  readonly afterMs: number
}

interface RareFacts {
  /** The end of a waiting read that has a `timeoutMs`. */
  readCall: Due | undefined
  /** The soonest end of a drain or flush that has one. */
  writeCall: Due | undefined
  /** Our half has ended, the peer's has not. */
  halfClosed: Due | undefined
  /** Late input is being thrown away, since when, and when the last of it came. */
  linger: { readonly since: number; progressAt: number } | undefined
}

export class Deadlines {
  #limits: DeadlineLimits
  readonly #clock: Clock
  readonly #owner: DeadlineOwner

  #timer: unknown
  /** When the timer fires; NEVER when there is none. */
  #armedFor = NEVER
  #verdictPending = false
  #stopped = false

  /** Since when a read waits; NEVER when none does. */
  #readSince = NEVER
  #anyByteCame = false
  /** When the last byte went either way during the wait. */
  #progressAt = 0
  /** Since when a begun message is waited for; NEVER when none is. */
  #messageSince = NEVER
  /** How long earlier waits for the same message took. */
  #messageSpentMs = 0
  /** What the bytes of a frame have earned it. */
  #messageBonusMs = 0

  #stalledSince = NEVER
  /** When keep-alive probes are to be switched on; NEVER when they are, or cannot be. */
  #probesDue = NEVER
  /** What few connections need: an idle one has none of it. */
  #rare: RareFacts | undefined

  constructor(limits: DeadlineLimits, clock: Clock, owner: DeadlineOwner) {
    this.#limits = limits
    this.#clock = clock
    this.#owner = owner
  }

  /** Other limits hold from the next wait on: a protocol whose messages have parts that are timed by themselves. */
  set limits(limits: DeadlineLimits) {
    this.#limits = limits
  }

  /** The clock that the deadlines are kept by. */
  get clock(): Clock {
    return this.#clock
  }

  /** The transport can send keep-alive probes: the owner is told when it is time to. */
  expectProbes(): void {
    this.#probesDue = this.#clock.now() + PROBES_FROM_AGE_MS
    this.#expect(this.#probesDue)
  }

  /** A read begins to wait, with `bytes` of its message in the buffer; the call itself may be bounded too. */
  readWaits(begun: Begun, bytes: number, callMs?: number): void {
    const now = this.#clock.now()
    this.#readSince = now
    this.#progressAt = now
    const { firstByteMs, idleMs, betweenMs = NEVER } = this.#limits
    this.#expect(now + (this.#anyByteCame ? Math.min(idleMs, betweenMs) : firstByteMs))
    if (begun !== 'nothing') this.#messageGrows(begun, bytes, now)
    if (callMs !== undefined) {
      this.#facts().readCall = { due: now + callMs, afterMs: callMs }
      this.#expect(now + callMs)
    }
  }

  /** Bytes came while no read waited. */
  bytesCame(): void {
    this.#anyByteCame = true
  }

  /** The next read waits for another message than the one that gave up. */
  newMessage(): void {
    this.#messageSpentMs = 0
  }

  /** Bytes came and the read still waits. */
  readProgresses(begun: Begun, bytes: number): void {
    const now = this.#clock.now()
    this.#anyByteCame = true
    this.#progressAt = now
    if (begun !== 'nothing') this.#messageGrows(begun, bytes, now)
  }

  /** The read is over. `consumed` is false when it took nothing (an abort): its message goes on counting in the next. */
  readEnds(consumed: boolean): void {
    if (consumed) {
      this.#anyByteCame = true
      this.#messageSpentMs = 0
    } else if (this.#messageSince !== NEVER) {
      this.#messageSpentMs += this.#clock.now() - this.#messageSince
    }
    this.#readSince = NEVER
    this.#messageSince = NEVER
    this.#messageBonusMs = 0
    if (this.#rare !== undefined) this.#rare.readCall = undefined
  }

  #messageGrows(begun: Begun, bytes: number, now: number): void {
    this.#messageBonusMs = begun === 'frame' ? bytes / FRAME_BYTES_PER_MS : 0
    if (this.#messageSince !== NEVER) return
    this.#messageSince = now
    this.#expect(this.#messageDue())
  }

  #messageDue(): number {
    return this.#messageSince + this.#limits.messageMs - this.#messageSpentMs + this.#messageBonusMs
  }

  /** Bytes were handed to the kernel. */
  writeProgresses(): void {
    if (this.#readSince !== NEVER) this.#progressAt = this.#clock.now()
    if (this.#stalledSince !== NEVER) this.#stalledSince = this.#clock.now()
  }

  /** The kernel did not take a slice at once. */
  writeStalls(): void {
    this.#stalledSince = this.#clock.now()
    this.#expect(this.#stalledSince + this.#limits.writeStallMs)
  }

  /** Nothing that was written is stuck any more. */
  writeFlows(): void {
    this.#stalledSince = NEVER
  }

  /** The soonest end of a drain or flush that has a `timeoutMs`; NEVER (Infinity) when none has. */
  writeCallDueAt(due: number, afterMs: number): void {
    if (due === NEVER && this.#rare === undefined) return
    this.#facts().writeCall = due === NEVER ? undefined : { due, afterMs }
    this.#expect(due)
  }

  /** Our half has ended, the peer's has not. */
  halfCloses(): void {
    const { halfClosedMs } = this.#limits
    const due = this.#clock.now() + halfClosedMs
    this.#facts().halfClosed = { due, afterMs: halfClosedMs }
    this.#expect(due)
  }

  /** Our FIN is out and late input is being thrown away: from here on only the linger counts. */
  lingers(): void {
    const now = this.#clock.now()
    this.#readSince = NEVER
    this.#messageSince = NEVER
    const facts = this.#facts()
    facts.halfClosed = undefined
    facts.linger = { since: now, progressAt: now }
    this.#expect(now + LINGER_SILENCE_MS)
  }

  /** Late input came during the linger. */
  lingerProgresses(): void {
    const linger = this.#rare?.linger
    if (linger !== undefined) linger.progressAt = this.#clock.now()
  }

  /** The connection is gone: no deadline passes any more. */
  stop(): void {
    this.#stopped = true
    this.disarm()
  }

  /**
   * Nothing is waited for just now: takes the timer away, which would keep the process alive for nothing. A connection
   * leaves it set, since most waits of a busy one end before it fires, and setting one costs more than a short line.
   */
  disarm(): void {
    if (this.#armedFor !== NEVER) this.#clock.clearTimeout(this.#timer)
    this.#armedFor = NEVER
    this.#timer = undefined
  }

  #facts(): RareFacts {
    this.#rare ??= {
      readCall: undefined,
      writeCall: undefined,
      halfClosed: undefined,
      linger: undefined,
    }
    return this.#rare
  }

  #expect(due: number): void {
    if (due >= this.#armedFor || due === NEVER || this.#stopped) return
    if (this.#armedFor !== NEVER) this.#clock.clearTimeout(this.#timer)
    this.#armedFor = due
    const delayMs = Math.max(1, Math.ceil(due - this.#clock.now()))
    this.#timer = this.#clock.setTimeout(() => {
      this.#timerFired()
    }, delayMs)
  }

  #timerFired(): void {
    this.#armedFor = NEVER
    this.#timer = undefined
    const soonest = this.#soonest()
    if (soonest.due > this.#clock.now()) {
      this.#expect(soonest.due)
      return
    }
    if (this.#verdictPending) return
    this.#verdictPending = true
    setImmediate(() => {
      this.#verdictPending = false
      this.#passVerdict()
    })
  }

  #passVerdict(): void {
    if (this.#stopped) return
    const soonest = this.#soonest()
    if (soonest.due > this.#clock.now()) {
      this.#expect(soonest.due)
      return
    }
    if (soonest.phase === 'read-call') this.#facts().readCall = undefined
    if (soonest.phase === 'write-call') this.#facts().writeCall = undefined
    if (soonest.phase === 'probes') this.#probesDue = NEVER
    this.#owner.deadlinePassed(soonest.phase, soonest.afterMs)
    if (!this.#stopped) this.#expect(this.#soonest().due)
  }

  #soonest(): { phase: DeadlinePhase; due: number; afterMs: number } {
    const limits = this.#limits
    let phase: DeadlinePhase = 'idle'
    let due = NEVER
    let afterMs = 0
    const consider = (candidate: DeadlinePhase, at: number, ms: number): void => {
      if (at < due) {
        phase = candidate
        due = at
        afterMs = ms
      }
    }
    if (this.#readSince !== NEVER) {
      if (this.#messageSince !== NEVER) {
        consider('message', this.#messageDue(), limits.messageMs + this.#messageBonusMs)
      }
      if (this.#anyByteCame) {
        const { idleMs, betweenMs = NEVER } = limits
        const ms = this.#messageSince === NEVER ? Math.min(idleMs, betweenMs) : idleMs
        consider('idle', this.#progressAt + ms, ms)
      } else consider('first-byte', this.#progressAt + limits.firstByteMs, limits.firstByteMs)
    }
    if (this.#stalledSince !== NEVER) {
      consider('write', this.#stalledSince + limits.writeStallMs, limits.writeStallMs)
    }
    if (this.#rare !== undefined) {
      const { readCall, writeCall, halfClosed, linger } = this.#rare
      if (readCall !== undefined) consider('read-call', readCall.due, readCall.afterMs)
      if (writeCall !== undefined) consider('write-call', writeCall.due, writeCall.afterMs)
      if (halfClosed !== undefined) consider('half-closed', halfClosed.due, halfClosed.afterMs)
      if (linger !== undefined) {
        const silence = linger.progressAt + LINGER_SILENCE_MS
        consider('linger', Math.min(silence, linger.since + LINGER_TOTAL_MS), LINGER_SILENCE_MS)
      }
    }
    // Last: of what is due at the same moment a deadline comes first.
    if (this.#probesDue !== NEVER) consider('probes', this.#probesDue, PROBES_FROM_AGE_MS)
    return { phase, due, afterMs }
  }
}
