/** Any calls in any order, beside a model that is nothing but lists. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { deferred, type Deferred } from '../../src/concurrency/deferred.js'
import type { Lease } from '../../src/concurrency/lease.js'
import { ResourcePool } from '../../src/concurrency/resource-pool.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { watch, type Watched } from '../support/settled.js'

interface Line {
  readonly n: number
  isGood: boolean
}

interface Call {
  readonly result: Watched<Lease<Line>>
  readonly controller: AbortController
}

/** Who has what, by the rules: a line of those who wait, a stack of what is idle, and how many are being made. */
class Model {
  readonly line: number[] = []
  readonly idle: Line[] = []
  readonly held = new Map<number, Line>()
  readonly outcomes: string[] = []
  making = 0
  isPausing = false
  hasFailed = false
  readonly #max: number
  readonly #min: number

  constructor(min: number, max: number) {
    this.#min = min
    this.#max = max
  }

  get size(): number {
    return this.idle.length + this.held.size + this.making
  }

  acquire(): void {
    const n = this.outcomes.push('waits') - 1
    this.line.push(n)
    this.supply()
  }

  abort(n: number): void {
    const at = this.line.indexOf(n)
    if (at === -1) return
    this.line.splice(at, 1)
    this.outcomes[n] = 'aborted'
  }

  give(line: Line): void {
    const n = this.line.shift()
    if (n === undefined) this.idle.push(line)
    else {
      this.held.set(n, line)
      this.outcomes[n] = `got ${line.n}`
    }
  }

  back(n: number, isWanted: boolean): void {
    const line = this.held.get(n)
    if (line === undefined) return
    this.held.delete(n)
    this.outcomes[n] = 'done'
    // Who waits takes none that is broken; what nobody waits for is looked at later.
    if (isWanted && (line.isGood || this.line.length === 0)) this.give(line)
    this.supply()
  }

  made(line: Line): void {
    this.making--
    this.hasFailed = false
    this.isPausing = false
    this.give(line)
    this.supply()
  }

  failed(): void {
    this.making--
    this.hasFailed = true
    this.isPausing = true
    const reject = (n: number | undefined): void => {
      if (n !== undefined) this.outcomes[n] = 'refused'
    }
    reject(this.line.shift())
    if (this.size === 0) for (const n of this.line.splice(0)) reject(n)
  }

  pauseEnds(): void {
    this.isPausing = false
    this.supply()
  }

  supply(): void {
    const mayMake = (): boolean =>
      this.size < this.#max && !this.isPausing && !(this.hasFailed && this.making > 0)
    while (this.line.length > this.making) {
      const line = this.idle.pop()
      if (line?.isGood === true) this.give(line)
      else if (line === undefined) {
        if (!mayMake()) break
        this.making++
      }
    }
    while (this.size < this.#min && mayMake()) this.making++
  }
}

const which = fc.nat(30)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('acquire' as const), which }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('discard' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), which }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('make' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('break' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause' as const), which }) },
)

test('ResourcePool, as a property: who has what is as the model says, whatever is called in whatever order', async () => {
  const sizes = fc.record({ min: fc.nat(3), more: fc.integer({ min: 1, max: 3 }) })
  await fc.assert(
    fc.asyncProperty(sizes, fc.array(step, { maxLength: 60 }), async ({ min, more }, steps) => {
      const clock = new FakeClock()
      const creates: Deferred<Line>[] = []
      const alive = new Set<Line>()
      const all: Line[] = []
      const calls: Call[] = []
      const refused = new Error('refused')
      const pool = new ResourcePool<Line>({
        min,
        max: min + more,
        create: () => {
          const gate = deferred<Line>()
          creates.push(gate)
          return gate.promise
        },
        destroy: (line) => {
          expect(alive.delete(line)).toBe(true)
        },
        validate: ({ isGood }) => isGood,
        backoff: { baseMs: 100, maxDelayMs: 100, random: () => 1 },
        logger: false,
        clock,
      })
      const model = new Model(min, min + more)
      model.supply()
      await loopTurns(1)

      const make = (): Line => {
        const line = { n: all.length, isGood: true }
        all.push(line)
        alive.add(line)
        return line
      }
      const play = async ({ kind, which: n }: { kind: string; which: number }): Promise<void> => {
        const at = n % Math.max(calls.length, 1)
        const call = calls[at]
        if (kind === 'acquire') {
          const controller = new AbortController()
          const result = watch(pool.acquire({ signal: controller.signal }))
          calls.push({ result, controller })
          model.acquire()
        } else if (kind === 'release' || kind === 'discard') {
          call?.result.value?.[kind]()
          model.back(at, kind === 'release')
        } else if (kind === 'abort') {
          call?.controller.abort()
          model.abort(at)
        } else if (kind === 'make' && creates.length > 0) {
          const line = make()
          creates.shift()?.resolve(line)
          model.made(line)
        } else if (kind === 'fail' && creates.length > 0) {
          creates.shift()?.reject(refused)
          model.failed()
        } else if (kind === 'break') {
          const line = all[n % Math.max(all.length, 1)]
          if (line !== undefined) line.isGood = false
        } else if (kind === 'pause') {
          await clock.advance(100)
          model.pauseEnds()
        }
        await loopTurns(2)
      }

      const isSame = (): void => {
        expect(pool.stats).toMatchObject({
          idle: model.idle.length,
          leased: model.held.size,
          creating: model.making,
          waiting: model.line.length,
          destroying: 0,
        })
        const outcomes = calls.map(({ result: { state, value, error } }) => {
          if (state === 'pending') return 'waits'
          if (state === 'rejected') return error === refused ? 'refused' : 'aborted'
          return value?.isHeld === true ? `got ${value.resource.n}` : 'done'
        })
        expect(outcomes).toEqual(model.outcomes)
        expect(alive.size).toBe(model.idle.length + model.held.size)
      }

      isSame()
      for (const one of steps) {
        await play(one)
        isSame()
      }
      const closing = watch(pool.close({ graceMs: 50 }))
      for (const gate of creates.splice(0)) gate.resolve(make())
      await clock.advance(50)
      expect(closing.value).toMatchObject({ drained: 0, cut: model.held.size })
      expect(calls.every(({ result }) => result.state !== 'pending')).toBe(true)
      expect({ alive: alive.size, timers: clock.pendingTimers }).toEqual({ alive: 0, timers: 0 })
    }),
    { numRuns: 300 },
  )
})
