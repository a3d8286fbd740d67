/**
 * What a process holds: its resident set, V8's heap, and what lies outside of that heap. Asked for now, sampled at
 * intervals, and compared with a limit.
 *
 * It samples on a timer that does not keep the process alive, keeps a bounded number of samples, and frees nothing:
 * what is to become of a process that passes its limit is the business of `onLimit`.
 *
 * Invariant: a figure that has passed its limit is told once, and again only after it was below the limit in between.
 */
import { systemClock, type Clock } from '../concurrency/clock.js'
import { resolveLogger, type Logger } from '../logger.js'
import { bytesText } from './bytes-text.js'
import { Ticker } from './ticker.js'

/** The figures of a process's memory, in bytes. */
export interface MemoryFigures {
  /** What the kernel counts as resident: code, heap, stacks and buffers. */
  readonly rssBytes: number
  /** What V8's heap has in use, garbage that was not collected yet included. */
  readonly heapUsedBytes: number
  /** What V8 has reserved for its heap. */
  readonly heapTotalBytes: number
  /** What objects of the heap hold outside of it, `arrayBuffersBytes` included. */
  readonly externalBytes: number
  /** What Buffers and ArrayBuffers hold. */
  readonly arrayBuffersBytes: number
}

/** The figures at a time. */
export interface MemorySnapshot extends MemoryFigures {
  /** When, in milliseconds on the monitor's clock. */
  readonly atMs: number
}

/** How the figures have changed; less is negative. */
export interface MemoryDelta extends MemoryFigures {
  /** How long the time between is, in milliseconds. */
  readonly elapsedMs: number
}

/** A figure that has passed its limit. */
export interface MemoryLimitEvent {
  readonly figure: keyof MemoryFigures
  readonly bytes: number
  readonly limitBytes: number
  readonly snapshot: MemorySnapshot
}

/** How a {@link MemoryMonitor} watches. */
export interface MemoryMonitorOptions {
  /** The time between two samples. @default 10000 */
  intervalMs?: number | undefined
  /** So many samples are kept, the newest. @default 360, which is an hour at the default interval */
  maxSamples?: number | undefined
  /** Figures that are warned of when a sample is above: `{ rssBytes: 512 * 1024 ** 2 }`. @default none */
  limits?: Partial<MemoryFigures> | undefined
  /** Called once each time that a figure passes its limit. What it throws is logged. */
  onLimit?: ((event: MemoryLimitEvent) => void) | undefined
  /** Warnings go to stderr unless it is given; false silences them. */
  logger?: Logger | false | undefined
  /** @default the clock of the process */
  clock?: Clock | undefined
  /** Takes the figures. @default `process.memoryUsage()`, about 10 µs */
  sample?: (() => MemoryFigures) | undefined
}

const DEFAULT_INTERVAL_MS = 10_000
const DEFAULT_MAX_SAMPLES = 360

const FIGURES = [
  'rssBytes',
  'heapUsedBytes',
  'heapTotalBytes',
  'externalBytes',
  'arrayBuffersBytes',
] as const satisfies readonly (keyof MemoryFigures)[]

/** How figures are called in messages. */
const WORDS: Readonly<Record<keyof MemoryFigures, string>> = {
  rssBytes: 'RSS',
  heapUsedBytes: 'heap used',
  heapTotalBytes: 'heap total',
  externalBytes: 'external',
  arrayBuffersBytes: 'array buffers',
}

/**
 * Watches the memory of the process.
 *
 * ```ts
 * using monitor = new MemoryMonitor({ limits: { rssBytes: 512 * 1024 ** 2 } }).start()
 * const before = monitor.snapshot()
 * await work()
 * console.log(memoryText(monitor.since(before)))
 * ```
 */
export class MemoryMonitor {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #takeFigures: () => MemoryFigures
  readonly #limits: Partial<MemoryFigures>
  readonly #onLimit: ((event: MemoryLimitEvent) => void) | undefined
  readonly #ticker: Ticker

  /** The last samples, as a ring: the next one goes to `#taken % #maxSamples`. */
  readonly #ring: MemorySnapshot[] = []
  readonly #maxSamples: number
  #taken = 0
  #peak: MemorySnapshot | undefined
  /** The figures that are above their limit and were told. */
  readonly #above = new Set<keyof MemoryFigures>()

