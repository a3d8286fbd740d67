/**
 * How well the event loop gets round: how late its timers are, how much of the time it works, and which turns were so
 * long that everyone else had to wait (what asyncio's debug mode says by `slow_callback_duration`).
 *
 * It belongs to the loop of the thread that it is made in, and neither keeps the process alive nor speeds the loop up.
 * What the loop was busy with it knows only when it is to `locate` that.
 *
 * Invariant: all figures are of the time between `start()`, or the last `reset()`, and now or `stop()`.
 */
import {
  monitorEventLoopDelay,
  performance,
  type EventLoopUtilization,
  type IntervalHistogram,
} from 'node:perf_hooks'
import { resolveLogger, type Logger } from '../logger.js'
import { BusyPlace } from './busy-place.js'
import { durationText } from './duration-text.js'
import { Histogram } from './histogram.js'
import { TurnWatch } from './turn-watch.js'

/** How durations of the loop are spread, in milliseconds. All are 0 when there was none. */
export interface LoopDurations {
  readonly count: number
  readonly minMs: number
  readonly meanMs: number
  readonly maxMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

/** What a {@link LoopMonitor} has seen. */
export interface LoopSnapshot {
  /** How long it has watched, in milliseconds. */
  readonly elapsedMs: number
  /** For how much of the time the loop did not wait, 0 to 1. Near 1 the thread has no time left. */
  readonly utilization: number
  readonly activeMs: number
  readonly idleMs: number
  /** How late timers were, from a native timer each `resolutionMs`, which is taken off. */
  readonly delay: LoopDurations
  /** How long turns were busy. Percentiles are at most 3.1 % too high. */
  readonly turns: LoopDurations
  /** How many turns were slow. */
  readonly slowTurns: number
}

/** A turn that blocked the loop. */
export interface SlowTurnEvent {
  /** How long everyone else had to wait, in milliseconds. */
  readonly busyMs: number
  /** What was allowed. */
  readonly slowTurnMs: number
  /**
   * The function that it was busy in for most of the time, `parse (file:///app/main.js:7)`; undefined without `locate`,
   * or where the samples do not tell.
   */
  readonly place?: string | undefined
}

/** How a {@link LoopMonitor} watches. */
export interface LoopMonitorOptions {
  /** A turn that is busy for longer is warned of; Infinity switches that off. @default 100 */
  slowTurnMs?: number | undefined
  /**
   * Whether slow turns are told of with the function that they were busy in. V8's sampling profiler runs along for
   * that: it costs about 10 ms for each slow turn, and once a minute. @default false
   */
  locate?: boolean | undefined
  /** The time between two looks at the lateness of timers, 1 ms or more, whole. @default 10 */
  resolutionMs?: number | undefined
  /** Called after each slow turn. What it throws is logged. */
  onSlowTurn?: ((event: SlowTurnEvent) => void) | undefined
  /** Warnings go to stderr unless it is given; false silences them. */
  logger?: Logger | false | undefined
}

/** asyncio's default. */
const DEFAULT_SLOW_TURN_MS = 100
/** Node's default. */
const DEFAULT_RESOLUTION_MS = 10
const NS_PER_MS = 1e6
const NONE: LoopDurations = {
  count: 0,
  minMs: 0,
  meanMs: 0,
  maxMs: 0,
  p50Ms: 0,
  p95Ms: 0,
  p99Ms: 0,
}

/**
 * Watches the event loop of this thread.
 *
 * ```ts
 * using monitor = new LoopMonitor({ slowTurnMs: 50 }).start()
 * await work()
 * const { utilization, delay } = monitor.snapshot()
 * ```
 */
export class LoopMonitor {
  readonly #slowTurnMs: number
  readonly #resolutionMs: number
  readonly #onSlowTurn: ((event: SlowTurnEvent) => void) | undefined
  readonly #log: Logger
  readonly #delays: IntervalHistogram
  readonly #turns = new Histogram()
  readonly #watch = new TurnWatch({ onTurn: (busyMs) => this.#noteTurn(busyMs) })
  readonly #busyPlace: BusyPlace | undefined
  #slowTurns = 0
  #begin: EventLoopUtilization | undefined
  #beginMs = 0
  /** The figures at the stop; undefined while it runs. */
  #final: LoopSnapshot | undefined

