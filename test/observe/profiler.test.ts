/** The profiler: what it counts and measures, and that it changes nothing of what it measures. */
import { describe, expect, expectTypeOf, it } from 'vitest'
import { systemClock } from '../../src/concurrency/clock.js'
import { deferred } from '../../src/concurrency/deferred.js'
import { Profiler, type ProfileEntry } from '../../src/observe/profiler.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { rejection } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

function scene(maxNames?: number): { profiler: Profiler; clock: FakeClock } {
  const clock = new FakeClock()
  return { profiler: new Profiler({ clock, maxNames }), clock }
}

/** What stands beside the times: the parts of an entry that are counts. */
function counts(entry: ProfileEntry | undefined): unknown {
  return entry && { count: entry.count, errors: entry.errors, active: entry.active }
}

describe('Profiler.wrap()', () => {
  it('keeps this, the arguments, the result and the name', () => {
    const { profiler } = scene()
    const counter = {
      step: 2,
      add: profiler.wrap('add', function add(this: { step: number }, n: number) {
        return n + this.step
      }),
    }
    expect(counter.add(40)).toBe(42)
    expect(counter.add.name).toBe('add')
    expectTypeOf(counter.add).parameters.toEqualTypeOf<[number]>()
    expect(counts(profiler.get('add'))).toEqual({ count: 1, errors: 0, active: 0 })
  })

  it('measures a promise until it settles, and those that run at once each for itself', async () => {
    const { profiler, clock } = scene()
    const gates = [deferred<string>(), deferred<string>()]
    const read = profiler.wrap('read', (n: number) => gates[n]?.promise)
    const first = read(0)
    await clock.advance(100)
    const second = read(1)
    expect(profiler.get('read')).toMatchObject({ count: 0, active: 2 })
    await clock.advance(200)
    gates[0]?.resolve('a')
    expect(await first).toBe('a')
    gates[1]?.resolve('b')
    expect(await second).toBe('b')
    expect(profiler.get('read')).toMatchObject({
      count: 2,
      active: 0,
      totalMs: 500,
      minMs: 200,
      meanMs: 250,
      maxMs: 300,
    })
  })

  it('lets what is thrown pass, and counts it', () => {
    const { profiler } = scene()
    const error = new Error('no')
    const fail = profiler.wrap('fail', () => {
      throw error
    })
    expect(thrownBy(fail)).toBe(error)
    expect(counts(profiler.get('fail'))).toEqual({ count: 1, errors: 1, active: 0 })
  })

  it('lets a rejection pass, and counts it', async () => {
    const { profiler, clock } = scene()
    const gate = deferred()
    const fail = profiler.wrap('fail', () => gate.promise)
    const failed = rejection(fail())
    await clock.advance(5)
    gate.reject('no')
    expect(await failed).toBe('no')
    expect(profiler.get('fail')).toMatchObject({ count: 1, errors: 1, active: 0, maxMs: 5 })
  })

  it('does not hide a rejection that nobody handles', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => {
      unhandled.push(reason)
    }
    process.on('unhandledRejection', note)
    try {
      const { profiler } = scene()
      void profiler.measure('fail', () => Promise.reject(new Error('nobody sees it')))
      await new Promise((resolve) => setImmediate(resolve))
      expect(unhandled).toEqual([new Error('nobody sees it')])
    } finally {
      process.off('unhandledRejection', note)
    }
  })

  it('hands on a thenable that is no promise untouched', () => {
    const { profiler } = scene()
    let asked = 0
    // oxlint-disable-next-line unicorn/no-thenable -- what a lazy query builder looks like
    const lazy = { then: () => asked++ }
    expect(profiler.measure('query', () => lazy)).toBe(lazy)
    expect(asked).toBe(0)
    expect(counts(profiler.get('query'))).toEqual({ count: 1, errors: 0, active: 0 })
  })

  it('refuses what is no function', () => {
    const { profiler } = scene()
    expect(() => profiler.wrap('x', 5 as never)).toThrow(
      new TypeError('fn must be a function, not number'),
    )
    expect(() => profiler.measure('x', undefined as never)).toThrow(TypeError)
    expect(profiler.entries()).toEqual([])
  })
})

