import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { Condition } from '../../src/concurrency/condition.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, interleave, type Gap } from '../support/all-orders.js'
import { HeldTimers } from '../support/held-timers.js'
import { watch } from '../support/settled.js'

// Giving the lock up and getting it back takes a handful of promise jobs; each of them may be the moment.
const gaps: Gap[] = ['at once', 1, 2, 3, 4, 5, 'turn']

test('Condition in all orders: a notification to somebody who is aborted is never lost', async () => {
  const runs = await inAllOrders(async (choose) => {
    const condition = new Condition()
    const controllers = ['a', 'b'].map(() => new AbortController())
    const items: number[] = []
    const taken: number[] = []
    const takers = controllers.map(({ signal }) =>
      watch(
        condition.use(async () => {
          taken.push(await condition.waitFor(() => items.pop(), { signal }))
        }),
      ),
    )
    await loopTurns(1)
    const put = {
      name: 'put',
      run() {
        void condition.use(() => {
          items.push(1)
          condition.notify()
        })
      },
    }
    const hold = { name: 'hold', run: () => void condition.use(() => loopTurns(1)) }
    const abort = { name: 'abort a', run: () => controllers[0]?.abort('gone') }
    await interleave(choose, [[put], [hold], [abort]], gaps)
    await loopTurns(4)

    assert.deepEqual(taken, [1])
    assert.deepEqual(items, [])
    assert.equal(condition.isLocked, false)
    const [a, b] = takers.map(({ state }) => state)
    assert.equal(`${a} ${b}`, a === 'resolved' ? 'resolved pending' : 'rejected resolved')
    assert.equal(condition.waiting, a === 'resolved' ? 1 : 0)

    controllers[1]?.abort('end')
    await loopTurns(1)
    assert.equal(condition.mutex.available, 1)
    for (const { signal } of controllers) {
      assert.deepEqual(getEventListeners(signal, 'abort'), [])
    }
  })
  expect(runs).toBe(6 * gaps.length ** 2)
})

test('Condition in all orders: whoever waits has the lock when the wait is over, alone', async () => {
  const runs = await inAllOrders(async (choose) => {
    const timers = new HeldTimers()
    const condition = new Condition({ clock: timers })
    const controller = new AbortController()
    const { signal } = controller
    let inside = 0
    const alone = async (): Promise<void> => {
      inside++
      assert.equal(inside, 1)
      await Promise.resolve()
      inside--
    }
    const waits = [{ signal }, { timeoutMs: 9 }, {}].map((options) =>
      watch(
        condition.use(async () => {
          await alone()
          try {
            await condition.wait(options)
          } finally {
            await alone()
          }
        }),
      ),
    )
    await loopTurns(2)
    assert.equal(condition.waiting, 3)
    await interleave(
      choose,
      [
        [{ name: 'notify', run: () => void condition.use(() => condition.notify()) }],
        [{ name: 'hold', run: () => void condition.use(alone) }],
        [{ name: 'abort', run: () => controller.abort('gone') }],
        [{ name: 'fire', run: () => timers.fire() }],
      ],
      ['at once', 2, 'turn'],
    )
    await loopTurns(1)
    await condition.use(() => condition.notifyAll())
    await loopTurns(1)

    assert.equal(inside, 0)
    assert.ok(!waits.some(({ state }) => state === 'pending'))
    assert.equal(condition.mutex.available, 1)
    assert.equal(condition.waiting + condition.mutex.waiting + timers.pending, 0)
    assert.deepEqual(getEventListeners(signal, 'abort'), [])
  })
  expect(runs).toBe(24 * 3 ** 3)
})
