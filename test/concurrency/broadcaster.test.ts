import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import type { Subscription } from '../../src/concurrency/subscription.js'
import { ClosedError, SlowConsumerError, TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'

function publishAll(broadcaster: Broadcaster<number>, ...messages: number[]): number[] {
  return messages.map((message) => broadcaster.publish(message))
}

/** What can be read now. */
function heldBy<T>(subscription: Subscription<T>): T[] {
  const held: T[] = []
  for (let message; (message = subscription.tryGet()) != null;) held.push(message)
  return held
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

describe('Broadcaster.publish()', () => {
  test('gives each message to all who subscribe, in order, and tells how many they are', async () => {
    const broadcaster = new Broadcaster<number>()
    expect(broadcaster.publish(0)).toBe(0)
    const subscriptions = [broadcaster.subscribe(), broadcaster.subscribe()]
    expect(publishAll(broadcaster, 1, 2)).toEqual([2, 2])
    const late = broadcaster.subscribe()
    expect(broadcaster.publish(3)).toBe(3)
    expect(subscriptions.map(heldBy)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
    expect(heldBy(late)).toEqual([3])
    expect(broadcaster).toMatchObject({ subscribers: 3, published: 4, dropped: 0 })
  })

  test('gives all the very same value', () => {
    const broadcaster = new Broadcaster<Buffer>()
    const [a, b] = [broadcaster.subscribe(), broadcaster.subscribe()]
    const message = Buffer.from('it is noon\n')
    broadcaster.publish(message)
    expect(a.tryGet()).toBe(message)
    expect(b.tryGet()).toBe(message)
  })

  test('gives it to whoever has waited longest', async () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe()
    const gets = [subscription.get(), subscription.next(), subscription.get()]
    publishAll(broadcaster, 1, 2, 3, 4)
    expect(await Promise.all(gets)).toEqual([1, { done: false, value: 2 }, 3])
    expect(subscription.size).toBe(1)
  })

  test('is refused when it is closed', () => {
    const broadcaster = new Broadcaster<number>()
    broadcaster.close()
    expect(broadcaster.isClosed).toBe(true)
    for (const call of [() => broadcaster.publish(1), () => broadcaster.subscribe()]) {
      expect(thrownBy(call)).toBeInstanceOf(ClosedError)
    }
    expect(broadcaster).toMatchObject({ published: 0, subscribers: 0 })
  })
})

describe('Broadcaster.subscribe(): when it holds as many as it may', () => {
  test('drop-oldest, the default, keeps the newest', async () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe({ capacity: 3 })
    expect(publishAll(broadcaster, 1, 2, 3, 4, 5)).toEqual([1, 1, 1, 1, 1])
    expect(subscription).toMatchObject({ size: 3, dropped: 2, onOverflow: 'drop-oldest' })
    expect(heldBy(subscription)).toEqual([3, 4, 5])
    broadcaster.publish(6)
    expect(await subscription.get()).toBe(6)
    expect(subscription.dropped).toBe(2)
  })

  test('drop-newest keeps the oldest', () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe({ capacity: 3, onOverflow: 'drop-newest' })
    expect(publishAll(broadcaster, 1, 2, 3, 4, 5)).toEqual([1, 1, 1, 0, 0])
    expect(subscription.dropped).toBe(2)
    expect(subscription.tryGet()).toBe(1)
    broadcaster.publish(6)
    expect(heldBy(subscription)).toEqual([2, 3, 6])
  })

  test('disconnect ends it with a SlowConsumerError, after what it holds', async () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe({ capacity: 2, onOverflow: 'disconnect' })
    const other = broadcaster.subscribe()
    expect(publishAll(broadcaster, 1, 2, 3, 4)).toEqual([2, 2, 1, 1])
    expect(subscription).toMatchObject({ isClosed: true, size: 2, dropped: 1 })
    expect(broadcaster).toMatchObject({ subscribers: 1, dropped: 1 })
    expect(await subscription.get()).toBe(1)
    expect(await subscription.next()).toEqual({ done: false, value: 2 })
    const error = await rejection(subscription.get())
    expect(error).toBeInstanceOf(SlowConsumerError)
    expect(error).toMatchObject({ heldMessages: 2, bufferedBytes: undefined })
    expect((error as Error).message).toMatch(/2 messages are waiting/)
    // Every later read gives the same.
    expect(await rejection(subscription.next())).toBe(error)
    expect(thrownBy(() => subscription.tryGet())).toBe(error)
    expect(await rejection(collect(subscription))).toBe(error)
    expect(heldBy(other)).toEqual([1, 2, 3, 4])
  })

  test('counts the drops of each, and those of all, who have gone included', () => {
    const broadcaster = new Broadcaster<number>()
    const gone = broadcaster.subscribe({ capacity: 1 })
    const slow = broadcaster.subscribe({ capacity: 1, onOverflow: 'drop-newest' })
    const fast = broadcaster.subscribe()
    publishAll(broadcaster, 1, 2, 3)
    gone.close({ drain: false })
    publishAll(broadcaster, 4)
    expect([gone.dropped, slow.dropped, fast.dropped]).toEqual([2, 3, 0])
    expect(broadcaster.dropped).toBe(5)
  })

  test.each([0, -1, 1.5, NaN, Infinity])('refuses a capacity of %d', (capacity) => {
    expect(() => new Broadcaster().subscribe({ capacity })).toThrow(
      new RangeError(`capacity must be a whole number above 0, not ${capacity}`),
    )
  })

  test('refuses an onOverflow that there is not', () => {
    const onOverflow = 'block' as 'disconnect'
    expect(() => new Broadcaster().subscribe({ onOverflow })).toThrow(
      new RangeError(
        "onOverflow must be 'drop-oldest', 'drop-newest' or 'disconnect', not 'block'",
      ),
    )
  })
})

