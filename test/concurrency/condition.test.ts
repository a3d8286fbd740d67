import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Condition } from '../../src/concurrency/condition.js'
import { Mutex } from '../../src/concurrency/mutex.js'
import type { Permit } from '../../src/concurrency/permit.js'
import { TimeoutError } from '../../src/errors.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { rejection, watch } from '../support/settled.js'

/** Takes the lock, waits, and writes its name down when it has the lock again, which it keeps. */
async function waiter(
  condition: Condition,
  name: string,
  log: string[],
  signal?: AbortSignal,
): Promise<Permit> {
  const permit = await condition.acquire()
  try {
    await condition.wait({ signal })
    log.push(name)
  } catch (error) {
    log.push(`${name}: ${String(error)}`)
  }
  return permit
}

describe('Condition', () => {
  test('is locked while its mutex is, whichever of the two was asked', async () => {
    const mutex = new Mutex()
    const condition = new Condition({ mutex })
    expect(condition.mutex).toBe(mutex)
    expect(condition.isLocked).toBe(false)
    {
      using _ = await condition.acquire()
      expect([mutex.isLocked, condition.isLocked]).toEqual([true, true])
    }
    await mutex.use(() => expect(condition.isLocked).toBe(true))
    await condition.use(() => expect(mutex.isLocked).toBe(true))
    expect([mutex.isLocked, condition.isLocked]).toEqual([false, false])
  })

  test('has a lock of its own unless one is given', () => {
    expect(new Condition().mutex).not.toBe(new Condition().mutex)
  })

  test('passes options on to the lock', async () => {
    const clock = new FakeClock()
    const condition = new Condition({ clock })
    const permit = await condition.acquire()
    const late = watch(condition.acquire({ timeoutMs: 5 }))
    const used = watch(condition.use(() => expect.unreachable(), { timeoutMs: 5 }))
    await clock.advance(5)
    expect(late.error).toMatchObject({ message: 'Mutex.acquire(): still waiting after 5 ms' })
    expect(used.error).toBeInstanceOf(TimeoutError)
    permit.release()
  })

  test('shares a lock with other conditions', async () => {
    const mutex = new Mutex()
    const [full, empty] = [new Condition({ mutex }), new Condition({ mutex })]
    const log: string[] = []
    const one = waiter(full, 'full', log)
    const other = waiter(empty, 'empty', log)
    await loopTurns(1)
    await mutex.use(() => empty.notifyAll())
    ;(await other).release()
    expect(log).toEqual(['empty'])
    await mutex.use(() => full.notify())
    ;(await one).release()
    expect(log).toEqual(['empty', 'full'])
  })
})

