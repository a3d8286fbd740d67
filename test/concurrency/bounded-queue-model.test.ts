/** The queues beside simple models. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import { LifoBoundedQueue } from '../../src/concurrency/lifo-bounded-queue.js'
import { PriorityBoundedQueue } from '../../src/concurrency/priority-bounded-queue.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { watch, type Watched } from '../support/settled.js'

/** An item whose priority many share, so that the order of equals shows. */
interface Job {
  readonly priority: number
  readonly number: number
}

const byPriority = (a: Job, b: Job): number => a.priority - b.priority

/** Takes the next out of a plain list of what is in, oldest first. */
const rules: Record<
  string,
  { make: (maxSize: number) => BoundedQueue<Job>; next: (list: Job[]) => Job | undefined }
> = {
  BoundedQueue: {
    make: (maxSize) => new BoundedQueue({ maxSize }),
    next: (list) => list.shift(),
  },
  LifoBoundedQueue: {
    make: (maxSize) => new LifoBoundedQueue({ maxSize }),
    next: (list) => list.pop(),
  },
  PriorityBoundedQueue: {
    make: (maxSize) => new PriorityBoundedQueue({ maxSize, compare: byPriority }),
    next: (list) => {
      // Sorting is stable: of equals the one that came first.
      const least = list.toSorted(byPriority)[0]
      if (least !== undefined) list.splice(list.indexOf(least), 1)
      return least
    },
  },
}

type Call =
  | { readonly kind: 'put' | 'tryPut'; readonly priority: number }
  | { readonly kind: 'get' | 'tryGet' | 'taskDone' | 'turn' | 'join' }
  | { readonly kind: 'abort'; readonly which: number }

const calls = fc.array<Call>(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constantFrom('put', 'tryPut'), priority: fc.nat(3) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constantFrom('get', 'tryGet', 'taskDone', 'turn', 'join') }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort'), which: fc.nat(30) }) },
  ),
  { maxLength: 80 },
)

describe.each(Object.entries(rules))('%s, as a property', (_name, { make, next }) => {
  test('any calls give every item once, in the order of the model, within its size', async () => {
    const property = fc.asyncProperty(
      fc.constantFrom(1, 2, 5, Infinity),
      calls,
      async (maxSize, list) => {
        const queue = make(maxSize)
        const model = new Model(maxSize, next)
        let number = 0
        for (const call of list) {
          if (call.kind === 'turn') await loopTurns(1)
          else if (call.kind === 'put' || call.kind === 'tryPut') {
            model.put(queue, { priority: call.priority, number: number++ }, call.kind === 'put')
          } else if (call.kind === 'get') model.get(queue)
          else if (call.kind === 'tryGet') assert.equal(queue.tryGet(), model.tryTake())
          else if (call.kind === 'abort') model.abort(call.which)
          else if (call.kind === 'join') model.join(queue)
          else model.taskDone(queue)
          expect(queue.size).toBe(model.list.length)
          expect(queue.unfinished).toBe(model.list.length + model.inHand)
          expect(queue.size).toBeLessThanOrEqual(maxSize)
        }
        await loopTurns(1)
        model.compare()
      },
    )
    await fc.assert(property, { numRuns: 300 })
  })
})

interface Expectation {
  readonly result: Watched<unknown>
  readonly controller: AbortController
  readonly item: Job | undefined
  expected: unknown
}

class Model {
  readonly list: Job[] = []
  inHand = 0
  readonly #maxSize: number
  readonly #next: (list: Job[]) => Job | undefined
  readonly #made: Expectation[] = []
  readonly #getters: Expectation[] = []
  readonly #putters: Expectation[] = []
  readonly #joiners: Expectation[] = []

  constructor(maxSize: number, next: (list: Job[]) => Job | undefined) {
    this.#maxSize = maxSize
    this.#next = next
  }

  put(queue: BoundedQueue<Job>, item: Job, mayWait: boolean): void {
    const isTaken = this.#getters.length > 0 || this.list.length < this.#maxSize
    if (!mayWait) {
      if (queue.tryPut(item) !== isTaken) throw new Error(`tryPut() should give ${isTaken}`)
      if (isTaken) this.#accept(item)
      return
    }
    const call = this.#call((signal) => queue.put(item, { signal }), item)
    if (isTaken) {
      this.#accept(item)
      call.expected = 'resolved'
    } else this.#putters.push(call)
  }

  get(queue: BoundedQueue<Job>): void {
    const call = this.#call((signal) => queue.get({ signal }))
    const item = this.tryTake()
    if (item === undefined) this.#getters.push(call)
    else call.expected = item
  }

  tryTake(): Job | undefined {
    const item = this.#next(this.list)
    if (item === undefined) return undefined
    this.inHand++
    const putter = this.#putters.shift()
    if (putter !== undefined) {
      putter.expected = 'resolved'
      this.list.push(putter.item as Job)
    }
    return item
  }

  join(queue: BoundedQueue<Job>): void {
    this.#joiners.push(this.#call((signal) => queue.join({ signal })))
    this.#settleJoiners()
  }

  taskDone(queue: BoundedQueue<Job>): void {
    if (this.inHand === 0) return
    queue.taskDone()
    this.inHand--
    this.#settleJoiners()
  }

  abort(which: number): void {
    const call = this.#made[which % Math.max(this.#made.length, 1)]
    if (call === undefined) return
    call.controller.abort('aborted')
    for (const line of [this.#getters, this.#putters, this.#joiners]) {
      const at = line.indexOf(call)
      if (at === -1) continue
      line.splice(at, 1)
      call.expected = 'aborted'
    }
  }

  compare(): void {
    const outcomes = this.#made.map(({ result: { state, value, error } }) => {
      if (state === 'pending') return state
      return state === 'rejected' ? error : (value ?? 'resolved')
    })
    const expected = this.#made.map((call) => call.expected)
    if (JSON.stringify(outcomes) !== JSON.stringify(expected)) {
      throw new Error(`${JSON.stringify(outcomes)} should be ${JSON.stringify(expected)}`)
    }
  }

  #call(begin: (signal: AbortSignal) => Promise<unknown>, item?: Job): Expectation {
    const controller = new AbortController()
    const result = watch(begin(controller.signal))
    const call: Expectation = { result, controller, item, expected: 'pending' }
    this.#made.push(call)
    return call
  }

  #accept(item: Job): void {
    const getter = this.#getters.shift()
    if (getter === undefined) this.list.push(item)
    else {
      getter.expected = item
      this.inHand++
    }
  }

  #settleJoiners(): void {
    if (this.list.length + this.inHand > 0) return
    for (const joiner of this.#joiners.splice(0)) joiner.expected = 'resolved'
  }
}