describe('Subscription.get()', () => {
  test('waits for a message that is published later', async () => {
    const broadcaster = new Broadcaster<number>()
    const got = watch(broadcaster.subscribe().get())
    await loopTurns(1)
    expect(got.state).toBe('pending')
    broadcaster.publish(1)
    expect(await got.promise).toBe(1)
  })

  test('aborted or timed out has taken nothing', async () => {
    const clock = new FakeClock()
    const broadcaster = new Broadcaster<number>({ clock })
    const subscription = broadcaster.subscribe()
    const controller = new AbortController()
    const aborted = watch(subscription.get({ signal: controller.signal }))
    const late = watch(subscription.get({ timeoutMs: 100 }))
    const other = watch(subscription.get())
    controller.abort('gone')
    await clock.advance(100)
    broadcaster.publish(1)
    expect(await other.promise).toBe(1)
    expect(aborted).toMatchObject({ state: 'rejected', error: 'gone' })
    expect(late.error).toBeInstanceOf(TimeoutError)
    expect(late.error).toMatchObject({ phase: 'call', timeoutMs: 100 })
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  test('refuses a signal that has aborted, and a timeoutMs that is none, and takes nothing', async () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe()
    broadcaster.publish(1)
    expect(await rejection(subscription.get({ signal: AbortSignal.abort('before') }))).toBe(
      'before',
    )
    expect(await rejection(subscription.get({ timeoutMs: 0 }))).toBeInstanceOf(RangeError)
    expect(subscription.size).toBe(1)
  })
})

describe('Subscription.tryGet()', () => {
  test('gives undefined where get() would wait, and null at the end', () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe()
    expect(subscription.tryGet()).toBeUndefined()
    broadcaster.publish(1)
    broadcaster.close()
    expect(subscription.tryGet()).toBe(1)
    expect(subscription.tryGet()).toBeNull()
  })
})

describe('Subscription.close()', () => {
  test('lets what is held be read, and ends then', async () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe()
    publishAll(broadcaster, 1, 2)
    subscription.close()
    expect(broadcaster.publish(3)).toBe(0)
    expect(subscription).toMatchObject({ isClosed: true, size: 2, dropped: 0 })
    expect(await collect(subscription)).toEqual([1, 2])
    expect(await rejection(subscription.get())).toBeInstanceOf(ClosedError)
  })

  test('ends the reads that wait', async () => {
    const subscription = new Broadcaster<number>().subscribe()
    const get = watch(subscription.get())
    const next = watch(subscription.next())
    subscription.close()
    await loopTurns(1)
    expect(get.error).toBeInstanceOf(ClosedError)
    expect(next.value).toEqual({ done: true, value: undefined })
  })

  test('with drain: false drops what is held, also later', () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe()
    publishAll(broadcaster, 1, 2)
    subscription.close()
    subscription.close({ drain: false })
    expect(subscription.tryGet()).toBeNull()
    expect(subscription).toMatchObject({ size: 0, dropped: 0 })
  })

  test('is what leaving a loop does, and disposing', async () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe()
    publishAll(broadcaster, 1, 2)
    for await (const message of subscription) {
      expect(message).toBe(1)
      break
    }
    expect(subscription).toMatchObject({ isClosed: true, size: 0 })
    {
      using disposed = broadcaster.subscribe()
      await using other = broadcaster.subscribe()
      publishAll(broadcaster, 3)
      expect([disposed.size, other.size, broadcaster.subscribers]).toEqual([1, 1, 2])
    }
    expect(broadcaster.subscribers).toBe(0)
  })
})

describe('Broadcaster.close()', () => {
  test('lets each read what it holds, and ends them then', async () => {
    const broadcaster = new Broadcaster<number>()
    const [holding, waiting] = [broadcaster.subscribe(), broadcaster.subscribe()]
    publishAll(broadcaster, 1, 2)
    heldBy(waiting)
    const loop = watch(collect(waiting))
    broadcaster.close()
    expect(await loop.promise).toEqual([])
    expect(await collect(holding)).toEqual([1, 2])
    expect(broadcaster.subscribers).toBe(0)
    broadcaster.close()
  })

  test('with drain: false drops what they hold', async () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe()
    publishAll(broadcaster, 1, 2)
    broadcaster.close({ drain: false })
    expect(await collect(subscription)).toEqual([])
  })

  test('is what disposing does', async () => {
    const broadcaster = new Broadcaster<number>()
    {
      using open = broadcaster
      expect(open.isClosed).toBe(false)
    }
    expect(broadcaster.isClosed).toBe(true)
  })
})