  /** @throws RangeError when an option has no meaning */
  constructor({
    intervalMs = DEFAULT_INTERVAL_MS,
    maxSamples = DEFAULT_MAX_SAMPLES,
    limits = {},
    onLimit,
    logger,
    clock = systemClock,
    sample = figuresOfProcess,
  }: MemoryMonitorOptions = {}) {
    if (!(intervalMs > 0)) {
      throw new RangeError(`intervalMs must be a number of milliseconds above 0, not ${intervalMs}`)
    }
    if (!Number.isSafeInteger(maxSamples) || maxSamples < 1) {
      throw new RangeError(`maxSamples must be a whole number, 1 or above, not ${maxSamples}`)
    }
    for (const figure of FIGURES) {
      const limit = limits[figure]
      if (limit !== undefined && !(limit > 0)) {
        throw new RangeError(`limits.${figure} must be a number of bytes above 0, not ${limit}`)
      }
    }
    this.#clock = clock
    this.#log = resolveLogger(logger)
    this.#takeFigures = sample
    this.#limits = { ...limits }
    this.#onLimit = onLimit
    this.#maxSamples = maxSamples
    this.#ticker = new Ticker(clock, intervalMs, () => this.sample())
  }

  /** The figures as they are now. Nothing is kept and no limit is looked at. */
  snapshot(): MemorySnapshot {
    return { atMs: this.#clock.now(), ...this.#takeFigures() }
  }

  /** How the figures have changed since a snapshot. */
  since(mark: MemorySnapshot): MemoryDelta {
    const now = this.snapshot()
    return {
      elapsedMs: now.atMs - mark.atMs,
      rssBytes: now.rssBytes - mark.rssBytes,
      heapUsedBytes: now.heapUsedBytes - mark.heapUsedBytes,
      heapTotalBytes: now.heapTotalBytes - mark.heapTotalBytes,
      externalBytes: now.externalBytes - mark.externalBytes,
      arrayBuffersBytes: now.arrayBuffersBytes - mark.arrayBuffersBytes,
    }
  }

  /** Begins to take samples, the first at once. Does nothing while it does. Gives the monitor back. */
  start(): this {
    if (!this.#ticker.isRunning) {
      this.#ticker.start()
      this.sample()
    }
    return this
  }

  /** Ends taking samples. Those that were taken stay. Any number of calls. */
  stop(): void {
    this.#ticker.stop()
  }

  /** Takes a sample now, beside those of the timer: keeps it, and compares it with the limits. */
  sample(): MemorySnapshot {
    const snapshot = this.snapshot()
    this.#ring[this.#taken % this.#maxSamples] = snapshot
    this.#taken++
    if (this.#peak === undefined || snapshot.rssBytes > this.#peak.rssBytes) this.#peak = snapshot
    for (const figure of FIGURES) this.#compare(figure, snapshot)
    return snapshot
  }

  /** The samples that are kept, the oldest first. */
  get samples(): MemorySnapshot[] {
    const oldest = this.#taken % this.#maxSamples
    return [...this.#ring.slice(oldest), ...this.#ring.slice(0, oldest)]
  }

  /** The sample with the largest RSS of all that were taken; undefined before the first. */
  get peak(): MemorySnapshot | undefined {
    return this.#peak
  }

  /** The same as `stop()`. */
  [Symbol.dispose](): void {
    this.stop()
  }

  /** The same as `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
  }

  #compare(figure: keyof MemoryFigures, snapshot: MemorySnapshot): void {
    const limitBytes = this.#limits[figure]
    const bytes = snapshot[figure]
    if (limitBytes === undefined || bytes <= limitBytes) {
      this.#above.delete(figure)
      return
    }
    if (this.#above.has(figure)) return
    this.#above.add(figure)
    this.#log.warn(
      { figure, bytes, limitBytes, ...snapshot },
      `memory: ${WORDS[figure]} is ${bytesText(bytes)}, above the limit of ${bytesText(limitBytes)}`,
    )
    try {
      this.#onLimit?.({ figure, bytes, limitBytes, snapshot })
    } catch (error) {
      this.#log.error({ err: error, figure }, 'the onLimit of a memory monitor failed')
    }
  }
}

/**
 * Figures on one line for people: `RSS 58.3 MiB, heap used 5.1 MiB of 8 MiB, external 1.7 MiB, array buffers 10.3 KiB`;
 * of a delta with signs.
 */
export function memoryText(figures: MemorySnapshot | MemoryDelta): string {
  const isDelta = 'elapsedMs' in figures
  const text = (bytes: number): string => `${isDelta && bytes > 0 ? '+' : ''}${bytesText(bytes)}`
  const { rssBytes, heapUsedBytes, heapTotalBytes, externalBytes, arrayBuffersBytes } = figures
  const heap = isDelta
    ? `heap used ${text(heapUsedBytes)}, heap total ${text(heapTotalBytes)}`
    : `heap used ${text(heapUsedBytes)} of ${text(heapTotalBytes)}`
  return `RSS ${text(rssBytes)}, ${heap}, external ${text(externalBytes)}, array buffers ${text(arrayBuffersBytes)}`
}

function figuresOfProcess(): MemoryFigures {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
  return {
    rssBytes: rss,
    heapUsedBytes: heapUsed,
    heapTotalBytes: heapTotal,
    externalBytes: external,
    arrayBuffersBytes: arrayBuffers,
  }
}
