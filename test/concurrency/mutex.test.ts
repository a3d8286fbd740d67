import { describe, expect, test } from 'vitest'
import { Mutex } from '../../src/concurrency/mutex.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { watch } from '../support/settled.js'

describe('Mutex', () => {
  test('is held by one at a time', async () => {
    const mutex = new Mutex()
    expect(mutex).toMatchObject({ isLocked: false, available: 1 })
    const permit = await mutex.acquire()
    expect(mutex.isLocked).toBe(true)
    expect(mutex.tryAcquire()).toBeUndefined()
    permit.release()
    expect(mutex.isLocked).toBe(false)
  })

  test('goes from one to the next in the order of coming', async () => {
    const mutex = new Mutex()
    const log: string[] = []
    const permit = await mutex.acquire()
    const all = ['a', 'b', 'c'].map(async (name) => {
      const held = await mutex.acquire()
      log.push(name)
      return held
    })
    await loopTurns(1)
    expect(log).toEqual([])
    permit.release()
    for (const [index, one] of all.entries()) {
      const held = await one
      await loopTurns(1)
      expect(log).toEqual(['a', 'b', 'c'].slice(0, index + 1))
      expect(mutex.isLocked).toBe(true)
      held.release()
    }
    expect(mutex.isLocked).toBe(false)
  })

  test('is passed on when the one who should have it next is aborted', async () => {
    const mutex = new Mutex()
    const first = await mutex.acquire()
    const controller = new AbortController()
    const second = watch(mutex.acquire({ signal: controller.signal }))
    const third = watch(mutex.acquire())
    controller.abort('gone')
    first.release()
    await loopTurns(1)
    expect(second.state).toBe('rejected')
    expect(third.state).toBe('resolved')
    third.value?.release()
    expect(mutex.isLocked).toBe(false)
  })

  test('stays with whoever got it right before the abort, who passes it on', async () => {
    const mutex = new Mutex()
    const first = await mutex.acquire()
    const controller = new AbortController()
    const second = watch(mutex.acquire({ signal: controller.signal }))
    const third = watch(mutex.acquire())
    first.release()
    controller.abort('too late')
    await loopTurns(1)
    expect([second.state, third.state]).toEqual(['resolved', 'pending'])
    second.value?.release()
    await loopTurns(1)
    expect(third.state).toBe('resolved')
  })

  test('is free again when the only one who waited is aborted', async () => {
    const mutex = new Mutex()
    const first = await mutex.acquire()
    const controller = new AbortController()
    const second = watch(mutex.acquire({ signal: controller.signal }))
    controller.abort()
    first.release()
    await loopTurns(1)
    expect(second.state).toBe('rejected')
    expect(mutex).toMatchObject({ isLocked: false, waiting: 0 })
  })

  test('names itself in a timeout', async () => {
    const clock = new FakeClock()
    const mutex = new Mutex({ clock })
    await mutex.acquire()
    const late = watch(mutex.acquire({ timeoutMs: 5 }))
    await clock.advance(5)
    expect(late.error).toMatchObject({ message: 'Mutex.acquire(): still waiting after 5 ms' })
  })

  test('is free at the end of a block, and of use()', async () => {
    const mutex = new Mutex()
    {
      using _ = await mutex.acquire()
      expect(mutex.isLocked).toBe(true)
    }
    expect(mutex.isLocked).toBe(false)
    await mutex.use(() => expect(mutex.isLocked).toBe(true))
    expect(mutex.isLocked).toBe(false)
  })
})