describe('The signal that a subscription is made with', () => {
  test('ends it: what it holds is dropped, and reads give the reason', async () => {
    const broadcaster = new Broadcaster<number>()
    const controller = new AbortController()
    const { signal } = controller
    const holding = broadcaster.subscribe({ signal })
    publishAll(broadcaster, 1, 2)
    const waiting = broadcaster.subscribe({ signal })
    const get = watch(waiting.get())
    const next = watch(waiting.next())
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    controller.abort('gone')
    await loopTurns(1)
    for (const error of [get.error, next.error]) expect(error).toBe('gone')
    expect(await rejection(collect(holding))).toBe('gone')
    expect(thrownBy(() => holding.tryGet())).toBe('gone')
    expect(holding).toMatchObject({ size: 0, isClosed: true })
    expect(broadcaster.subscribers).toBe(0)
  })

  test('that has aborted before makes no subscription', () => {
    const broadcaster = new Broadcaster<number>()
    const signal = AbortSignal.abort('before')
    expect(thrownBy(() => broadcaster.subscribe({ signal }))).toBe('before')
    expect(broadcaster.subscribers).toBe(0)
  })

  test('has no listener left, however the subscription ended', async () => {
    const { signal } = new AbortController()
    const broadcaster = new Broadcaster<number>()
    const subscribe = (): Subscription<number> =>
      broadcaster.subscribe({ signal, capacity: 1, onOverflow: 'disconnect' })
    subscribe().close()
    await subscribe().return()
    subscribe()
    publishAll(broadcaster, 1, 2)
    expect(broadcaster.subscribers).toBe(0)
    subscribe()
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    broadcaster.close()
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('Subscription.signal', () => {
  test('aborts at the moment of the disconnection, although there is still something to read', async () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe({ capacity: 1, onOverflow: 'disconnect' })
    const { signal } = subscription
    broadcaster.publish(1)
    expect(signal.aborted).toBe(false)
    broadcaster.publish(2)
    expect(signal.reason).toBeInstanceOf(SlowConsumerError)
    expect(await subscription.get()).toBe(1)
    expect(await rejection(subscription.get())).toBe(signal.reason)
  })

  test('has aborted when it is asked for afterwards', () => {
    const broadcaster = new Broadcaster<number>()
    const subscription = broadcaster.subscribe({ capacity: 1, onOverflow: 'disconnect' })
    publishAll(broadcaster, 1, 2)
    expect(subscription.signal.reason).toBeInstanceOf(SlowConsumerError)
    expect(subscription.signal).toBe(subscription.signal)
  })

  test('aborts with the signal that the subscription was made with', () => {
    const controller = new AbortController()
    const subscription = new Broadcaster<number>().subscribe({ signal: controller.signal })
    const { signal } = subscription
    controller.abort('gone')
    expect(signal.reason).toBe('gone')
  })

  test('does not abort when the subscription or the broadcaster is closed', () => {
    const broadcaster = new Broadcaster<number>()
    const [a, b] = [broadcaster.subscribe(), broadcaster.subscribe()]
    a.close()
    broadcaster.close()
    expect([a.signal.aborted, b.signal.aborted]).toEqual([false, false])
  })
})

describe('Inside a publish', () => {
  test('who is told of a disconnection may subscribe, unsubscribe and publish: all others get all, in order', () => {
    const broadcaster = new Broadcaster<number>()
    const before = broadcaster.subscribe()
    const slow = [1, 2].map(() => broadcaster.subscribe({ capacity: 1, onOverflow: 'disconnect' }))
    const leaving = broadcaster.subscribe()
    const after = broadcaster.subscribe()
    let joined: Subscription<number> | undefined
    slow[0]?.signal.addEventListener('abort', () => {
      joined = broadcaster.subscribe()
      leaving.close()
      expect(broadcaster.publish(3)).toBe(3)
    })
    expect(publishAll(broadcaster, 1, 2)).toEqual([5, 3])
    expect([before, leaving, after].map(heldBy)).toEqual([
      [1, 2, 3],
      [1, 2],
      [1, 2, 3],
    ])
    expect(joined && heldBy(joined)).toEqual([3])
    // The second one was already out when the third message was published.
    expect(slow.map(({ dropped }) => dropped)).toEqual([1, 1])
    expect(broadcaster).toMatchObject({ subscribers: 3, dropped: 2, published: 3 })
  })
})

describe('Publishing while subscriptions are iterated over', () => {
  test('is safe: a loop may publish, subscribe and unsubscribe', async () => {
    const broadcaster = new Broadcaster<number>()
    const other = broadcaster.subscribe()
    const own = broadcaster.subscribe()
    const seen: number[] = []
    broadcaster.publish(0)
    for await (const message of own) {
      seen.push(message)
      if (message === 5) break
      if (message === 2) broadcaster.subscribe().close()
      broadcaster.publish(message + 1)
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5])
    expect(heldBy(other)).toEqual([0, 1, 2, 3, 4, 5])
    expect(broadcaster.subscribers).toBe(1)
  })
})
