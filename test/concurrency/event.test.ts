import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Event } from '../../src/concurrency/event.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { inAllOrders, interleave, type Gap } from '../support/all-orders.js'
import { HeldTimers } from '../support/held-timers.js'
import { watch } from '../support/settled.js'

describe('Event', () => {
  test('is not set at first, and is set and cleared any number of times', () => {
    const event = new Event()
    expect(event.isSet).toBe(false)
    event.set()
    event.set()
    expect(event.isSet).toBe(true)
    event.clear()
    event.clear()
    expect(event.isSet).toBe(false)
  })
})

describe('Event.wait()', () => {
  test('goes on when the event is set, in the order of coming', async () => {
    const event = new Event()
    const log: string[] = []
    const all = ['a', 'b', 'c'].map((name) => event.wait().then(() => log.push(name)))
    await loopTurns(1)
    expect(log).toEqual([])
    expect(event.waiting).toBe(3)
    event.set()
    await Promise.all(all)
    expect(log).toEqual(['a', 'b', 'c'])
    expect(event.waiting).toBe(0)
  })

  test('does not wait for what has happened', async () => {
    const event = new Event()
    event.set()
    await event.wait()
    await event.wait({ timeoutMs: 1 })
    expect(event.waiting).toBe(0)
  })

  test('waits for the next time once the event is cleared', async () => {
    const event = new Event()
    event.set()
    event.clear()
    const next = watch(event.wait())
    await loopTurns(1)
    expect(next.state).toBe('pending')
    event.set()
    await loopTurns(1)
    expect(next.state).toBe('resolved')
  })

  test('goes on also when the event is cleared right after, but not who comes then', async () => {
    const event = new Event()
    const before = watch(event.wait())
    event.set()
    event.clear()
    const after = watch(event.wait())
    await loopTurns(1)
    expect([before.state, after.state]).toEqual(['resolved', 'pending'])
    expect(event.isSet).toBe(false)
  })

  test('aborted, rejects with the reason and leaves nothing behind', async () => {
    const event = new Event()
    const controller = new AbortController()
    const gone = event.wait({ signal: controller.signal })
    const other = watch(event.wait())
    controller.abort('gone')
    await expect(gone).rejects.toBe('gone')
    expect(event.waiting).toBe(1)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    event.set()
    await loopTurns(1)
    expect(other.state).toBe('resolved')
  })

  test('may not begin with a signal that has aborted, set or not', async () => {
    const event = new Event()
    const signal = AbortSignal.abort('over')
    await expect(event.wait({ signal })).rejects.toBe('over')
    event.set()
    await expect(event.wait({ signal })).rejects.toBe('over')
    await expect(event.wait({ timeoutMs: NaN })).rejects.toThrow(RangeError)
  })

  test('gives up after timeoutMs', async () => {
    const clock = new FakeClock()
    const event = new Event({ clock })
    const late = watch(event.wait({ timeoutMs: 20 }))
    await clock.advance(20)
    expect(late.error).toMatchObject({ message: 'Event.wait(): still waiting after 20 ms' })
    expect(event.waiting).toBe(0)
  })

  test('leaves no listener behind after 100,000 calls on one signal', async () => {
    const event = new Event()
    const { signal } = new AbortController()
    for (let batch = 0; batch < 100; batch++) {
      const calls = Array.from({ length: 1000 }, () => event.wait({ signal }))
      expect(getEventListeners(signal, 'abort')).toHaveLength(1)
      event.set()
      event.clear()
      await Promise.all(calls)
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('in all orders of set, clear, abort and timeout: whatever comes first decides', async () => {
    const gaps: Gap[] = ['at once', 1, 'turn']
    const runs = await inAllOrders(async (choose) => {
      const timers = new HeldTimers()
      const event = new Event({ clock: timers })
      const controller = new AbortController()
      const { signal } = controller
      const log: string[] = []
      const aborted = watch(event.wait({ signal }))
      const timed = watch(event.wait({ timeoutMs: 5 }))
      const late = { is: 'pending' as string, call: watch(new Promise<void>(() => {})) }
      const step = (name: string, run: () => void) => ({
        name,
        run() {
          log.push(name)
          run()
        },
      })
      await interleave(
        choose,
        [
          [step('set', () => event.set()), step('clear', () => event.clear())],
          [step('abort', () => controller.abort('gone'))],
          [step('fire', () => timers.fire())],
          [
            step('come', () => {
              late.is = event.isSet ? 'resolved' : 'pending'
              late.call = watch(event.wait())
            }),
          ],
        ],
        gaps,
      )
      await loopTurns(1)
      const setAt = log.indexOf('set')
      expect(aborted.state).toBe(log.indexOf('abort') < setAt ? 'rejected' : 'resolved')
      expect(timed.state).toBe(log.indexOf('fire') < setAt ? 'rejected' : 'resolved')
      expect(late.call.state).toBe(log.indexOf('come') < setAt ? 'resolved' : late.is)
      expect(getEventListeners(signal, 'abort')).toEqual([])
      expect(timers.pending).toBe(0)
    })
    expect(runs).toBe(60 * 3 ** 4)
  })
})