describe('Condition.wait()', () => {
  test('gives the lock up, and has it again before it goes on, one after the other', async () => {
    const condition = new Condition()
    const log: string[] = []
    const all = ['a', 'b', 'c'].map((name) => waiter(condition, name, log))
    await loopTurns(1)
    expect(log).toEqual([])
    expect(condition).toMatchObject({ isLocked: false, waiting: 3 })

    const permit = await condition.acquire()
    condition.notify()
    await loopTurns(1)
    expect(log).toEqual([])
    permit.release()
    const first = await all[0]
    expect(log).toEqual(['a'])
    expect(condition).toMatchObject({ isLocked: true, waiting: 2 })

    condition.notify(2)
    await loopTurns(1)
    expect(log).toEqual(['a'])
    first?.release()
    ;(await all[1])?.release()
    ;(await all[2])?.release()
    expect(log).toEqual(['a', 'b', 'c'])
    expect(condition).toMatchObject({ isLocked: false, waiting: 0 })
  })

  test('keeps the permit good: it is the same one, any number of waits later', async () => {
    const condition = new Condition()
    const permit = await condition.acquire()
    for (let round = 0; round < 3; round++) {
      const waiting = condition.wait()
      expect(permit.isHeld).toBe(false)
      await condition.use(() => condition.notify())
      await waiting
      expect(permit.isHeld).toBe(true)
    }
    permit.release()
    expect(condition.isLocked).toBe(false)
  })

  test('needs the lock', async () => {
    const condition = new Condition()
    const words = 'Condition.wait() needs the lock: call it between acquire() and release()'
    await expect(condition.wait()).rejects.toThrow(new TypeError(words))
    const permit = await condition.acquire()
    permit.release()
    await expect(condition.wait()).rejects.toThrow(TypeError)
  })

  test('aborted, has the lock again before it rejects with the reason', async () => {
    const condition = new Condition()
    const controller = new AbortController()
    const permit = await condition.acquire()
    const waiting = watch(condition.wait({ signal: controller.signal }))
    const other = await condition.acquire()
    const reason = new Error('enough')
    controller.abort(reason)
    await loopTurns(1)
    expect(waiting.state).toBe('pending')
    expect(condition.waiting).toBe(0)
    other.release()
    expect(await rejection(waiting.promise)).toBe(reason)
    expect(permit.isHeld).toBe(true)
    expect(condition.isLocked).toBe(true)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  test('aborted while nobody has the lock, has it again: it may wait and notify on', async () => {
    const condition = new Condition()
    const controller = new AbortController()
    using permit = await condition.acquire()
    const waiting = condition.wait({ signal: controller.signal })
    await condition.use(() => {})
    expect(condition.isLocked).toBe(false)
    controller.abort('gone')
    await expect(waiting).rejects.toBe('gone')
    expect(permit.isHeld).toBe(true)
    condition.notify()
    const again = condition.wait()
    await condition.use(() => condition.notify())
    await again
    expect(permit.isHeld).toBe(true)
  })

  test('with a signal that has aborted does not give the lock up', async () => {
    const condition = new Condition()
    using permit = await condition.acquire()
    const other = watch(condition.acquire())
    await expect(condition.wait({ signal: AbortSignal.abort('over') })).rejects.toBe('over')
    await expect(condition.wait({ timeoutMs: 0 })).rejects.toThrow(RangeError)
    expect(permit.isHeld).toBe(true)
    expect(other.state).toBe('pending')
  })

  test('aborted while it waits for the lock, rejects with the reason and the lock', async () => {
    const condition = new Condition()
    const controller = new AbortController()
    const log: string[] = []
    const waiting = waiter(condition, 'a', log, controller.signal)
    await loopTurns(1)
    const permit = await condition.acquire()
    condition.notify()
    await loopTurns(1)
    controller.abort('gone')
    permit.release()
    expect((await waiting).isHeld).toBe(true)
    expect(log).toEqual(['a: gone'])
  })

  test.each(['at once', 'while it waits for the lock'])(
    'aborted right after its notification, %s, passes it on to the next',
    async (when) => {
      const condition = new Condition()
      const controller = new AbortController()
      const log: string[] = []
      const first = waiter(condition, 'a', log, controller.signal)
      const second = waiter(condition, 'b', log)
      await loopTurns(1)
      await condition.use(async () => {
        condition.notify()
        if (when !== 'at once') await loopTurns(1)
        controller.abort('gone')
      })
      ;(await first).release()
      ;(await second).release()
      expect(log).toEqual(['a: gone', 'b'])
      expect(condition).toMatchObject({ isLocked: false, waiting: 0 })
    },
  )

  test('lets a later abort be: the notification was heard, and the lock is there', async () => {
    const condition = new Condition()
    const controller = new AbortController()
    const log: string[] = []
    const waiting = waiter(condition, 'a', log, controller.signal)
    await loopTurns(1)
    await condition.use(() => condition.notify())
    await waiting
    controller.abort()
    expect(log).toEqual(['a'])
  })

  test('gives up after timeoutMs, with the lock', async () => {
    const clock = new FakeClock()
    const condition = new Condition({ clock })
    const permit = await condition.acquire()
    const late = watch(condition.wait({ timeoutMs: 500 }))
    await clock.advance(500)
    expect(late.error).toMatchObject({ message: 'Condition.wait(): still waiting after 500 ms' })
    expect(permit.isHeld).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  test('counts a notification that came in time, however late the lock comes', async () => {
    const clock = new FakeClock()
    const condition = new Condition({ clock })
    await condition.acquire()
    const waiting = watch(condition.wait({ timeoutMs: 500 }))
    const other = await condition.acquire()
    condition.notify()
    await clock.advance(1000)
    expect(waiting.state).toBe('pending')
    other.release()
    await loopTurns(1)
    expect(waiting.state).toBe('resolved')
  })

  test('whose permit was released meanwhile does not keep the lock, and says so', async () => {
    const condition = new Condition()
    const permit = await condition.acquire()
    const waiting = watch(condition.wait())
    permit.release()
    expect(condition).toMatchObject({ isLocked: false, waiting: 1 })
    await condition.use(() => condition.notify())
    await loopTurns(1)
    expect(waiting.error).toBeInstanceOf(TypeError)
    expect(String(waiting.error)).toContain('its permit was released while it waited')
    expect(condition.mutex).toMatchObject({ available: 1, waiting: 0 })
  })

  test('whose permit was released meanwhile passes the lock on when its turn comes', async () => {
    const condition = new Condition()
    const permit = await condition.acquire()
    const waiting = watch(condition.wait())
    permit.release()
    const other = await condition.acquire()
    condition.notify()
    await loopTurns(1)
    const next = watch(condition.acquire())
    other.release()
    await loopTurns(1)
    expect(waiting.error).toBeInstanceOf(TypeError)
    expect(next.value?.isHeld).toBe(true)
    expect(condition.mutex).toMatchObject({ available: 0, waiting: 0 })
  })
})

describe('Condition.waitFor()', () => {
  test('waits until its predicate gives something, and gives that', async () => {
    const condition = new Condition()
    const jobs: string[] = []
    const worker = watch(
      condition.use(async () => {
        const job: string = await condition.waitFor(() => jobs.shift())
        return `did ${job}`
      }),
    )
    await loopTurns(1)
    await condition.use(() => condition.notify())
    await loopTurns(1)
    expect(worker.state).toBe('pending')
    await condition.use(() => {
      jobs.push('this')
      condition.notify()
    })
    expect(await worker.promise).toBe('did this')
  })

  test('asks its predicate with the lock', async () => {
    const condition = new Condition()
    const asked: boolean[] = []
    const waiting = condition.use(() =>
      condition.waitFor(() => {
        asked.push(condition.isLocked)
        return asked.length === 3
      }),
    )
    for (let round = 0; round < 2; round++) await condition.use(() => condition.notifyAll())
    expect(await waiting).toBe(true)
    expect(asked).toEqual([true, true, true])
  })

  test('needs no lock where it need not wait, and the lock where it must', async () => {
    const condition = new Condition()
    const list = [1, 2, 3]
    expect(await condition.waitFor(() => list)).toBe(list)
    await expect(condition.waitFor(() => false)).rejects.toThrow(TypeError)
  })

  test('rejects with what its predicate throws, with the lock', async () => {
    const condition = new Condition()
    using permit = await condition.acquire()
    const failing = condition.waitFor(() => {
      throw new Error('looking failed')
    })
    await expect(failing).rejects.toThrow('looking failed')
    expect(permit.isHeld).toBe(true)
  })

  test('refuses an async predicate, which would always be true', async () => {
    const condition = new Condition()
    using _ = await condition.acquire()
    await expect(condition.waitFor(async () => false)).rejects.toThrow(TypeError)
    await expect(condition.waitFor(() => Promise.reject(new Error('x')))).rejects.toThrow(TypeError)
  })

  test('aborted, rejects with the reason, without asking any more', async () => {
    const condition = new Condition()
    const controller = new AbortController()
    const { signal } = controller
    const reason = new TimeoutError('somebody else was late', 'call', 1)
    let asked = 0
    using permit = await condition.acquire()
    const waiting = condition.waitFor(() => ++asked === 2, { signal })
    controller.abort(reason)
    expect(await rejection(waiting)).toBe(reason)
    expect(permit.isHeld).toBe(true)
    expect(await rejection(condition.waitFor(() => ++asked, { signal }))).toBe(reason)
    expect(asked).toBe(1)
  })

  test('has its timeoutMs for all notifications together, and asks once more at the end', async () => {
    const clock = new FakeClock()
    const condition = new Condition({ clock })
    let isSo = false
    let asked = 0
    const attempt = (): Promise<true> =>
      condition.use(() =>
        condition.waitFor(
          () => {
            asked++
            return isSo
          },
          { timeoutMs: 100 },
        ),
      )
    const late = watch(attempt())
    await clock.advance(60)
    await condition.use(() => condition.notify())
    await clock.advance(39)
    expect(late.state).toBe('pending')
    await clock.advance(1)
    expect(late.error).toMatchObject({
      code: 'ERR_STANDPIPE_TIMED_OUT',
      message: 'Condition.waitFor(): not so after 100 ms',
      timeoutMs: 100,
    })
    expect(asked).toBe(3)

    const inTime = watch(attempt())
    await clock.advance(10)
    isSo = true
    await clock.advance(90)
    expect(inTime.value).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  test('is over when the lock comes back after the time', async () => {
    const clock = new FakeClock()
    const condition = new Condition({ clock })
    const waiting = watch(condition.use(() => condition.waitFor(() => false, { timeoutMs: 100 })))
    await condition.use(async () => {
      condition.notify()
      await clock.advance(200)
    })
    await loopTurns(1)
    expect(waiting.error).toMatchObject({ timeoutMs: 100 })
    expect(condition.isLocked).toBe(false)
  })
})

describe('Condition.notify()', () => {
  test('wakes so many as it is told, and all of fewer', async () => {
    const condition = new Condition()
    const log: string[] = []
    const all = ['a', 'b', 'c'].map(async (name) => {
      ;(await waiter(condition, name, log)).release()
    })
    await loopTurns(1)
    await condition.use(() => condition.notify(0))
    await loopTurns(1)
    expect(log).toEqual([])
    await condition.use(() => condition.notify(1))
    await loopTurns(1)
    expect(log).toEqual(['a'])
    await condition.use(() => {
      condition.notify(1)
      condition.notify(2048)
    })
    await Promise.all(all)
    expect(log).toEqual(['a', 'b', 'c'])
  })

  test('is not remembered for those who come later', async () => {
    const condition = new Condition()
    await condition.use(() => condition.notify(Infinity))
    const waiting = watch(condition.use(() => condition.wait()))
    await loopTurns(1)
    expect(waiting.state).toBe('pending')
  })

  test('needs the lock, and a number', async () => {
    const condition = new Condition()
    expect(() => condition.notify()).toThrow(TypeError)
    expect(() => condition.notifyAll()).toThrow(
      new TypeError(
        'Condition.notifyAll() needs the lock: call it between acquire() and release()',
      ),
    )
    using _ = await condition.acquire()
    for (const count of [-1, 0.5, NaN]) {
      expect(() => condition.notify(count)).toThrow(
        new RangeError(`count must be a whole number, 0 or above, or Infinity, not ${count}`),
      )
    }
  })
})

test('Condition.notifyAll() wakes all, one after the other', async () => {
  const condition = new Condition()
  const log: string[] = []
  const all = ['a', 'b', 'c'].map(async (name) => {
    const permit = await waiter(condition, name, log)
    await loopTurns(1)
    log.push(`${name} ends`)
    permit.release()
  })
  await loopTurns(1)
  await condition.use(() => condition.notifyAll())
  await Promise.all(all)
  expect(log).toEqual(['a', 'a ends', 'b', 'b ends', 'c', 'c ends'])
})
