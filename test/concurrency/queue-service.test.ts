import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { QueueService, type QueueServiceOptions } from '../../src/concurrency/queue-service.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { ClosedError, TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

/** A service whose items take 100 ms each. */
class Bench {
  readonly clock = new FakeClock()
  readonly logger = new RecordingLogger()
  readonly begun: number[] = []
  readonly done: number[] = []
  readonly dropped: number[] = []

  service(options: Partial<QueueServiceOptions<number>> = {}): QueueService<number> {
    return new QueueService<number>({
      name: 'mill',
      maxSize: 3,
      process: async (item, signal) => {
        this.begun.push(item)
        await sleep(100, { signal, clock: this.clock })
        this.done.push(item)
      },
      onDrop: (item) => this.dropped.push(item),
      clock: this.clock,
      logger: this.logger,
      ...options,
    })
  }
}

describe('QueueService.submit()', () => {
  it('hands items to the workers, so many at a time, in their order', async () => {
    const bench = new Bench()
    const service = bench.service({ workers: 2 })
    await service.start()
    for (const item of [1, 2, 3, 4, 5]) await service.submit(item)
    await loopTurns(1)
    expect(bench.begun).toEqual([1, 2])
    expect(service.stats).toEqual({
      waiting: 3,
      working: 2,
      processed: 0,
      failed: 0,
      dropped: 0,
    })
    const joined = watch(service.join())
    await bench.clock.advance(299)
    expect([bench.done, joined.state]).toEqual([[1, 2, 3, 4], 'pending'])
    await bench.clock.advance(1)
    expect([bench.done, joined.state]).toEqual([[1, 2, 3, 4, 5], 'resolved'])
    expect(service.stats).toMatchObject({ waiting: 0, working: 0, processed: 5 })
    await service.stop()
    expect(service.state).toBe('stopped')
  })

  it('waits while the queue is full, and trySubmit() says so', async () => {
    const bench = new Bench()
    const service = bench.service()
    await service.start()
    for (const item of [1, 2, 3, 4]) await service.submit(item)
    expect(service.trySubmit(5)).toBe(false)
    const controller = new AbortController()
    const aborted = watch(service.submit(6, { signal: controller.signal }))
    const late = watch(service.submit(7, { timeoutMs: 50 }))
    const waiting = watch(service.submit(8))
    controller.abort('enough')
    await bench.clock.advance(50)
    expect(aborted.error).toBe('enough')
    expect(late.error).toBeInstanceOf(TimeoutError)
    expect(waiting.state).toBe('pending')
    await bench.clock.advance(50)
    expect(waiting.state).toBe('resolved')
    await bench.clock.advance(100)
    expect(service.trySubmit(9)).toBe(true)
    await bench.clock.advance(1_000)
    expect(bench.done).toEqual([1, 2, 3, 4, 8, 9])
    await service.stop()
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('takes nothing unless the service is running', async () => {
    const bench = new Bench()
    const service = bench.service()
    const error = await rejection(service.submit(1))
    expect(error).toBeInstanceOf(ClosedError)
    expect((error as Error).message).toBe('mill: it takes nothing in state new')
    expect(() => service.trySubmit(1)).toThrow(ClosedError)
    expect(await rejection(service.submit(1, { timeoutMs: 0 }))).toBeInstanceOf(RangeError)
    await service.start()
    for (const item of [1, 2, 3, 4]) await service.submit(item)
    const waiting = watch(service.submit(5))
    const stopping = service.stop()
    void service.submit(6)
    await loopTurns(1)
    expect(waiting.error).toBeInstanceOf(ClosedError)
    await bench.clock.advance(400)
    await stopping
    expect(bench.done).toEqual([1, 2, 3, 4])
    expect((await rejection(service.submit(7))) as Error).toMatchObject({
      message: 'mill: it takes nothing in state stopped',
    })
  })
})

describe('QueueService, when an item fails', () => {
  it('counts it, tells of it, and goes on', async () => {
    const bench = new Bench()
    const told: unknown[] = []
    const service = bench.service({
      process: async (item) => {
        if (item % 2 === 1) throw new Error(`odd: ${item}`)
      },
      onError: (error, item) => told.push([(error as Error).message, item]),
    })
    await service.start()
    for (const item of [1, 2, 3, 4]) await service.submit(item)
    await service.join()
    expect(told).toEqual([
      ['odd: 1', 1],
      ['odd: 3', 3],
    ])
    expect(service.stats).toMatchObject({ processed: 2, failed: 2, dropped: 0 })
    expect(service.isRunning).toBe(true)
    await service.stop()
    expect(bench.logger.records).toEqual([])
  })

  it('tells the logger unless told otherwise, and of what onError and onDrop throw', async () => {
    const bench = new Bench()
    const fail = (): never => {
      throw new Error('jammed')
    }
    const first = bench.service({ process: fail })
    await first.start()
    await first.submit(1)
    await first.join()
    await first.stop()
    const broken = (): never => {
      throw new Error('broken')
    }
    const second = bench.service({ process: fail, onError: broken, onDrop: broken, drain: false })
    await second.start()
    await second.submit(1)
    await second.join()
    await second.submit(2)
    await second.stop()
    expect(bench.logger.records.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'error mill: an item has failed',
      'error mill: onError() threw',
      'error mill: onError() threw',
    ])
    expect(second.stats).toMatchObject({ failed: 2 })
  })

  it('takes an error of the item for one, also if it comes after the abort', async () => {
    const bench = new Bench()
    const service = bench.service({
      process: async (_item, signal) => {
        await sleep(1_000, { signal, clock: bench.clock }).catch(() => {})
        throw new Error('jammed')
      },
      onError: () => {},
    })
    await service.start()
    await service.submit(1)
    await service.stop({ graceMs: 0 })
    expect(service.stats).toMatchObject({ failed: 1, dropped: 0 })
  })
})

describe('QueueService.stop()', () => {
  it('works through what waits, and drops what is left at the end of the grace', async () => {
    const bench = new Bench()
    const service = bench.service({ graceMs: 150 })
    await service.start()
    for (const item of [1, 2, 3, 4]) await service.submit(item)
    const joined = watch(service.join())
    const stopping = watch(service.stop())
    await bench.clock.advance(149)
    expect([stopping.state, bench.begun]).toEqual(['pending', [1, 2]])
    await bench.clock.advance(1)
    expect([stopping.state, joined.state]).toEqual(['resolved', 'resolved'])
    expect(bench.done).toEqual([1])
    expect(bench.dropped).toEqual([3, 4, 2])
    expect(service.stats).toMatchObject({ processed: 1, failed: 0, dropped: 3, working: 0 })
    expect(service.state).toBe('stopped')
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('with drain: false drops what waits at once, and lets what is worked on end', async () => {
    const bench = new Bench()
    const service = bench.service({ drain: false, workers: 2 })
    await service.start()
    for (const item of [1, 2, 3, 4]) await service.submit(item)
    await loopTurns(1)
    const stopping = watch(service.stop())
    await bench.clock.advance(100)
    expect(stopping.state).toBe('resolved')
    expect([bench.done, bench.dropped]).toEqual([
      [1, 2],
      [3, 4],
    ])
  })

  it('names the workers that do not end, and the service can be started again', async () => {
    const bench = new Bench()
    let isStuck = true
    const service = bench.service({
      process: () => (isStuck ? new Promise(() => {}) : undefined),
      graceMs: 10,
      cleanupTimeoutMs: 20,
    })
    await service.start()
    await service.submit(1)
    const stopping = watch(service.stop())
    await bench.clock.advance(30)
    expect((stopping.error as Error).message).toBe(
      'mill: 1 of 2 clean-ups failed: run(): not done within 20 ms',
    )
    isStuck = false
    await service.start()
    await service.submit(2)
    await service.join()
    expect(service.stats).toMatchObject({ processed: 1, working: 1 })
    await service.stop()
    expect(bench.clock.pendingTimers).toBe(0)
  })
})

describe('new QueueService()', () => {
  it('refuses what has no meaning', () => {
    const make = (options: object) => () =>
      new QueueService({ maxSize: 1, process: () => {}, ...options })
    expect(make({ maxSize: 0 })).toThrow(RangeError)
    expect(make({ workers: 0 })).toThrow(
      new RangeError('workers must be a whole number above 0, not 0'),
    )
    expect(make({ process: 1 })).toThrow(new TypeError('process must be a function, not number'))
    expect(make({ onError: 1 })).toThrow(TypeError)
    expect(make({ onDrop: 1 })).toThrow(TypeError)
    expect(make({ graceMs: -1 })).toThrow(RangeError)
  })
})

it('QueueService, as a property: each item that was taken is processed, failed or dropped, once', async () => {
  const plan = fc.record({
    workers: fc.integer({ min: 1, max: 4 }),
    maxSize: fc.integer({ min: 1, max: 5 }),
    drain: fc.boolean(),
    graceMs: fc.integer({ min: 0, max: 60 }),
    stopAt: fc.integer({ min: 0, max: 120 }),
    items: fc.array(
      fc.record({ at: fc.nat(100), ms: fc.integer({ min: 1, max: 40 }), fails: fc.boolean() }),
      { maxLength: 20 },
    ),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ items, stopAt, ...options }) => {
      const clock = new FakeClock()
      const fate = new Map<number, string>()
      const settle = (n: number, what: string): void => {
        fate.set(n, fate.has(n) ? `${fate.get(n)}, ${what}` : what)
      }
      const service = new QueueService<number>({
        ...options,
        process: async (n, signal) => {
          const { ms = 0, fails = false } = items[n] ?? {}
          await sleep(ms, { signal, clock })
          if (fails) throw new Error(`${n}`)
          settle(n, 'processed')
        },
        onError: (_error, n) => settle(n, 'failed'),
        onDrop: (n) => settle(n, 'dropped'),
        clock,
        logger: false,
      })
      await service.start()
      const taken: number[] = []
      const calls = Promise.allSettled(
        items.map(async ({ at }, n) => {
          await sleep(at, { clock })
          await service.submit(n)
          taken.push(n)
        }),
      )
      await clock.advance(stopAt)
      const stopping = watch(service.stop())
      await clock.advance(1_000)
      expect(stopping.state).toBe('resolved')
      await calls
      expect([...fate.keys()].toSorted((a, b) => a - b)).toEqual(taken.toSorted((a, b) => a - b))
      for (const [n, what] of fate) {
        expect(
          items[n]?.fails === true ? ['failed', 'dropped'] : ['processed', 'dropped'],
        ).toContain(what)
      }
      const { processed, failed, dropped } = service.stats
      expect(processed + failed + dropped).toBe(taken.length)
      expect(clock.pendingTimers).toBe(0)
    }),
    { numRuns: 80 },
  )
})
