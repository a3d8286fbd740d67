import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { batch } from '../../src/concurrency/batch.js'
import { map } from '../../src/concurrency/map.js'
import { merge } from '../../src/concurrency/merge.js'
import type { Iteration, IterationOptions } from '../../src/concurrency/stepwise.js'
import { withCleanup } from '../../src/concurrency/with-cleanup.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, interleave, type Gap } from '../support/all-orders.js'
import { HeldTimers } from '../support/held-timers.js'
import { watch, type Watched } from '../support/settled.js'
import { TracedSource } from '../support/traced-source.js'

type Make = (
  sources: readonly TracedSource<number>[],
  options: IterationOptions,
) => Iteration<unknown>

const gaps: Gap[] = ['at once', 1, 3, 'turn']
const timers = new HeldTimers()

const kinds: [string, Make][] = [
  ['merge()', (sources, options) => merge(sources, options)],
  ['map()', ([source], options) => map(source ?? [], async (n) => n, options)],
  [
    'map(), two at a time',
    ([source], options) => map(source ?? [], async (n) => n, { ...options, concurrency: 2 }),
  ],
  [
    'batch() and withCleanup()',
    ([source], options) =>
      withCleanup(
        batch(source ?? [], { ...options, size: 2, ms: 100, clock: timers }),
        () => {},
        options,
      ),
  ],
]

test.each(kinds)(
  '%s in all orders: every step settles, the sources end once, and nothing is left',
  async (_kind, make) => {
    await inAllOrders(async (choose) => {
      const sources = [new TracedSource<number>(), new TracedSource<number>()]
      const [first] = sources as [TracedSource<number>]
      const controller = new AbortController()
      const { signal } = controller
      const iteration = make(sources, { signal })
      const steps: Watched<IteratorResult<unknown>>[] = []
      const step = (): void => void steps.push(watch(iteration.next()))
      step()
      const ending = choose(['abort', 'leave', 'fail', 'end'] as const)
      const endings = {
        abort: () => controller.abort('gone'),
        leave: () => void iteration.return(),
        fail: () => void first.fail('broken'),
        end: () => void first.end(),
      }
      await interleave(
        choose,
        [
          [{ name: 'step', run: step }],
          [{ name: 'give', run: () => void first.give(1) }],
          [{ name: ending, run: endings[ending] }],
        ],
        gaps,
      )
      await loopTurns(4)
      timers.fire()
      await loopTurns(2)
      await iteration.return()
      await loopTurns(4)
      const after = await iteration.next()

      assert.equal(after.done, true)
      assert.ok(!steps.some(({ state }) => state === 'pending'))
      const errors = steps.filter(({ state }) => state === 'rejected').map(({ error }) => error)
      assert.ok(errors.length <= 1, 'an error is thrown once')
      assert.ok(errors.every((error) => error === (ending === 'abort' ? 'gone' : 'broken')))
      for (const { asked, returned } of sources) {
        assert.ok(returned <= 1)
        assert.ok(asked <= 3)
      }
      const hasEnded = ending === 'end' || ending === 'fail'
      // A source that was never asked did not get to say that it has ended.
      if (!hasEnded) assert.equal(first.returned, 1)
      assert.equal(timers.pending, 0)
      assert.deepEqual(getEventListeners(signal, 'abort'), [])
    })
    expect(timers.pending).toBe(0)
  },
)
