/** The memory monitor: its figures, its timer, its ring of samples, and a limit that is told once a crossing. */
import { describe, expect, it } from 'vitest'
import {
  memoryText,
  MemoryMonitor,
  type MemoryFigures,
  type MemoryLimitEvent,
  type MemoryMonitorOptions,
} from '../../src/observe/memory-monitor.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'

guardAgainstLeaks()

const KIB = 1024
const MIB = 1024 ** 2

const FIGURES: MemoryFigures = {
  rssBytes: 50 * MIB,
  heapUsedBytes: 5 * MIB,
  heapTotalBytes: 8 * MIB,
  externalBytes: 2 * MIB,
  arrayBuffersBytes: 10 * KIB,
}

interface Scene {
  readonly monitor: MemoryMonitor
  readonly clock: FakeClock
  readonly logger: RecordingLogger
  /** Sets what the next samples find. */
  readonly find: (figures: Partial<MemoryFigures>) => void
}

function scene(options: MemoryMonitorOptions = {}): Scene {
  const clock = new FakeClock()
  const logger = new RecordingLogger()
  let figures = FIGURES
  const sample = (): MemoryFigures => figures
  const monitor = new MemoryMonitor({ intervalMs: 1000, logger, clock, sample, ...options })
  return {
    monitor,
    clock,
    logger,
    find(changed) {
      figures = { ...FIGURES, ...changed }
    },
  }
}

describe('MemoryMonitor.snapshot()', () => {
  it('has the figures of the process by default', () => {
    const found = new MemoryMonitor().snapshot()
    const usage = process.memoryUsage()
    expect(found.rssBytes / usage.rss).toBeGreaterThan(0.5)
    expect(found.rssBytes / usage.rss).toBeLessThan(2)
    expect(found.heapTotalBytes).toBeGreaterThanOrEqual(found.heapUsedBytes)
    expect(found.externalBytes).toBeGreaterThanOrEqual(found.arrayBuffersBytes)
    expect(found.heapUsedBytes).toBeGreaterThan(0)
  })

  it('sees 64 MiB that are held outside of the heap', () => {
    const monitor = new MemoryMonitor()
    const before = monitor.snapshot()
    const held = Buffer.alloc(64 * MIB, 1)
    const { arrayBuffersBytes, rssBytes } = monitor.since(before)
    expect(held.length).toBe(64 * MIB)
    expect(arrayBuffersBytes).toBeGreaterThan(60 * MIB)
    expect(rssBytes).toBeGreaterThan(48 * MIB)
  })

  it('keeps nothing', () => {
    const { monitor } = scene()
    expect(monitor.snapshot()).toEqual({ atMs: 0, ...FIGURES })
    expect(monitor.samples).toEqual([])
    expect(monitor.peak).toBeUndefined()
  })
})

describe('MemoryMonitor.since()', () => {
  it('has the difference of each figure, and the time', async () => {
    const { monitor, clock, find } = scene()
    const mark = monitor.snapshot()
    await clock.advance(250)
    find({ rssBytes: 53 * MIB, heapUsedBytes: 4 * MIB })
    expect(monitor.since(mark)).toEqual({
      elapsedMs: 250,
      rssBytes: 3 * MIB,
      heapUsedBytes: -MIB,
      heapTotalBytes: 0,
      externalBytes: 0,
      arrayBuffersBytes: 0,
    })
  })
})

