/** What happens at the very moment when a resource is handed over: all orders of it. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { deferred, type Deferred } from '../../src/concurrency/deferred.js'
import type { Lease } from '../../src/concurrency/lease.js'
import type { ResourcePoolOptions } from '../../src/concurrency/resource-pool-options.js'
import { ResourcePool } from '../../src/concurrency/resource-pool.js'
import { ClosedError } from '../../src/errors.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, interleave, type Gap, type Step } from '../support/all-orders.js'
import { HeldTimers } from '../support/held-timers.js'
import { watch, type Watched } from '../support/settled.js'

const GAPS: readonly Gap[] = ['at once', 1, 'turn']

interface Taker {
  readonly name: string
  readonly controller: AbortController
  result: Watched<Lease<number>> | undefined
  wasAborted: boolean
}

/** A pool, those who take from it, and what may never be so. */
class Scene {
  readonly pool: ResourcePool<number>
  readonly takers: Taker[] = []
  readonly creates: Deferred<number>[] = []
  /** Those that exist, and that is all that may be lent. */
  readonly #alive = new Set<number>()
  readonly #timers = new HeldTimers()
  readonly #max: number
  /** Who acquired, and who was given something: in the order of it. */
  readonly #asked: string[] = []
  readonly #granted: string[] = []
  #made = 0
  #mayFail = false
  #nowMs = 0

