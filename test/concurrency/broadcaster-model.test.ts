/** Broadcaster beside a slow model of itself: plain arrays, and the sentences of the documentation. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import type { Subscription, SubscriptionOverflow } from '../../src/concurrency/subscription.js'
import { ClosedError, SlowConsumerError } from '../../src/errors.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { watch, type Watched } from '../support/settled.js'

/** What a read came to, or should: `pending`, `end`, a message, or the kind of its error. */
type Outcome = number | 'pending' | 'end' | 'closed' | 'slow' | 'gone' | 'aborted'

interface Read {
  readonly result: Watched<unknown>
  readonly controller: AbortController
  readonly isStep: boolean
  expected: Outcome
}

class Model {
  readonly subscription: Subscription<number>
  readonly controller = new AbortController()
  readonly reads: Read[] = []
  dropped = 0
  ended: 'no' | 'closed' | 'slow' | 'gone' = 'no'
  #list: number[] = []
  #waiting: Read[] = []

  constructor(
    broadcaster: Broadcaster<number>,
    capacity: number,
    onOverflow: SubscriptionOverflow,
  ) {
    const { signal } = this.controller
    this.subscription = broadcaster.subscribe({ capacity, onOverflow, signal })
  }

  publish(message: number): void {
    if (this.ended !== 'no') return
    const { capacity, onOverflow } = this.subscription
    const reader = this.#waiting.shift()
    if (reader !== undefined) {
      reader.expected = message
    } else if (this.#list.length < capacity) {
      this.#list.push(message)
    } else {
      this.dropped++
      if (onOverflow === 'disconnect') this.ended = 'slow'
      if (onOverflow === 'drop-oldest') this.#list = [...this.#list.slice(1), message]
    }
  }

  read(isStep: boolean): void {
    const controller = new AbortController()
    const { signal } = controller
    const promise: Promise<unknown> = isStep
      ? this.subscription.next()
      : this.subscription.get({ signal })
    const read: Read = { result: watch(promise), controller, isStep, expected: 'pending' }
    this.reads.push(read)
    const message = this.#list.shift()
    if (message !== undefined) read.expected = message
    else if (this.ended === 'no') this.#waiting.push(read)
    else this.#end(read)
  }

  abort(which: number): void {
    const read = this.reads[which % Math.max(this.reads.length, 1)]
    if (read === undefined || read.isStep) return
    read.controller.abort('aborted')
    if (!this.#waiting.includes(read)) return
    this.#waiting = this.#waiting.filter((one) => one !== read)
    read.expected = 'aborted'
  }

  close(drain: boolean): void {
    if (!drain) this.#list = []
    if (this.ended === 'no') this.ended = 'closed'
    for (const read of this.#waiting.splice(0)) this.#end(read)
  }

  leave(): void {
    this.controller.abort('gone')
    if (this.ended !== 'no') return
    this.ended = 'gone'
    this.#list = []
    for (const read of this.#waiting.splice(0)) this.#end(read)
  }

  compare(): void {
    assert.deepEqual(
      this.reads.map(outcome),
      this.reads.map(({ expected }) => expected),
    )
    const { size, dropped, isClosed } = this.subscription
    const expected = {
      size: this.#list.length,
      dropped: this.dropped,
      isClosed: this.ended !== 'no',
    }
    assert.deepEqual({ size, dropped, isClosed }, expected)
    const listeners = getEventListeners(this.controller.signal, 'abort').length
    assert.equal(listeners, this.ended === 'no' ? 1 : 0)
  }

  #end(read: Read): void {
    if (this.ended === 'closed') read.expected = read.isStep ? 'end' : 'closed'
    else if (this.ended !== 'no') read.expected = this.ended
  }
}

function outcome({ result: { state, value, error }, isStep }: Read): unknown {
  if (state === 'pending') return state
  if (state === 'rejected') {
    if (error instanceof ClosedError) return 'closed'
    return error instanceof SlowConsumerError ? 'slow' : error
  }
  if (!isStep) return value
  const step = value as IteratorResult<number>
  return step.done === true ? 'end' : step.value
}

const which = fc.nat({ max: 20 })
const move = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('publish' as const) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('get' as const, 'next'), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('subscribe' as const),
      capacity: fc.integer({ min: 1, max: 3 }),
      onOverflow: fc.constantFrom<SubscriptionOverflow>('drop-oldest', 'drop-newest', 'disconnect'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), which, read: which }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('close' as const, 'drop', 'leave'), which }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
)

test('Broadcaster does what the model says, whatever happens in whatever order', async () => {
  const property = fc.asyncProperty(
    fc.array(move, { maxLength: 60 }),
    fc.boolean(),
    async (moves, drain) => {
      const broadcaster = new Broadcaster<number>()
      const models: Model[] = []
      let published = 0
      for (const one of moves) {
        const model = 'which' in one ? models[one.which % Math.max(models.length, 1)] : undefined
        if (one.kind === 'publish') {
          for (const each of models) each.publish(published)
          broadcaster.publish(published++)
        } else if (one.kind === 'subscribe') {
          models.push(new Model(broadcaster, one.capacity, one.onOverflow))
        } else if (one.kind === 'turn') {
          await loopTurns(1)
        } else if (one.kind === 'abort') {
          model?.abort(one.read)
        } else if (one.kind === 'leave') {
          model?.leave()
        } else if (one.kind === 'close' || one.kind === 'drop') {
          const isDrain = one.kind === 'close'
          model?.subscription.close({ drain: isDrain })
          model?.close(isDrain)
        } else {
          model?.read(one.kind === 'next')
        }
      }
      await loopTurns(1)
      for (const model of models) model.compare()
      expect(broadcaster).toMatchObject({
        published,
        subscribers: models.filter(({ ended }) => ended === 'no').length,
        dropped: models.reduce((sum, model) => sum + model.dropped, 0),
      })

      broadcaster.close({ drain })
      for (const model of models) if (model.ended === 'no') model.close(drain)
      for (const model of models) for (let n = 0; n < 4; n++) model.read(n % 2 === 0)
      await loopTurns(1)
      for (const model of models) model.compare()
      expect(broadcaster.subscribers).toBe(0)
    },
  )
  await fc.assert(property, { numRuns: 500 })
})