describe('Profiler.profile()', () => {
  it('is a decorator: the function after the name', async () => {
    const { profiler } = scene()
    const double = profiler.profile('double')(async (n: number) => n * 2)
    expect(await double(21)).toBe(42)
    expect(profiler.get('double')?.count).toBe(1)
  })
})

describe('Profiler.start()', () => {
  it('measures to the end of its scope', async () => {
    const { profiler, clock } = scene()
    {
      using span = profiler.start('scope')
      expect(span).toBeDefined()
      expect(counts(profiler.get('scope'))).toEqual({ count: 0, errors: 0, active: 1 })
      await clock.advance(7)
    }
    expect(profiler.get('scope')).toMatchObject({ count: 1, errors: 0, active: 0, totalMs: 7 })
  })

  it('is over once, whatever is called afterwards', async () => {
    const { profiler, clock } = scene()
    using span = profiler.start('once')
    await clock.advance(3)
    expect(span.fail()).toBe(3)
    await clock.advance(3)
    expect(span.end()).toBe(3)
    expect(span.fail()).toBe(3)
    expect(counts(profiler.get('once'))).toEqual({ count: 1, errors: 1, active: 0 })
  })

  it('takes a clock that goes back for no time', () => {
    let now = 10
    const profiler = new Profiler({ clock: { ...systemClock, now: () => now-- } })
    profiler.start('back').end()
    expect(profiler.get('back')).toMatchObject({ count: 1, minMs: 0, maxMs: 0 })
  })
})

describe('Profiler', () => {
  it('has entries for people and machines, the most time first', async () => {
    const { profiler, clock } = scene()
    const take = async (name: string, ms: number): Promise<void> => {
      const span = profiler.start(name)
      await clock.advance(ms)
      span.end()
    }
    for (const ms of [10, 20, 30]) await take('slow', ms)
    await take('quick', 0.25)
    profiler.start('quick').fail()
    profiler.start('quick')
    expect(JSON.parse(JSON.stringify(profiler))).toEqual(profiler.entries())
    expect(profiler.entries().map(({ name }) => name)).toEqual(['slow', 'quick'])
    expect(profiler.get('slow')).toMatchObject({ totalMs: 60, minMs: 10, meanMs: 20, maxMs: 30 })
    expect(String(profiler).split('\n')).toEqual([
      'name   count  errors  active   total    min    mean      p50     p95     p99     max',
      'slow       3       0       0   60 ms  10 ms   20 ms  20.4 ms   30 ms   30 ms   30 ms',
      'quick      2       1       1  250 µs   0 ns  125 µs     0 ns  250 µs  250 µs  250 µs',
    ])
  })

  it('keeps so many names apart and counts the others together', () => {
    const { profiler } = scene(2)
    for (const name of ['a', 'b', 'c', 'd', 'a']) profiler.measure(name, () => {})
    const found = Object.fromEntries(profiler.entries().map(({ name, count }) => [name, count]))
    expect(found).toEqual({ a: 2, b: 1, '(other)': 2 })
    expect(profiler.get('c')).toBeUndefined()
  })

  it('forgets what is over, and goes on with what runs', async () => {
    const { profiler, clock } = scene()
    const call = profiler.wrap('call', () => {})
    call()
    profiler.start('call').fail()
    const running = profiler.start('call')
    profiler.reset()
    expect(profiler.get('call')).toMatchObject({ count: 0, errors: 0, active: 1, maxMs: 0 })
    await clock.advance(4)
    running.end()
    call()
    expect(profiler.get('call')).toMatchObject({ count: 2, errors: 0, active: 0, maxMs: 4 })
  })

  it('measures on the clock of the process by default', () => {
    const profiler = new Profiler()
    profiler.measure('loop', () => {
      for (const end = performance.now() + 5; performance.now() < end;);
    })
    const { maxMs = 0 } = profiler.get('loop') ?? {}
    expect(maxMs).toBeGreaterThanOrEqual(5)
    expect(maxMs).toBeLessThan(5000)
  })

  it('refuses names that are none, and a bound that is none', () => {
    expect(() => new Profiler().start(undefined as never)).toThrow(TypeError)
    expect(() => new Profiler({ maxNames: 0 })).toThrow(RangeError)
    expect(() => new Profiler({ maxNames: NaN })).toThrow(RangeError)
  })
})
