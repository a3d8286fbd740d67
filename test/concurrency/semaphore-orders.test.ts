import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Permit } from '../../src/concurrency/permit.js'
import { Semaphore } from '../../src/concurrency/semaphore.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, interleave, type Step } from '../support/all-orders.js'
import { HeldTimers } from '../support/held-timers.js'
import { watch, type Watched } from '../support/settled.js'

/** One who acquires, and what should have become of it by the rules. */
interface Taker {
  readonly name: string
  readonly controller: AbortController
  readonly timed: boolean
  result: Watched<Permit> | undefined
  expected: 'pending' | 'resolved' | 'rejected'
  isReleased: boolean
}

/** Runs the rules beside the semaphore: who has a permit is decided at the moment of each call. */
class Scene {
  readonly timers = new HeldTimers()
  readonly semaphore: Semaphore
  readonly takers: Taker[] = []
  readonly #permits: number
  #free: number
  readonly #line: Taker[] = []
  /** Who got a permit, as it happened and as it should have. */
  readonly #granted: string[] = []
  readonly #order: string[] = []

  constructor(permits: number) {
    this.semaphore = new Semaphore(permits, { clock: this.timers })
    this.#permits = permits
    this.#free = permits
  }

  taker(name: string, timed = false): Taker {
    const taker: Taker = {
      name,
      controller: new AbortController(),
      timed,
      result: undefined,
      expected: 'pending',
      isReleased: false,
    }
    this.takers.push(taker)
    return taker
  }

  acquire(taker: Taker): Step {
    return {
      name: `${taker.name} acquires`,
      run: () => {
        const { signal } = taker.controller
        const call = this.semaphore.acquire(taker.timed ? { signal, timeoutMs: 9 } : { signal })
        taker.result = watch(call)
        void call.then(
          () => this.#granted.push(taker.name),
          () => {},
        )
        if (signal.aborted) taker.expected = 'rejected'
        else if (this.#free > 0) this.#grant(taker)
        else this.#line.push(taker)
      },
    }
  }

  /** Frees whatever the rules say that this one has, as its own code would. */
  release(taker: Taker): Step {
    return {
      name: `${taker.name} releases`,
      run: () => {
        const permit = taker.result?.value
        if (permit === undefined || taker.isReleased) return
        permit.release()
        taker.isReleased = true
        this.#free++
        const next = this.#line.shift()
        if (next !== undefined) this.#grant(next)
      },
    }
  }

  abort(taker: Taker): Step {
    return {
      name: `${taker.name} is aborted`,
      run: () => {
        taker.controller.abort(taker.name)
        this.#leave(taker)
      },
    }
  }

  timeout(): Step {
    return {
      name: 'time is over',
      run: () => {
        this.timers.fire()
        for (const taker of this.takers) if (taker.timed) this.#leave(taker)
      },
    }
  }

  /** Lets all who have a permit release it, until nothing more happens, and looks at everything. */
  async finish(): Promise<void> {
    await loopTurns(1)
    this.#compare()
    while (this.takers.some((taker) => taker.result?.value !== undefined && !taker.isReleased)) {
      for (const taker of this.takers) this.release(taker).run()
      await loopTurns(1)
      this.#compare()
    }
    assert.equal(this.semaphore.waiting, 0)
    assert.equal(this.semaphore.available, this.#permits)
    assert.equal(this.timers.pending, 0)
    for (const { controller, result } of this.takers) {
      assert.notEqual(result?.state, 'pending')
      assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
    }
  }

  #compare(): void {
    assert.deepEqual(
      this.takers.map(({ result }) => result?.state),
      this.takers.map(({ expected }) => expected),
    )
    assert.deepEqual(this.#granted, this.#order)
    assert.equal(this.semaphore.available, this.#free)
    assert.equal(this.semaphore.waiting, this.#line.length)
  }

  #grant(taker: Taker): void {
    this.#free--
    taker.expected = 'resolved'
    this.#order.push(taker.name)
  }

  #leave(taker: Taker): void {
    const at = this.#line.indexOf(taker)
    if (at === -1) return
    this.#line.splice(at, 1)
    taker.expected = 'rejected'
  }
}

describe('Semaphore in all orders', () => {
  test('acquire, release and abort: each who waits gets a permit or its reason, in order', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(1)
      const [a, b, c] = [scene.taker('a'), scene.taker('b'), scene.taker('c')]
      scene.acquire(a).run()
      await loopTurns(1)
      await interleave(
        choose,
        [
          [scene.acquire(b), scene.release(b)],
          [scene.acquire(c)],
          [scene.release(a)],
          [scene.abort(b)],
        ],
        ['at once', 1, 'turn'],
      )
      await scene.finish()
    })
    // 5!/2! orders of five steps, with three gaps in four places.
    expect(runs).toBe(60 * 3 ** 4)
  })

  test('timeouts, aborts and releases at the same moment: no permit is lost or doubled', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(2)
      const [a, b, c, d] = [
        scene.taker('a'),
        scene.taker('b'),
        scene.taker('c', true),
        scene.taker('d', true),
      ]
      for (const taker of [a, b]) scene.acquire(taker).run()
      await loopTurns(1)
      for (const taker of [c, d]) scene.acquire(taker).run()
      await interleave(
        choose,
        [
          [scene.release(a), scene.release(c)],
          [scene.release(b)],
          [scene.abort(d)],
          [scene.timeout()],
        ],
        ['at once', 1, 'turn'],
      )
      await scene.finish()
    })
    expect(runs).toBe(60 * 3 ** 4)
  })
})

test('Semaphore, as a property: any calls in any order keep to the number of permits', async () => {
  const call = fc.oneof(
    fc.record({ kind: fc.constant('acquire' as const) }),
    fc.record({ kind: fc.constant('release' as const), which: fc.nat(20) }),
    fc.record({ kind: fc.constant('abort' as const), which: fc.nat(20) }),
    fc.record({ kind: fc.constant('turn' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(call, { maxLength: 60 }),
      async (permits, calls) => {
        const semaphore = new Semaphore(permits)
        const all: { controller: AbortController; result: Watched<Permit> }[] = []
        const held = (): Permit[] =>
          all
            .map(({ result }) => result.value)
            .filter((permit) => permit?.isHeld === true) as Permit[]
        for (const one of calls) {
          if (one.kind === 'acquire') {
            const controller = new AbortController()
            const result = watch(semaphore.acquire({ signal: controller.signal }))
            all.push({ controller, result })
          } else if (one.kind === 'turn') {
            await loopTurns(1)
            assert.equal(held().length + semaphore.available, permits)
          } else {
            const taken = all[one.which % Math.max(all.length, 1)]
            if (one.kind === 'abort') taken?.controller.abort()
            else taken?.result.value?.release()
          }
          expect(semaphore.available === 0 || semaphore.waiting === 0).toBe(true)
        }
        await loopTurns(1)
        while (held().length > 0) {
          for (const permit of held()) permit.release()
          await loopTurns(1)
        }
        expect(semaphore).toMatchObject({ available: permits, waiting: 0 })
        for (const { controller, result } of all) {
          expect(result.state).not.toBe('pending')
          expect(getEventListeners(controller.signal, 'abort')).toEqual([])
        }
      },
    ),
  )
})
