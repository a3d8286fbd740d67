/** The loop monitor on the real loop: what blocks it is seen, what waits is not. */
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { BusyPlace } from '../../src/observe/busy-place.js'
import {
  LoopMonitor,
  type LoopMonitorOptions,
  type SlowTurnEvent,
} from '../../src/observe/loop-monitor.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { blockLoop } from '../support/block-loop.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'

guardAgainstLeaks()

interface Scene {
  readonly monitor: LoopMonitor
  readonly logger: RecordingLogger
  readonly events: SlowTurnEvent[]
}

function scene(options: LoopMonitorOptions = {}): Scene {
  const logger = new RecordingLogger()
  const events: SlowTurnEvent[] = []
  const monitor = new LoopMonitor({
    logger,
    onSlowTurn: (event) => events.push(event),
    ...options,
  })
  onTestFinished(() => monitor.stop())
  return { monitor, logger, events }
}

describe('LoopMonitor', () => {
  it('warns of a turn that blocked the loop, and says for how long', async () => {
    const { monitor, logger, events } = scene({ slowTurnMs: 60 })
    await loopTurns(1)
    monitor.start()
    blockLoop(80)
    await loopTurns(2)
    // On a busy machine another turn may have been slow as well.
    const event = events.find(({ busyMs }) => busyMs >= 79)
    expect(event?.slowTurnMs).toBe(60)
    expect(event?.busyMs).toBeLessThan(2000)
    expect(logger.records).toHaveLength(events.length)
    const record = logger.records.find(({ fields }) => fields['busyMs'] === event?.busyMs)
    expect(record).toMatchObject({ level: 'warn', fields: { slowTurnMs: 60 } })
    expect(record?.message).toMatch(/^the event loop was blocked for \d+(\.\d)? ms; /)
    expect(monitor.snapshot().slowTurns).toBe(events.length)
    expect(monitor.snapshot().turns.maxMs).toBeGreaterThanOrEqual(79)
  })

  it('does not take waiting for work', async () => {
    const { monitor, events } = scene({ slowTurnMs: 10_000 })
    monitor.start()
    const waited = (): boolean => monitor.snapshot().idleMs >= 30
    await eventually(waited, { intervalMs: 40, what: 'the loop has waited for 30 ms' })
    const { turns, elapsedMs, idleMs, activeMs, utilization } = monitor.snapshot()
    expect(events).toEqual([])
    expect(turns.p50Ms).toBeLessThan(20)
    expect(elapsedMs).toBeGreaterThanOrEqual(idleMs)
    expect(utilization).toBeCloseTo(activeMs / (activeMs + idleMs))
    expect(utilization).toBeLessThan(1)
  })

  it('sees how late timers are', async () => {
    const { monitor } = scene({ resolutionMs: 1 })
    monitor.start()
    await eventually(() => monitor.snapshot().delay.count > 3, { what: 'some looks at timers' })
    blockLoop(50)
    await eventually(() => monitor.snapshot().delay.maxMs >= 40, { what: 'a late timer' })
    const { delay } = monitor.snapshot()
    expect(delay.minMs).toBeLessThan(30)
    expect(delay.minMs).toBeLessThanOrEqual(delay.meanMs)
    expect(delay.p50Ms).toBeLessThanOrEqual(delay.p95Ms)
    expect(delay.p95Ms).toBeLessThanOrEqual(delay.p99Ms)
  })

  it('names the function that blocked the loop, when it is to, and leaves its own work out', async () => {
    const { monitor, logger, events } = scene({ slowTurnMs: 3, locate: true })
    monitor.start()
    for (let turn = 0; turn < 3; turn++) {
      blockLoop(60)
      await loopTurns(1)
    }
    monitor.stop()
    const long = events.filter(({ busyMs }) => busyMs > 50)
    expect(long.length).toBeGreaterThanOrEqual(3)
    // On a busy machine the samples may miss it once.
    const located = long.filter(({ place }) => place?.includes('.ts:') === true)
    expect(located.length).toBeGreaterThan(0)
    expect(located[0]?.place).toMatch(/^(blockLoop|an anonymous function) \(file:.*\.ts:\d+\)$/)
    const record = logger.records.find(({ fields }) => fields['place'] === located[0]?.place)
    expect(record?.message).toMatch(/ ms, mostly in .+ \(file:.*\.ts:\d+\); give long work/)
  })

  it('renews its samples between slow turns', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const renew = vi.spyOn(BusyPlace.prototype, 'renew')
    onTestFinished(() => renew.mockRestore())
    const { monitor } = scene({ slowTurnMs: 10_000, locate: true })
    monitor.start()
    vi.advanceTimersByTime(59_000)
    await loopTurns(2)
    expect(renew).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1000)
    await loopTurns(3)
    expect(renew).toHaveBeenCalledTimes(1)
  })

  it('survives an onSlowTurn that throws, which is logged', async () => {
    const error = new Error('no')
    const { monitor, logger } = scene({
      slowTurnMs: 10,
      onSlowTurn: () => {
        throw error
      },
    })
    monitor.start()
    blockLoop(15)
    monitor.stop()
    expect(logger.records[1]).toMatchObject({ level: 'error', fields: { err: error } })
  })
})

describe('LoopMonitor.reset()', () => {
  it('begins anew', () => {
    const { monitor } = scene({ slowTurnMs: 10 })
    monitor.start()
    blockLoop(15)
    monitor.stop()
    expect(monitor.snapshot()).toMatchObject({ slowTurns: 1, turns: { count: 1 } })
    monitor.reset()
    const nothing = new LoopMonitor().snapshot()
    expect(monitor.snapshot()).toEqual(nothing)
    expect(nothing).toMatchObject({ elapsedMs: 0, slowTurns: 0, delay: { count: 0 } })
    monitor.start()
    monitor.reset()
    expect(monitor.snapshot().slowTurns).toBe(0)
  })
})

describe('LoopMonitor.stop()', () => {
  it('keeps the figures as they are, and counts the turn that it is called in', async () => {
    const { monitor, events } = scene({ slowTurnMs: 10 })
    {
      using started = monitor.start()
      expect(started.start()).toBe(monitor)
      blockLoop(15)
    }
    const before = monitor.snapshot()
    expect(before.elapsedMs).toBeGreaterThanOrEqual(15)
    expect(events).toHaveLength(1)
    await loopTurns(2)
    expect(monitor.snapshot()).toEqual(before)
    {
      await using started = monitor.start()
      expect(started.snapshot().slowTurns).toBe(0)
    }
  })
})

describe('LoopMonitor options', () => {
  it.each([{ slowTurnMs: 0 }, { slowTurnMs: NaN }, { resolutionMs: 0 }, { resolutionMs: 1.5 }])(
    'refuse %j',
    (options) => {
      expect(() => new LoopMonitor(options)).toThrow(RangeError)
    },
  )
})