describe('MemoryMonitor.start()', () => {
  it('takes a sample at once and one each interval, and keeps the newest', async () => {
    const { monitor, clock, find } = scene({ maxSamples: 3 })
    find({ rssBytes: 90 * MIB })
    expect(monitor.start()).toBe(monitor)
    find({})
    expect(monitor.start().samples.map(({ atMs }) => atMs)).toEqual([0])
    await clock.advance(1000)
    expect(monitor.samples.map(({ atMs }) => atMs)).toEqual([0, 1000])
    await clock.advance(3000)
    expect(monitor.samples.map(({ atMs }) => atMs)).toEqual([2000, 3000, 4000])
    expect(monitor.peak).toEqual({ atMs: 0, ...FIGURES, rssBytes: 90 * MIB })
    monitor.stop()
    monitor.stop()
    await clock.advance(5000)
    expect(monitor.samples).toHaveLength(3)
    expect(clock.pendingTimers).toBe(0)
  })

  it('may be stopped and started again', async () => {
    const { monitor, clock } = scene()
    monitor.start().stop()
    await clock.advance(500)
    monitor.start()
    await clock.advance(1000)
    expect(monitor.samples.map(({ atMs }) => atMs)).toEqual([0, 500, 1500])
    monitor.stop()
  })

  it('ends with its scope', async () => {
    const { monitor, clock } = scene()
    {
      using started = monitor.start()
      expect(started).toBe(monitor)
      expect(clock.pendingTimers).toBe(1)
    }
    expect(clock.pendingTimers).toBe(0)
    {
      await using started = monitor.start()
      expect(started).toBe(monitor)
    }
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not keep the process alive', () => {
    using monitor = new MemoryMonitor().start()
    expect(monitor.samples).toHaveLength(1)
    const refed = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')
    monitor.stop()
    const without = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')
    expect(refed).toHaveLength(without.length)
  })
})

describe('MemoryMonitor limits', () => {
  it('are told once a crossing, to the logger and to onLimit', () => {
    const events: MemoryLimitEvent[] = []
    const { monitor, logger, find } = scene({
      limits: { rssBytes: 60 * MIB },
      onLimit: (event) => events.push(event),
    })
    for (const mib of [60, 61, 70, 65, 60, 59, 64]) {
      find({ rssBytes: mib * MIB })
      monitor.sample()
    }
    expect(events.map(({ figure, bytes }) => [figure, bytes / MIB])).toEqual([
      ['rssBytes', 61],
      ['rssBytes', 64],
    ])
    expect(events[0]).toMatchObject({ limitBytes: 60 * MIB, snapshot: { heapUsedBytes: 5 * MIB } })
    expect(logger.records).toHaveLength(2)
    expect(logger.records[0]).toMatchObject({
      level: 'warn',
      message: 'memory: RSS is 61 MiB, above the limit of 60 MiB',
      fields: { figure: 'rssBytes', bytes: 61 * MIB, limitBytes: 60 * MIB },
    })
  })

  it('are watched each for itself', () => {
    const { monitor, logger, find } = scene({
      limits: { rssBytes: 60 * MIB, arrayBuffersBytes: MIB },
    })
    find({ rssBytes: 61 * MIB })
    monitor.sample()
    find({ rssBytes: 61 * MIB, arrayBuffersBytes: 2 * MIB })
    monitor.sample()
    expect(logger.records.map(({ fields }) => fields['figure'])).toEqual([
      'rssBytes',
      'arrayBuffersBytes',
    ])
  })

  it('survive an onLimit that throws, which is logged', () => {
    const error = new Error('no')
    const { monitor, logger, find } = scene({
      limits: { heapUsedBytes: MIB },
      onLimit: () => {
        throw error
      },
    })
    find({})
    monitor.sample()
    expect(logger.records[1]).toMatchObject({ level: 'error', fields: { err: error } })
    expect(monitor.samples).toHaveLength(1)
  })
})

describe('memoryText()', () => {
  it('writes a snapshot on one line', () => {
    expect(memoryText(scene().monitor.snapshot())).toBe(
      'RSS 50 MiB, heap used 5 MiB of 8 MiB, external 2 MiB, array buffers 10 KiB',
    )
  })

  it('writes a delta with signs', () => {
    const { monitor, find } = scene()
    const mark = monitor.snapshot()
    find({ rssBytes: 51.5 * MIB, heapUsedBytes: 4 * MIB })
    expect(memoryText(monitor.since(mark))).toBe(
      'RSS +1.5 MiB, heap used -1 MiB, heap total 0 B, external 0 B, array buffers 0 B',
    )
  })
})

describe('MemoryMonitor options', () => {
  it.each([
    { intervalMs: 0 },
    { intervalMs: NaN },
    { maxSamples: 0 },
    { maxSamples: 1.5 },
    { limits: { rssBytes: 0 } },
    { limits: { externalBytes: NaN } },
  ])('refuse %j', (options) => {
    expect(() => new MemoryMonitor(options)).toThrow(RangeError)
  })
})