  constructor(max: number, options: Partial<ResourcePoolOptions<number>> = {}) {
    this.#max = max
    this.pool = new ResourcePool<number>({
      max,
      create: async () => this.#make(),
      destroy: (n) => {
        assert.ok(this.#alive.delete(n), `${n} was destroyed twice`)
      },
      logger: false,
      // Time passes when the timers are let go, and not before.
      clock: {
        now: () => this.#nowMs,
        setTimeout: (callback) => this.#timers.setTimeout(callback),
        clearTimeout: (timer) => this.#timers.clearTimeout(timer),
      },
      ...options,
    })
  }

  /** A `create` that waits until a step lets it go on. */
  readonly slowCreate = (): Promise<number> => {
    const gate = deferred<number>()
    this.creates.push(gate)
    return gate.promise
  }

  taker(name: string): Taker {
    const controller = new AbortController()
    const taker: Taker = { name, controller, result: undefined, wasAborted: false }
    this.takers.push(taker)
    return taker
  }

  acquire(taker: Taker): Step {
    return {
      name: `${taker.name} acquires`,
      run: () => {
        this.#asked.push(taker.name)
        const call = this.pool.acquire({ signal: taker.controller.signal })
        taker.result = watch(call)
        void call.then(
          ({ resource }) => {
            this.#granted.push(taker.name)
            assert.ok(this.#alive.has(resource), `${taker.name} got ${resource}, which is gone`)
          },
          () => {},
        )
      },
    }
  }

  release(taker: Taker): Step {
    return { name: `${taker.name} releases`, run: () => taker.result?.value?.release() }
  }

  discard(taker: Taker): Step {
    return { name: `${taker.name} discards`, run: () => taker.result?.value?.discard() }
  }

  abort(taker: Taker): Step {
    return {
      name: `${taker.name} is aborted`,
      run: () => {
        taker.wasAborted = true
        taker.controller.abort(taker.name)
      },
    }
  }

  made(): Step {
    return { name: 'one is made', run: () => this.creates.shift()?.resolve(this.#make()) }
  }

  failed(): Step {
    this.#mayFail = true
    return { name: 'one fails', run: () => this.creates.shift()?.reject(new Error('refused')) }
  }

  close(): Step {
    return { name: 'the pool closes', run: () => void this.pool.close() }
  }

  /** Lets everything go on until nothing more happens, and looks at it. */
  async finish(): Promise<void> {
    await loopTurns(1)
    this.#check()
    const isHeld = ({ result }: Taker): boolean => result?.value?.isHeld === true
    const isWaiting = ({ result }: Taker): boolean => result?.state === 'pending'
    for (let round = 0; this.takers.some((taker) => isHeld(taker) || isWaiting(taker)); round++) {
      assert.ok(round < 50, 'it goes on for ever')
      for (const taker of this.takers.filter(isHeld)) this.release(taker).run()
      for (const gate of this.creates.splice(0)) gate.resolve(this.#make())
      await loopTurns(1)
      this.#check()
      if (this.pool.stats.creating + this.pool.stats.validating === 0) {
        this.#nowMs += 60_000
        this.#timers.fire()
      }
    }
    for (const gate of this.creates.splice(0)) gate.resolve(this.#make())
    for (const { name, controller, result, wasAborted } of this.takers) {
      assert.notEqual(result?.state, 'pending', `${name} still waits`)
      assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
      if (result?.state !== 'rejected') continue
      const isRefused = this.#mayFail && (result.error as Error).message === 'refused'
      const isClosed = this.pool.isClosed && result.error instanceof ClosedError
      assert.ok(isRefused || isClosed || (wasAborted && result.error === name), name)
    }
    const inTurn = this.#asked.filter((name) => this.#granted.includes(name))
    assert.deepEqual(this.#granted, inTurn)
    const report = await this.pool.close()
    assert.equal(report.cut, 0)
    assert.equal(this.#alive.size, 0)
    assert.equal(this.pool.stats.size, 0)
    assert.equal(this.#timers.pending, 0)
  }

  #make(): number {
    this.#alive.add(++this.#made)
    return this.#made
  }

  #check(): void {
    const { size, leased, creating, waiting } = this.pool.stats
    assert.ok(size <= this.#max)
    const lent = this.takers.filter(({ result }) => result?.value?.isHeld === true)
    assert.equal(lent.length, leased)
    assert.equal(new Set(lent.map(({ result }) => result?.value?.resource)).size, leased)
    // Who waits does so since nothing is to be had, or for the end of a pause.
    const mayWait = leased + creating === this.#max || creating > 0 || this.#timers.pending > 0
    assert.ok(waiting === 0 || mayWait)
  }
}

describe('ResourcePool in all orders', () => {
  test('release, acquire and abort: what goes from hand to hand is never lost or doubled', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(1)
      const [a, b, c] = [scene.taker('a'), scene.taker('b'), scene.taker('c')]
      scene.acquire(a).run()
      await loopTurns(1)
      const scripts = [
        [scene.acquire(b), scene.release(b)],
        [scene.acquire(c)],
        [scene.release(a)],
        [scene.abort(b)],
      ]
      await interleave(choose, scripts, GAPS)
      await scene.finish()
    })
    expect(runs).toBe(60 * 3 ** 4)
  })

  test('an abort while the resource is being looked at: it goes to the next', async () => {
    const runs = await inAllOrders(async (choose) => {
      const verdicts: Deferred<boolean>[] = []
      const scene = new Scene(1, {
        validate: () => {
          const verdict = deferred<boolean>()
          verdicts.push(verdict)
          return verdict.promise
        },
      })
      const [a, b, c] = [scene.taker('a'), scene.taker('b'), scene.taker('c')]
      scene.acquire(a).run()
      await loopTurns(1)
      const isGood = choose([true, false])
      const say = (): Step => ({
        name: `it is ${isGood ? 'good' : 'broken'}`,
        run: () => verdicts.shift()?.resolve(isGood),
      })
      scene.acquire(b).run()
      const scripts = [[scene.release(a), say(), say()], [scene.acquire(c)], [scene.abort(b)]]
      await interleave(choose, scripts, GAPS)
      const finishing = watch(scene.finish())
      while (finishing.state === 'pending') {
        for (const verdict of verdicts.splice(0)) verdict.resolve(true)
        await loopTurns(1)
      }
      await finishing.promise
    })
    expect(runs).toBe(2 * 20 * 3 ** 4)
  })

  test('made, failed and aborted: each who waits gets one, the failure, or the reason', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene: Scene = new Scene(2, { create: () => scene.slowCreate() })
      const [a, b, c] = [scene.taker('a'), scene.taker('b'), scene.taker('c')]
      scene.acquire(a).run()
      const scripts = [
        [scene.acquire(b), scene.acquire(c)],
        [scene.made()],
        [scene.failed()],
        [scene.abort(a)],
      ]
      await interleave(choose, scripts, GAPS)
      await scene.finish()
    })
    expect(runs).toBe(60 * 3 ** 4)
  })

  test('a close at any moment: all are turned away, nothing is left', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene: Scene = new Scene(2, { create: () => scene.slowCreate() })
      const [a, b] = [scene.taker('a'), scene.taker('b')]
      scene.acquire(a).run()
      const scripts = [
        [scene.made(), scene.release(a)],
        [scene.acquire(b)],
        [scene.failed()],
        [scene.close()],
      ]
      await interleave(choose, scripts)
      await scene.finish()
    })
    expect(runs).toBe(60 * 2 ** 4)
  })

  test('a discard, an abort and a close: what is discarded is destroyed once', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(1)
      const [a, b] = [scene.taker('a'), scene.taker('b')]
      scene.acquire(a).run()
      await loopTurns(1)
      const scripts = [
        [scene.discard(a), scene.release(a)],
        [scene.acquire(b)],
        [scene.abort(b)],
        [scene.close()],
      ]
      await interleave(choose, scripts)
      await scene.finish()
    })
    expect(runs).toBe(60 * 2 ** 4)
  })
})