  /** @throws RangeError when an option has no meaning */
  constructor({
    slowTurnMs = DEFAULT_SLOW_TURN_MS,
    resolutionMs = DEFAULT_RESOLUTION_MS,
    onSlowTurn,
    locate = false,
    logger,
  }: LoopMonitorOptions = {}) {
    if (!(slowTurnMs > 0)) {
      throw new RangeError(`slowTurnMs must be a number of milliseconds above 0, not ${slowTurnMs}`)
    }
    if (!Number.isSafeInteger(resolutionMs) || resolutionMs < 1) {
      throw new RangeError(
        `resolutionMs must be a whole number of milliseconds, 1 or above, not ${resolutionMs}`,
      )
    }
    this.#slowTurnMs = slowTurnMs
    this.#resolutionMs = resolutionMs
    this.#onSlowTurn = onSlowTurn
    this.#log = resolveLogger(logger)
    this.#busyPlace = locate ? new BusyPlace() : undefined
    this.#delays = monitorEventLoopDelay({ resolution: resolutionMs })
    this.#final = emptySnapshot()
  }

  /** Begins to watch, all figures at 0. Does nothing while it does. Gives the monitor back. */
  start(): this {
    if (this.#final === undefined) return this
    this.#final = undefined
    this.reset()
    this.#delays.enable()
    this.#busyPlace?.start()
    this.#watch.start()
    return this
  }

  /** Ends watching, the turn that it is called in included. The figures stay. Any number of calls. */
  stop(): void {
    if (this.#final !== undefined) return
    this.#watch.stop()
    this.#busyPlace?.stop()
    this.#delays.disable()
    this.#final = this.snapshot()
  }

  /** What it has seen since the start or the last `reset()`. */
  snapshot(): LoopSnapshot {
    if (this.#final !== undefined) return this.#final
    const { utilization, active, idle } = performance.eventLoopUtilization(this.#begin)
    return {
      elapsedMs: performance.now() - this.#beginMs,
      utilization,
      activeMs: active,
      idleMs: idle,
      delay: this.#delaysSoFar(),
      turns: this.#turnsSoFar(),
      slowTurns: this.#slowTurns,
    }
  }

  /** Begins anew, at 0. */
  reset(): void {
    this.#delays.reset()
    this.#turns.reset()
    this.#slowTurns = 0
    this.#begin = performance.eventLoopUtilization()
    this.#beginMs = performance.now()
    if (this.#final !== undefined) this.#final = emptySnapshot()
  }

  /** The same as `stop()`. */
  [Symbol.dispose](): void {
    this.stop()
  }

  /** The same as `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
  }

  #noteTurn(busyMs: number): void {
    this.#turns.record(Math.round(busyMs * NS_PER_MS))
    if (busyMs > this.#slowTurnMs) this.#tellSlow(busyMs)
    else if (this.#busyPlace?.isDue === true) this.#busyPlace.renew()
    else return
    // What it took to look, and what the logger took, is nothing that the program did.
    this.#watch.skip()
  }

  #tellSlow(busyMs: number): void {
    this.#slowTurns++
    const slowTurnMs = this.#slowTurnMs
    const place = this.#busyPlace?.find(busyMs)
    const where = place === undefined ? '' : `, mostly in ${place}`
    this.#log.warn(
      { busyMs, slowTurnMs, ...(place === undefined ? {} : { place }) },
      `the event loop was blocked for ${durationText(busyMs)}${where}; give long work to a worker, or cut it up`,
    )
    try {
      this.#onSlowTurn?.({ busyMs, slowTurnMs, place })
    } catch (error) {
      this.#log.error({ err: error }, 'the onSlowTurn of a loop monitor failed')
    }
  }

  #turnsSoFar(): LoopDurations {
    const { count, min, mean, max, p50, p95, p99 } = this.#turns.summary()
    return {
      count,
      minMs: min / NS_PER_MS,
      meanMs: mean / NS_PER_MS,
      maxMs: max / NS_PER_MS,
      p50Ms: p50 / NS_PER_MS,
      p95Ms: p95 / NS_PER_MS,
      p99Ms: p99 / NS_PER_MS,
    }
  }

  #delaysSoFar(): LoopDurations {
    const delays = this.#delays
    // Node says 9.2e18 and NaN where there is nothing.
    if (delays.count === 0) return NONE
    // Node counts the whole time between two looks, the resolution included.
    const late = (ns: number): number => Math.max(0, ns / NS_PER_MS - this.#resolutionMs)
    return {
      count: delays.count,
      minMs: late(delays.min),
      meanMs: late(delays.mean),
      maxMs: late(delays.max),
      p50Ms: late(delays.percentile(50)),
      p95Ms: late(delays.percentile(95)),
      p99Ms: late(delays.percentile(99)),
    }
  }
}

function emptySnapshot(): LoopSnapshot {
  return {
    elapsedMs: 0,
    utilization: 0,
    activeMs: 0,
    idleMs: 0,
    delay: NONE,
    turns: NONE,
    slowTurns: 0,
  }
}
