import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'
import { ClosedError } from '../../src/errors.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, interleave, type Gap, type Step } from '../support/all-orders.js'
import { HeldTimers } from '../support/held-timers.js'
import { watch, type Watched } from '../support/settled.js'

const gaps: Gap[] = ['at once', 1, 'turn']

/** A call that was made, and what the rules say has become of it. */
interface Call {
  readonly name: string
  readonly controller: AbortController
  readonly result: Watched<unknown>
  /** An item, `done`, an error in words, or nothing yet. */
  expected: unknown
}

/** A queue, and beside it its rules written down plainly: everything is decided at the moment of each step. */
class Scene {
  readonly #timers = new HeldTimers()
  readonly #queue: BoundedQueue<string>
  readonly #maxSize: number
  readonly #calls: Call[] = []
  readonly #items: string[] = []
  #getters: (Call & { readonly loop: object | undefined })[] = []
  #putters: (Call & { readonly item: string })[] = []
  #joiners: Call[] = []
  #inHand = 0
  #isClosed = false
  readonly #accepted: string[] = []
  readonly #dropped: string[] = []

  constructor(maxSize: number, ...items: string[]) {
    this.#maxSize = maxSize
    this.#queue = new BoundedQueue({ maxSize, clock: this.#timers })
    for (const item of items) this.put(item).run()
  }

