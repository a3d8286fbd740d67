/**
 * asyncio's debug mode for this kit: tells of connections that nobody closes or uses, of calls that nobody awaits, and
 * of turns that block the event loop, each with the place in the program that it came from.
 *
 * It costs 3 to 9 µs for each call that is watched, 25 to 100 ns for each await of the process, and 10 ms for each slow
 * turn: it is for development and tests, and for a process in trouble. It changes nothing of what the program does,
 * and never ends it. (`node bench/observe.mjs`, November 2026, Node 20 to 26.)
 *
 * Invariant: one at a time in a process; when it is disposed nothing of it is left: no hook, subscription, timer or
 * listener.
 */
import { systemClock, type Clock } from '../concurrency/clock.js'
import { BusyError } from '../errors.js'
import { resolveLogger, type Logger } from '../logger.js'
import { LoopMonitor } from './loop-monitor.js'
import { OpenConnections, type UnclosedConnection } from './open-connections.js'
import { Ticker } from './ticker.js'
import { UnawaitedCalls, type UnawaitedCall } from './unawaited-calls.js'

/** What debug mode looks for. */
export interface DebugModeOptions {
  /** What is found is a warning. It goes to stderr unless it is given; false silences it. */
  logger?: Logger | false | undefined
  /** A turn of the event loop that is busy for longer is told of; Infinity switches that off. @default 100 */
  slowTurnMs?: number | undefined
  /**
   * A connection that the program has neither read from nor written to for so long is told of, once; Infinity
   * switches that off. @default 60000
   */
  staleMs?: number | undefined
  /** Whether calls that nobody awaits are told of: that is what slows all promises down. @default true */
  unawaited?: boolean | undefined
  /** For the ages of connections. @default the clock of the process */
  clock?: Clock | undefined
}

/** Debug mode while it is on. `Symbol.dispose` and `Symbol.asyncDispose` are `disable()`. */
export interface DebugMode {
  /** The loop's figures since debug mode is on. */
  readonly loop: LoopMonitor
  /** The connections that were opened since it is on and that nobody has closed, the oldest first. */
  unclosed(): UnclosedConnection[]
  /** The calls that were found not to be awaited so far, by place. */
  unawaited(): UnawaitedCall[]
  /**
   * Has a promise of the program's own watched as those of the kit are, and gives it back; `call` names it. Call it in
   * the function that hands the promise out: `return debug.watch(promise, 'save()')`.
   */
  watch<T>(promise: Promise<T>, call: string): Promise<T>
  /** Tells of what is open and not awaited now, and ends. Any number of calls. */
  disable(): void
  [Symbol.dispose](): void
  [Symbol.asyncDispose](): Promise<void>
}

const DEFAULT_STALE_MS = 60_000

let current: DebugMode | undefined

/**
 * Switches debug mode on until what it gives is disposed, or the process exits; both tell of what is not closed and not
 * awaited by then. (asyncio: `loop.set_debug`, `python -X dev`.)
 *
 * ```ts
 * using debug = enableDebugMode({ logger, slowTurnMs: 50 })
 * ```
 *
 * @throws BusyError when it is on already
 * @throws RangeError when an option has no meaning
 */
export function enableDebugMode(options: DebugModeOptions = {}): DebugMode {
  if (current !== undefined) throw new BusyError('debug mode is on already; disable that one first')
  const { staleMs = DEFAULT_STALE_MS, slowTurnMs, unawaited = true, clock = systemClock } = options
  if (!(staleMs > 0)) {
    throw new RangeError(`staleMs must be a number of milliseconds above 0, not ${staleMs}`)
  }
  const log = resolveLogger(options.logger)
  const loop = new LoopMonitor({ slowTurnMs, locate: slowTurnMs !== Infinity, logger: log })
  current = new RunningDebugMode(loop, log, clock, staleMs, unawaited)
  return current
}

class RunningDebugMode implements DebugMode {
  readonly loop: LoopMonitor
  readonly #connections: OpenConnections
  readonly #calls: UnawaitedCalls
  readonly #ticker: Ticker
  #watchesCalls: boolean
  #isOn = true

  constructor(
    loop: LoopMonitor,
    log: Logger,
    clock: Clock,
    staleMs: number,
    watchesCalls: boolean,
  ) {
    this.loop = loop.start()
    this.#connections = new OpenConnections(log, clock)
    this.#connections.subscribe()
    this.#calls = new UnawaitedCalls(log)
    this.#watchesCalls = watchesCalls
    if (watchesCalls) this.#calls.start()
    // Twice as often, so that nothing is told of much later than it should.
    this.#ticker = new Ticker(clock, staleMs / 2, () => this.#connections.reportStale(staleMs))
    this.#ticker.start()
    process.on('exit', this.#onExit)
  }

  unclosed(): UnclosedConnection[] {
    return this.#connections.unclosed()
  }

  unawaited(): UnawaitedCall[] {
    return this.#calls.list()
  }

  readonly watch = <T>(promise: Promise<T>, call: string): Promise<T> =>
    this.#watchesCalls ? this.#calls.watch(promise, call, this.watch) : promise

  disable(): void {
    this.#end(false)
  }

  [Symbol.dispose](): void {
    this.#end(false)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(false)
  }

  readonly #onExit = (): void => {
    this.#end(true)
  }

  #end(isExit: boolean): void {
    if (!this.#isOn) return
    this.#isOn = false
    current = undefined
    process.off('exit', this.#onExit)
    this.#ticker.stop()
    this.loop.stop()
    this.#connections.reportUnclosed()
    this.#connections.unsubscribe()
    this.#calls.reportPending(isExit)
    this.#calls.stop()
    this.#watchesCalls = false
  }
}
