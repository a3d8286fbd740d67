import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { deferred, type Deferred } from '../../src/concurrency/deferred.js'
import type { Lease } from '../../src/concurrency/lease.js'
import type { ResourcePoolOptions } from '../../src/concurrency/resource-pool-options.js'
import { ResourcePool } from '../../src/concurrency/resource-pool.js'
import { ClosedError, TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { rejection, watch, type Watched } from '../support/settled.js'

guardAgainstLeaks()

interface Line {
  readonly n: number
  isGood: boolean
}

/** A maker of resources that a test lets succeed and fail, with a clock that stands still. */
class Bench {
  readonly clock = new FakeClock()
  readonly logger = new RecordingLogger()
  readonly creates: { readonly gate: Deferred<Line>; readonly signal: AbortSignal }[] = []
  readonly destroyed: number[] = []
  #made = 0

  /** Makes each resource at once. */
  pool(options: Partial<ResourcePoolOptions<Line>> = {}): ResourcePool<Line> {
    return this.slowPool({ create: async () => this.line(), ...options })
  }

  /** Waits with each resource until the test lets it come. */
  slowPool(options: Partial<ResourcePoolOptions<Line>> = {}): ResourcePool<Line> {
    return new ResourcePool<Line>({
      max: 2,
      create: (signal) => {
        const gate = deferred<Line>()
        this.creates.push({ gate, signal })
        return gate.promise
      },
      destroy: ({ n }) => {
        this.destroyed.push(n)
      },
      backoff: { random: () => 1 },
      clock: this.clock,
      logger: this.logger,
      ...options,
    })
  }

  line(): Line {
    return { n: ++this.#made, isGood: true }
  }

  make(index = 0): Promise<void> {
    this.creates.splice(index, 1)[0]?.gate.resolve(this.line())
    return loopTurns(1)
  }

  fail(error: unknown, index = 0): Promise<void> {
    this.creates.splice(index, 1)[0]?.gate.reject(error)
    return loopTurns(1)
  }
}

const held = (watched: Watched<Lease<Line>>): Lease<Line> => watched.value as Lease<Line>
const refused = new Error('refused')

describe('ResourcePool.acquire()', () => {
  it('makes a resource when none is idle, and gives the one that was used last', async () => {
    const bench = new Bench()
    const pool = bench.pool()
    const first = await pool.acquire()
    const second = await pool.acquire()
    expect([first.resource.n, second.resource.n]).toEqual([1, 2])
    first.release()
    second.release()
    expect(pool.stats).toMatchObject({ size: 2, idle: 2, leased: 0 })
    using third = await pool.acquire()
    expect(third.resource.n).toBe(2)
    expect(pool.stats).toEqual({
      size: 2,
      idle: 1,
      leased: 1,
      creating: 0,
      validating: 0,
      destroying: 0,
      waiting: 0,
      acquired: 3,
      created: 2,
      createFailures: 0,
      invalid: 0,
      destroyed: 0,
    })
  })

  it('waits when there are max, and serves those who wait in their order', async () => {
    const bench = new Bench()
    const pool = bench.pool({ max: 1 })
    const first = await pool.acquire()
    const order: string[] = []
    const waiting = ['b', 'c', 'd'].map(async (name) => {
      const lease = await pool.acquire()
      order.push(name)
      lease.release()
      expect(lease.resource.n).toBe(1)
    })
    await loopTurns(2)
    expect(pool.stats).toMatchObject({ waiting: 3, creating: 0 })
    first.release()
    await Promise.all(waiting)
    expect(order).toEqual(['b', 'c', 'd'])
    expect(bench.destroyed).toEqual([])
  })

  it('makes as many at a time as are needed and may be', async () => {
    const bench = new Bench()
    const pool = bench.slowPool({ max: 3 })
    const leases = [1, 2, 3, 4, 5].map(() => watch(pool.acquire()))
    expect(pool.stats).toMatchObject({ creating: 3, waiting: 5, size: 3 })
    await bench.make(2)
    await bench.make()
    expect(leases.map(({ state }) => state)).toEqual([
      'resolved',
      'resolved',
      'pending',
      'pending',
      'pending',
    ])
    expect(leases.map(({ value }) => value?.resource.n).slice(0, 2)).toEqual([1, 2])
    held(leases[0] as Watched<Lease<Line>>).release()
    await bench.make()
    expect(leases.map(({ value }) => value?.resource.n)).toEqual([1, 2, 1, 3, undefined])
  })

  it('gives one that came back to the first, and keeps what was being made for the next', async () => {
    const bench = new Bench()
    const pool = bench.slowPool()
    const first = watch(pool.acquire())
    await bench.make()
    const second = watch(pool.acquire())
    expect(pool.stats.creating).toBe(1)
    held(first).release()
    await loopTurns(1)
    expect(held(second).resource.n).toBe(1)
    await bench.make()
    expect(pool.stats).toMatchObject({ idle: 1, leased: 1 })
  })

  it('takes nothing when it is aborted or out of time, and leaves the next in turn', async () => {
    const bench = new Bench()
    const pool = bench.slowPool({ max: 1 })
    const controller = new AbortController()
    const aborted = watch(pool.acquire({ signal: controller.signal }))
    const late = watch(pool.acquire({ timeoutMs: 50 }))
    const third = watch(pool.acquire())
    controller.abort('enough')
    await bench.clock.advance(50)
    expect(aborted.error).toBe('enough')
    expect(late.error).toBeInstanceOf(TimeoutError)
    expect((late.error as Error).message).toBe(
      'resource pool: acquire(): still waiting after 50 ms',
    )
    await bench.make()
    expect(held(third).resource.n).toBe(1)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('does nothing for a signal that has aborted before, and for a time of no meaning', async () => {
    const bench = new Bench()
    const pool = bench.pool()
    expect(await rejection(pool.acquire({ signal: AbortSignal.abort('no') }))).toBe('no')
    expect(await rejection(pool.acquire({ timeoutMs: -1 }))).toBeInstanceOf(RangeError)
    expect(pool.stats.created).toBe(0)
  })

  it('keeps a resource that comes when all who waited are gone', async () => {
    const bench = new Bench()
    const pool = bench.slowPool()
    const controller = new AbortController()
    const call = watch(pool.acquire({ signal: controller.signal }))
    controller.abort()
    await bench.make()
    expect(call.state).toBe('rejected')
    expect(pool.stats).toMatchObject({ idle: 1, leased: 0 })
    using lease = await pool.acquire()
    expect(lease.resource.n).toBe(1)
  })
})

describe('ResourcePool, when it fails to make a resource', () => {
  it('rejects the one who has waited longest with the very error', async () => {
    const bench = new Bench()
    const pool = bench.slowPool()
    const [first, second] = [watch(pool.acquire()), watch(pool.acquire())]
    await bench.fail(refused, 1)
    expect(first.error).toBe(refused)
    expect(second.state).toBe('pending')
    await bench.make()
    expect(second.state).toBe('resolved')
    expect(pool.stats).toMatchObject({ createFailures: 1, created: 1 })
    expect(bench.logger.records).toEqual([])
  })

  it('rejects all when nothing is left that could serve them', async () => {
    const bench = new Bench()
    const pool = bench.slowPool({ max: 2 })
    const calls = [1, 2, 3, 4].map(() => watch(pool.acquire()))
    await bench.fail(refused)
    expect(calls.map(({ state }) => state)).toEqual(['rejected', 'pending', 'pending', 'pending'])
    await bench.fail(new Error('refused again'))
    expect(calls.slice(1).map(({ error }) => (error as Error).message)).toEqual([
      'refused again',
      'refused again',
      'refused again',
    ])
    expect(pool.stats).toMatchObject({ size: 0, waiting: 0 })
  })

  it('lets those wait who can be served by a resource that is lent', async () => {
    const bench = new Bench()
    const pool = bench.slowPool({ max: 2 })
    const first = watch(pool.acquire())
    await bench.make()
    const [second, third] = [watch(pool.acquire()), watch(pool.acquire())]
    await bench.fail(refused)
    expect([second.state, third.state]).toEqual(['rejected', 'pending'])
    held(first).release()
    await loopTurns(1)
    expect(held(third).resource.n).toBe(1)
    await pool.close({ graceMs: 0 })
  })

  it('makes one at a time after pauses that grow up to a cap', async () => {
    const bench = new Bench()
    const times: number[] = []
    const pool = bench.pool({
      create: () => {
        times.push(bench.clock.now())
        throw refused
      },
      backoff: { baseMs: 100, maxDelayMs: 500, random: () => 0.5 },
    })
    let calls = 0
    const callers = [1, 2].map(async () => {
      // Comes again at once, as long as it is let.
      for (;;) {
        const error = await rejection(pool.acquire())
        if (error !== refused) return error
        calls++
      }
    })
    await bench.clock.advance(1_000)
    // Both begin with their first call; then 50, 100, 200, 250, 250 …
    expect(times).toEqual([0, 0, 50, 150, 350, 600, 850])
    expect(calls).toBeGreaterThanOrEqual(times.length)
    expect(pool.stats.createFailures).toBe(times.length)
    await pool.close()
    for (const error of await Promise.all(callers)) expect(error).toBeInstanceOf(ClosedError)
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('forgets the failures as soon as one is made', async () => {
    const bench = new Bench()
    const pool = bench.slowPool()
    const first = watch(pool.acquire())
    await bench.fail(refused)
    expect(first.error).toBe(refused)
    const calls = [watch(pool.acquire()), watch(pool.acquire())]
    expect(bench.creates).toHaveLength(0)
    await bench.clock.advance(99)
    expect(bench.creates).toHaveLength(0)
    await bench.clock.advance(1)
    // The second waits until the first has told how it stands.
    expect(bench.creates).toHaveLength(1)
    await bench.make()
    expect(bench.creates).toHaveLength(1)
    await bench.make()
    expect(calls.map(({ state }) => state)).toEqual(['resolved', 'resolved'])
  })

  it('pauses for a millisecond at least', async () => {
    const bench = new Bench()
    let calls = 0
    const pool = bench.pool({
      min: 1,
      create: () => {
        calls++
        throw refused
      },
      backoff: { baseMs: 0 },
    })
    await bench.clock.advance(3)
    expect(calls).toBe(4)
    await pool.close()
  })

  it('gives up on one that takes too long, and destroys it when it comes', async () => {
    const bench = new Bench()
    const pool = bench.slowPool({ max: 1, createTimeoutMs: 400 })
    const call = watch(pool.acquire())
    const [create] = bench.creates
    await bench.clock.advance(400)
    expect(call.error).toMatchObject({ phase: 'call', timeoutMs: 400 })
    expect((call.error as Error).message).toBe('resource pool: create(): not done within 400 ms')
    expect(create?.signal.reason).toBe(call.error)
    expect(pool.stats.size).toBe(0)
    await bench.make()
    expect(bench.destroyed).toEqual([1])
    expect(pool.stats).toMatchObject({ size: 0, created: 0, destroyed: 1 })
  })
})

describe('ResourcePool.use()', () => {
  it('gives the resource back, and the result', async () => {
    const bench = new Bench()
    const pool = bench.pool({ max: 1 })
    expect(await pool.use(({ n }) => n + 10)).toBe(11)
    expect(await pool.use(async ({ n }) => n + 20)).toBe(21)
    expect(pool.stats).toMatchObject({ idle: 1, created: 1 })
  })

  it('destroys the resource when the function throws, unless it is reusable', async () => {
    const bench = new Bench()
    const asked: unknown[] = []
    const pool = bench.pool({
      max: 1,
      reusableAfter: (error, { n }) => {
        asked.push([error, n])
        return error === 'mild'
      },
    })
    expect(await rejection(pool.use(() => Promise.reject('mild')))).toBe('mild')
    expect(bench.destroyed).toEqual([])
    const harsh = (): never => {
      throw refused
    }
    expect(await rejection(pool.use(harsh))).toBe(refused)
    expect(bench.destroyed).toEqual([1])
    expect(asked).toEqual([
      ['mild', 1],
      [refused, 1],
    ])
    expect(await pool.use(({ n }) => n)).toBe(2)
  })

  it('destroys the resource by default, and calls nothing for an acquire that fails', async () => {
    const bench = new Bench()
    const pool = bench.pool()
    await rejection(pool.use(() => Promise.reject('mild')))
    expect(bench.destroyed).toEqual([1])
    let calls = 0
    const signal = AbortSignal.abort('no')
    expect(await rejection(pool.use(() => calls++, { signal }))).toBe('no')
    expect(await rejection(pool.use(null as never))).toBeInstanceOf(TypeError)
    expect(calls).toBe(0)
  })
})

describe('Lease', () => {
  it('goes back once, by whatever comes first', async () => {
    const bench = new Bench()
    const pool = bench.pool({ max: 1 })
    const lease = await pool.acquire()
    expect(lease.isHeld).toBe(true)
    lease.release()
    lease.discard()
    lease.release()
    expect(lease.isHeld).toBe(false)
    expect(bench.destroyed).toEqual([])
    const again = await pool.acquire()
    lease.discard()
    expect(again.isHeld).toBe(true)
    again.discard()
    again[Symbol.dispose]()
    expect(bench.destroyed).toEqual([1])
    expect(pool.stats).toMatchObject({ size: 1, destroying: 1 })
    await loopTurns(1)
    expect(pool.stats).toMatchObject({ size: 0, destroyed: 1 })
  })
})

describe('ResourcePool with validate', () => {
  it('never gives one that is broken: it is destroyed, and another one given', async () => {
    const bench = new Bench()
    const pool = bench.pool({ max: 3, validate: ({ isGood }) => isGood })
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])
    for (const lease of leases) lease.release()
    for (const { resource } of leases.slice(1)) resource.isGood = false
    using lease = await pool.acquire()
    expect(lease.resource.n).toBe(1)
    expect(bench.destroyed).toEqual([3, 2])
    expect(pool.stats).toMatchObject({ invalid: 2 })
  })

  it('looks at one that goes from hand to hand as well', async () => {
    const bench = new Bench()
    const pool = bench.pool({ max: 1, validate: ({ isGood }) => isGood })
    const first = await pool.acquire()
    const second = watch(pool.acquire())
    first.resource.isGood = false
    first.release()
    await loopTurns(1)
    expect(bench.destroyed).toEqual([1])
    expect(held(second).resource.n).toBe(2)
  })

  it('takes an error, a rejection and too long a time for a no', async () => {
    const bench = new Bench()
    const answers: (() => boolean | Promise<boolean>)[] = [
      () => {
        throw refused
      },
      () => Promise.reject(refused),
      () => new Promise(() => {}),
      () => Promise.resolve(false),
      () => Promise.resolve(true),
    ]
    const pool = bench.pool({
      max: 1,
      validateTimeoutMs: 70,
      validate: () => (answers.shift() as () => boolean)(),
    })
    await pool.use(() => {})
    for (const n of [2, 3]) expect(await pool.use((line) => line.n)).toBe(n)
    const slow = watch(pool.use((line) => line.n))
    await loopTurns(1)
    expect(pool.stats).toMatchObject({ validating: 1, waiting: 1, size: 1 })
    await bench.clock.advance(70)
    expect(slow.value).toBe(4)
    for (const n of [5, 5]) expect(await pool.use((line) => line.n)).toBe(n)
    expect(pool.stats).toMatchObject({ invalid: 4, created: 5, destroyed: 4 })
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('keeps one that was found good when nobody waits for it any more', async () => {
    const bench = new Bench()
    const verdict = deferred<boolean>()
    const pool = bench.pool({ validate: () => verdict.promise })
    await pool.use(() => {})
    const controller = new AbortController()
    const call = watch(pool.acquire({ signal: controller.signal }))
    controller.abort()
    verdict.resolve(true)
    await loopTurns(1)
    expect(call.state).toBe('rejected')
    expect(pool.stats).toMatchObject({ idle: 1, validating: 0, leased: 0 })
  })

  it('can look at any number of broken ones in one go', async () => {
    const bench = new Bench()
    const pool = bench.pool({ max: 5_000, validate: ({ isGood }) => isGood })
    const leases = await Promise.all(Array.from({ length: 5_000 }, () => pool.acquire()))
    for (const lease of leases) lease.release()
    for (const { resource } of leases) resource.isGood = false
    using lease = await pool.acquire()
    expect(lease.resource.n).toBe(5_001)
    expect(pool.stats).toMatchObject({ invalid: 5_000, size: 1 })
  })
})

describe('ResourcePool with min, idleMs and maxLifetimeMs', () => {
  it('makes min by itself, and makes up for those that are lost', async () => {
    const bench = new Bench()
    const pool = bench.pool({ min: 2, max: 3 })
    await loopTurns(1)
    expect(pool.stats).toMatchObject({ idle: 2, created: 2 })
    const lease = await pool.acquire()
    lease.discard()
    await loopTurns(2)
    expect(pool.stats).toMatchObject({ idle: 2, created: 3 })
  })

  it('tells the logger when it cannot, and tries again after a pause', async () => {
    const bench = new Bench()
    const pool = bench.slowPool({ min: 1, name: 'lines' })
    await loopTurns(1)
    await bench.fail(refused)
    expect(bench.logger.records).toEqual([
      {
        level: 'warn',
        fields: { err: refused },
        message: 'lines: could not make one of its resources',
      },
    ])
    await bench.clock.advance(100)
    await bench.make()
    expect(pool.stats).toMatchObject({ idle: 1, createFailures: 1 })
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('destroys what nobody has used for idleMs, but not the last min', async () => {
    const bench = new Bench()
    const pool = bench.pool({ min: 1, max: 3, idleMs: 1_000 })
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()])
    leases[1]?.release()
    await bench.clock.advance(400)
    leases[0]?.release()
    leases[2]?.release()
    await bench.clock.advance(599)
    expect(bench.destroyed).toEqual([])
    await bench.clock.advance(1)
    expect(bench.destroyed).toEqual([2])
    await bench.clock.advance(400)
    expect(bench.destroyed).toEqual([2, 1])
    await bench.clock.advance(100_000)
    expect(bench.destroyed).toEqual([2, 1])
    expect(pool.stats).toMatchObject({ idle: 1, destroyed: 2 })
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('gives none that is older than maxLifetimeMs, wherever it is when it gets so old', async () => {
    const bench = new Bench()
    const pool = bench.pool({ max: 3, maxLifetimeMs: 1_000, backoff: { random: () => 0 } })
    const [idle, lent] = await Promise.all([pool.acquire(), pool.acquire()])
    idle.release()
    await bench.clock.advance(1_000)
    expect(bench.destroyed).toEqual([1])
    expect(lent.isHeld).toBe(true)
    lent.release()
    expect(bench.destroyed).toEqual([1, 2])
    using lease = await pool.acquire()
    expect(lease.resource.n).toBe(3)
  })

  it('looks at the age itself when the timer is late', async () => {
    const bench = new Bench()
    const late = {
      now: () => bench.clock.now(),
      setTimeout: () => undefined,
      clearTimeout: () => {},
    }
    const pool = bench.pool({ maxLifetimeMs: 1_000, clock: late })
    await pool.use(() => {})
    await bench.clock.advance(1_000)
    using lease = await pool.acquire()
    expect(lease.resource.n).toBe(2)
    expect(bench.destroyed).toEqual([1])
  })

  it('spreads the ends of those that were made together over a tenth of the time', async () => {
    const bench = new Bench()
    const chances = [0, 1, 0.5]
    const random = (): number => chances.shift() ?? 0
    const pool = bench.pool({ min: 3, max: 3, maxLifetimeMs: 1_000, backoff: { random } })
    await bench.clock.advance(899)
    expect(bench.destroyed).toEqual([])
    await bench.clock.advance(1)
    expect(bench.destroyed).toEqual([2])
    await bench.clock.advance(50)
    expect(bench.destroyed).toEqual([2, 3])
    await bench.clock.advance(50)
    expect(bench.destroyed).toEqual([2, 3, 1])
    expect(pool.stats).toMatchObject({ idle: 3, created: 6 })
    await pool.close()
    expect(bench.clock.pendingTimers).toBe(0)
  })
})

describe('ResourcePool, destroying', () => {
  it('never has more than max, one that is being destroyed included', async () => {
    const bench = new Bench()
    const gate = deferred()
    const pool = bench.pool({ max: 1, destroy: () => gate.promise })
    const lease = await pool.acquire()
    lease.discard()
    const next = watch(pool.acquire())
    await loopTurns(2)
    expect(pool.stats).toMatchObject({ size: 1, destroying: 1, waiting: 1 })
    gate.resolve()
    await loopTurns(2)
    expect(held(next).resource.n).toBe(2)
  })

  it('passes over what takes too long, and tells the logger of all that fails', async () => {
    const bench = new Bench()
    const stuck = deferred()
    const ends = [() => stuck.promise, () => Promise.reject(refused)]
    const pool = bench.pool({
      max: 1,
      destroyTimeoutMs: 30,
      destroy: () => (ends.shift() as () => Promise<void>)(),
    })
    ;(await pool.acquire()).discard()
    const next = watch(pool.acquire())
    await bench.clock.advance(30)
    held(next).discard()
    await loopTurns(1)
    stuck.reject(new Error('too late'))
    await loopTurns(1)
    expect(bench.logger.records.map(({ fields }) => (fields['err'] as Error).message)).toEqual([
      'resource pool: destroy(): not done within 30 ms',
      'refused',
      'too late',
    ])
    expect(pool.stats).toMatchObject({ size: 0, destroyed: 2 })
  })

  it('disposes of a resource by its own method unless told otherwise', async () => {
    const ended: string[] = []
    const kinds = [
      { [Symbol.asyncDispose]: async () => void ended.push('async') },
      { [Symbol.dispose]: () => void ended.push('sync') },
      'plain',
    ]
    for (const kind of kinds) {
      const pool = new ResourcePool<unknown>({ max: 1, create: () => kind })
      await pool.use(() => {})
      await pool.close()
    }
    expect(ended).toEqual(['async', 'sync'])
  })
})

describe('ResourcePool.close()', () => {
  it('turns those who wait away, destroys what is idle, and waits for what is lent', async () => {
    const bench = new Bench()
    const pool = bench.pool({ max: 2 })
    const [first, second] = await Promise.all([pool.acquire(), pool.acquire()])
    const waiting = watch(pool.acquire())
    first.release()
    const other = watch(pool.acquire())
    await loopTurns(1)
    held(waiting).release()
    await loopTurns(1)
    held(other).release()
    const third = watch(pool.acquire())
    const fourth = watch(pool.acquire())
    await loopTurns(1)
    const closing = watch(pool.close())
    expect(pool.isClosed).toBe(true)
    await bench.clock.advance(10)
    expect(fourth.error).toBeInstanceOf(ClosedError)
    expect((fourth.error as Error).message).toBe(
      'resource pool: it is closed and gives nothing any more',
    )
    expect(await rejection(pool.acquire())).toBeInstanceOf(ClosedError)
    expect(bench.destroyed).toEqual([])
    second.release()
    held(third).release()
    await loopTurns(1)
    expect(bench.destroyed).toEqual([2, 1])
    expect(closing.value).toEqual({ drained: 2, cut: 0, durationMs: 10 })
    expect(pool.stats.size).toBe(0)
    expect(bench.clock.pendingTimers).toBe(0)
    expect(await pool.close()).toBe(closing.value)
    expect(await pool.close({ graceMs: 5 })).toBe(closing.value)
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('destroys what is still lent when the grace is over, under whoever has it', async () => {
    const bench = new Bench()
    const pool = bench.pool()
    const [kept, back] = await Promise.all([pool.acquire(), pool.acquire()])
    const closing = watch(pool.close())
    await bench.clock.advance(9_999)
    back.release()
    expect(closing.state).toBe('pending')
    await bench.clock.advance(1)
    expect(closing.value).toEqual({ drained: 1, cut: 1, durationMs: 10_000 })
    expect(bench.destroyed).toEqual([2, 1])
    expect(kept.isHeld).toBe(false)
    kept.release()
    kept.discard()
    expect(pool.stats).toMatchObject({ size: 0, destroyed: 2 })
  })

  it('has its grace shortened by a later call, and not lengthened', async () => {
    const bench = new Bench()
    const pool = bench.pool()
    await pool.acquire()
    const closing = watch(pool.close({ graceMs: 1_000 }))
    void pool.close({ graceMs: 9_000 })
    void pool.close({ graceMs: 300 })
    void pool.close({ graceMs: 8_000 })
    await bench.clock.advance(299)
    expect(closing.state).toBe('pending')
    await bench.clock.advance(1)
    expect(closing.value).toMatchObject({ cut: 1 })

    const other = bench.pool()
    await other.acquire()
    void other.close()
    expect(await other.close({ graceMs: 0 })).toMatchObject({ cut: 1 })
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('aborts what is being made, and destroys what comes all the same', async () => {
    const bench = new Bench()
    const pool = bench.slowPool({ max: 3 })
    const calls = [watch(pool.acquire()), watch(pool.acquire())]
    const [create] = bench.creates
    const closing = watch(pool.close())
    await loopTurns(1)
    expect(calls.map(({ error }) => error instanceof ClosedError)).toEqual([true, true])
    expect(create?.signal.reason).toBeInstanceOf(ClosedError)
    await bench.fail(create?.signal.reason)
    expect(closing.state).toBe('pending')
    await bench.make()
    expect(closing.value).toMatchObject({ drained: 0, cut: 0 })
    expect(bench.destroyed).toEqual([1])
    expect(bench.logger.records).toEqual([])
  })

  it('does not wait longer than the grace for what is being made or looked at', async () => {
    const bench = new Bench()
    const verdict = deferred<boolean>()
    let isFirst = true
    const pool = bench.slowPool({ max: 2, validate: () => verdict.promise })
    const lease = watch(pool.acquire())
    await bench.make()
    held(lease).release()
    const calls = [watch(pool.acquire()), watch(pool.acquire())]
    await loopTurns(1)
    expect(pool.stats).toMatchObject({ creating: 1, validating: 1 })
    const closing = watch(pool.close({ graceMs: 20 }))
    closing.promise.finally(() => (isFirst = false)).catch(() => {})
    await bench.clock.advance(19)
    expect(isFirst).toBe(true)
    await bench.clock.advance(1)
    expect(closing.value).toMatchObject({ cut: 0 })
    expect(bench.destroyed).toEqual([1])
    expect(calls.every(({ state }) => state === 'rejected')).toBe(true)
    await bench.make()
    verdict.resolve(true)
    await loopTurns(1)
    expect(bench.destroyed).toEqual([1, 2])
    expect(pool.stats).toMatchObject({ size: 0, idle: 0 })
    expect(bench.clock.pendingTimers).toBe(0)
  })

  it('takes signal and timeoutMs for the wait alone', async () => {
    const bench = new Bench()
    const pool = bench.pool()
    const lease = await pool.acquire()
    expect(await rejection(pool.close({ signal: AbortSignal.abort('no') }))).toBe('no')
    expect(await rejection(pool.close({ graceMs: -1 }))).toEqual(
      new RangeError('graceMs must be a number of milliseconds, 0 or more, not -1'),
    )
    expect(pool.isClosed).toBe(false)
    const late = watch(pool.close({ timeoutMs: 5 }))
    await bench.clock.advance(5)
    expect(late.error).toBeInstanceOf(TimeoutError)
    lease.release()
    await pool[Symbol.asyncDispose]()
    expect(bench.destroyed).toEqual([1])
  })
})

describe('new ResourcePool()', () => {
  it('refuses what has no meaning', () => {
    const create = (): number => 1
    const make = (options: object) => () => new ResourcePool({ max: 1, create, ...options })
    expect(make({ max: 0 })).toThrow(new RangeError('max must be a whole number above 0, not 0'))
    expect(make({ min: -1 })).toThrow(
      new RangeError('min must be a whole number 0 or above, not -1'),
    )
    expect(make({ min: 2 })).toThrow(new RangeError('min must not be above max, which is 1, not 2'))
    expect(make({ idleMs: 0 })).toThrow(
      new RangeError('idleMs must be a number of milliseconds above 0, not 0'),
    )
    expect(make({ createTimeoutMs: NaN })).toThrow(RangeError)
    expect(make({ backoff: { baseMs: -1 } })).toThrow(RangeError)
    expect(make({ create: 5 })).toThrow(new TypeError('create must be a function, not number'))
    expect(make({ destroy: 5 })).toThrow(TypeError)
    expect(make({ validate: 5 })).toThrow(TypeError)
    expect(make({ reusableAfter: 5 })).toThrow(TypeError)
  })
})