  put(item: string, timed = false): Step {
    return this.#step(`put ${item}`, () => {
      const call = this.#call(`put ${item}`, (signal) =>
        this.#queue.put(item, timed ? { signal, timeoutMs: 9 } : { signal }),
      )
      if (this.#isClosed) call.expected = 'closed'
      else if (this.#getters.length > 0 || this.#items.length < this.#maxSize) {
        this.#accept(item)
        call.expected = undefined
      } else this.#putters.push(Object.assign(call, { item }))
    })
  }

  get(name: string, timed = false): Step {
    return this.#step(`get ${name}`, () => {
      const call = this.#call(`get ${name}`, (signal) =>
        this.#queue.get(timed ? { signal, timeoutMs: 9 } : { signal }),
      )
      this.#get(Object.assign(call, { loop: undefined }))
    })
  }

  next(name: string, loop: AsyncIterator<string, undefined>): Step {
    return this.#step(`${name} asks for the next`, () => {
      const call = this.#call(`next ${name}`, async () => {
        const { done, value } = await loop.next()
        return done === true ? 'done' : value
      })
      this.#get(Object.assign(call, { loop }))
    })
  }

  loop(): AsyncIterator<string, undefined> {
    return this.#queue.items()
  }

  leave(name: string, loop: AsyncIterator<string, undefined>): Step {
    return this.#step(`${name} leaves`, () => {
      void loop.return?.()
      for (const getter of this.#getters) if (getter.loop === loop) getter.expected = 'done'
      this.#getters = this.#getters.filter((getter) => getter.loop !== loop)
    })
  }

  join(): Step {
    return this.#step('join', () => {
      const call = this.#call('join', (signal) => this.#queue.join({ signal }))
      this.#joiners.push(call)
      this.#settleJoiners()
    })
  }

  taskDone(): Step {
    return this.#step('taskDone', () => {
      if (this.#inHand === 0) {
        assert.throws(() => this.#queue.taskDone(), RangeError)
        return
      }
      this.#queue.taskDone()
      this.#inHand--
      this.#settleJoiners()
    })
  }

  abort(name: string): Step {
    return this.#step(`abort ${name}`, () => {
      for (const call of this.#calls) {
        if (call.name !== name) continue
        call.controller.abort('aborted')
        this.#withdraw(call, 'aborted')
      }
    })
  }

  timeout(): Step {
    return this.#step('time is over', () => {
      const timed = this.#timers.pending
      const before = this.#queue.waitingGets + this.#queue.waitingPuts
      this.#timers.fire()
      assert.equal(before - this.#queue.waitingGets - this.#queue.waitingPuts, timed)
      for (const call of this.#calls) if (call.name.endsWith('!')) this.#withdraw(call, 'late')
    })
  }

  close(drain: boolean): Step {
    return this.#step(`close${drain ? '' : ' and drop'}`, () => {
      const dropped = this.#queue.close({ drain })
      this.#isClosed = true
      for (const call of this.#putters.splice(0)) call.expected = 'closed'
      for (const call of this.#getters.splice(0)) call.expected = call.loop ? 'done' : 'closed'
      assert.deepEqual(dropped, drain ? [] : this.#items.splice(0))
      this.#dropped.push(...dropped)
      this.#settleJoiners()
    })
  }

  /** Brings everything to its end: all that is left is got, done and closed. */
  async finish(): Promise<void> {
    await loopTurns(1)
    this.#compare()
    while (this.#items.length > 0) this.get('at the end').run()
    while (this.#inHand > 0) this.taskDone().run()
    await loopTurns(1)
    this.close(true).run()
    await loopTurns(1)
    this.#compare()

    for (const { controller, result } of this.#calls) {
      assert.notEqual(result.state, 'pending')
      assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
    }
    assert.equal(this.#timers.pending, 0)
    // Every item that was taken in came out once, in its order.
    const out = this.#calls.filter(({ name }) => /^(get|next)/.test(name))
    const got = out.map(({ result }) => result.value).filter((value) => /^\d/.test(String(value)))
    assert.deepEqual(sorted([...got, ...this.#dropped]), sorted(this.#accepted))
  }

  #step(name: string, run: () => void): Step {
    return { name, run }
  }

  #call(name: string, begin: (signal: AbortSignal) => Promise<unknown>): Call {
    const controller = new AbortController()
    const call: Call = {
      name,
      controller,
      result: watch(begin(controller.signal)),
      expected: 'pending',
    }
    this.#calls.push(call)
    return call
  }

  #get(call: Call & { loop: object | undefined }): void {
    const item = this.#items.shift()
    if (item === undefined) {
      if (this.#isClosed) call.expected = call.loop ? 'done' : 'closed'
      else this.#getters.push(call)
      return
    }
    call.expected = item
    this.#inHand++
    const putter = this.#putters.shift()
    if (putter === undefined) return
    putter.expected = undefined
    this.#accept(putter.item)
  }

  #accept(item: string): void {
    this.#accepted.push(item)
    const getter = this.#getters.shift()
    if (getter === undefined) {
      this.#items.push(item)
      return
    }
    getter.expected = item
    this.#inHand++
  }

  #withdraw(call: Call, reason: string): void {
    for (const line of [this.#getters, this.#putters, this.#joiners] as Call[][]) {
      const at = line.indexOf(call)
      if (at === -1) continue
      line.splice(at, 1)
      call.expected = reason
    }
  }

  #settleJoiners(): void {
    if (this.#items.length + this.#inHand > 0) return
    for (const joiner of this.#joiners.splice(0)) joiner.expected = undefined
  }

  #compare(): void {
    assert.deepEqual(
      this.#calls.map(({ name, result }) => [name, outcome(result)]),
      this.#calls.map(({ name, expected }) => [name, expected]),
    )
    assert.equal(this.#queue.size, this.#items.length)
    assert.equal(this.#queue.waitingGets, this.#getters.length)
    assert.equal(this.#queue.waitingPuts, this.#putters.length)
    assert.equal(this.#queue.unfinished, this.#items.length + this.#inHand)
  }
}

function sorted(values: readonly unknown[]): string[] {
  return values.map(String).toSorted((a, b) => a.localeCompare(b))
}

function outcome({ state, value, error }: Watched<unknown>): unknown {
  if (state !== 'rejected') return state === 'pending' ? 'pending' : value
  if (error instanceof ClosedError) return 'closed'
  return error === 'aborted' ? error : 'late'
}

describe('BoundedQueue in all orders', () => {
  test('put, get and abort of who waits to get', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(1)
      scene.get('a').run()
      scene.get('b').run()
      await interleave(
        choose,
        [
          [scene.put('1'), scene.put('2')],
          [scene.abort('get a')],
          [scene.get('c')],
          [scene.put('3')],
        ],
        gaps,
      )
      await scene.finish()
    })
    expect(runs).toBe(60 * 3 ** 4)
  })

  test('put, get and abort of who waits to put', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(1, '1')
      scene.put('2').run()
      scene.put('3').run()
      await interleave(
        choose,
        [
          [scene.get('a'), scene.get('b')],
          [scene.abort('put 2')],
          [scene.put('4')],
          [scene.get('c')],
        ],
        gaps,
      )
      await scene.finish()
    })
    expect(runs).toBe(60 * 3 ** 4)
  })

  test.each([true, false])(
    'close({ drain: %j }) between puts, gets, aborts and done',
    async (drain) => {
      const runs = await inAllOrders(async (choose) => {
        const scene = new Scene(1, '1')
        scene.put('2').run()
        scene.join().run()
        await interleave(
          choose,
          [
            [scene.get('a'), scene.taskDone()],
            [scene.close(drain)],
            [scene.abort('put 2')],
            [scene.get('b')],
          ],
          gaps,
        )
        await scene.finish()
      })
      expect(runs).toBe(60 * 3 ** 4)
    },
  )

  test('close() between those who wait to get, one of them aborted', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(2)
      const loop = scene.loop()
      scene.get('a').run()
      scene.next('loop', loop).run()
      await interleave(
        choose,
        [
          [scene.put('1'), scene.put('2')],
          [scene.close(true)],
          [scene.abort('get a')],
          [scene.get('b')],
        ],
        gaps,
      )
      await scene.finish()
    })
    expect(runs).toBe(60 * 3 ** 4)
  })

  test('timeouts at the moment of a put, a get and a close', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(1, '1')
      scene.put('2!', true).run()
      await interleave(
        choose,
        [
          [scene.get('a'), scene.get('b!', true), scene.get('c!', true)],
          [scene.timeout()],
          [scene.put('3')],
        ],
        gaps,
      )
      await scene.finish()
    })
    expect(runs).toBe(20 * 3 ** 4)
  })

  test('a loop that is left while it waits, between puts and other gets', async () => {
    const runs = await inAllOrders(async (choose) => {
      const scene = new Scene(2)
      const loop = scene.loop()
      scene.next('loop', loop).run()
      scene.next('loop', loop).run()
      await interleave(
        choose,
        [
          [scene.put('1'), scene.put('2')],
          [scene.leave('loop', loop)],
          [scene.get('a')],
          [scene.close(true)],
        ],
        gaps,
      )
      await scene.finish()
    })
    expect(runs).toBe(60 * 3 ** 4)
  })
})
