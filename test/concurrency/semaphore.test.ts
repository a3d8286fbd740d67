import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { Permit } from '../../src/concurrency/permit.js'
import { Semaphore } from '../../src/concurrency/semaphore.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { rejection, watch } from '../support/settled.js'

/** Whoever is added to `log` has got a permit of the semaphore. */
function takers(semaphore: Semaphore, log: string[]): (name: string) => Promise<Permit> {
  return async (name) => {
    const permit = await semaphore.acquire()
    log.push(name)
    return permit
  }
}

describe('Semaphore', () => {
  test('has as many permits as it was made with', () => {
    const semaphore = new Semaphore(2)
    expect(semaphore).toMatchObject({ available: 2, waiting: 0, isLocked: false })
    expect(semaphore.tryAcquire()).toBeDefined()
    expect(semaphore).toMatchObject({ available: 1, waiting: 0, isLocked: false })
    expect(semaphore.tryAcquire()).toBeDefined()
    expect(semaphore).toMatchObject({ available: 0, waiting: 0, isLocked: true })
    expect(semaphore.tryAcquire()).toBeUndefined()
  })

  test.each([0, -1, 1.5, NaN, -Infinity, 2 ** 53, '3' as unknown as number])(
    'refuses %j permits',
    (permits) => {
      expect(() => new Semaphore(permits)).toThrow(
        new RangeError(`permits must be a whole number above 0, or Infinity, not ${permits}`),
      )
    },
  )

  test('without a limit never waits', async () => {
    const semaphore = new Semaphore(Infinity)
    const permits = await Promise.all(Array.from({ length: 1000 }, () => semaphore.acquire()))
    for (const permit of permits) permit.release()
    expect(semaphore).toMatchObject({ available: Infinity, waiting: 0, isLocked: false })
  })

  test('is not itself something to await', async () => {
    const semaphore = new Semaphore(1)
    expect(await (semaphore as unknown)).toBe(semaphore)
    expect(semaphore.isLocked).toBe(false)
  })
})

describe('Semaphore.acquire()', () => {
  test('gives permits at once while there are some, and then as they come back', async () => {
    const semaphore = new Semaphore(3)
    const log: string[] = []
    const take = takers(semaphore, log)
    const first = await semaphore.acquire()
    const second = await semaphore.acquire()
    const all = ['a', 'b', 'c'].map(take)
    await loopTurns(1)
    expect(log).toEqual(['a'])
    expect(semaphore).toMatchObject({ available: 0, waiting: 2, isLocked: true })

    all.push(take('d'))
    first.release()
    second.release()
    await loopTurns(1)
    expect(log).toEqual(['a', 'b', 'c'])
    expect(semaphore).toMatchObject({ available: 0, waiting: 1, isLocked: true })
    ;(await all[0])?.release()
    await Promise.all(all)
    expect(log).toEqual(['a', 'b', 'c', 'd'])
  })

  test('is fair to those who come again: everybody else has a turn before', async () => {
    const semaphore = new Semaphore(1)
    const log: string[] = []
    await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        for (const round of [1, 2]) {
          using _ = await semaphore.acquire()
          log.push(`${name}${round}`)
          await loopTurns(1)
        }
      }),
    )
    expect(log).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2'])
  })

  test('puts whoever releases and acquires at once behind those who wait', async () => {
    const semaphore = new Semaphore(1)
    const log: string[] = []
    const take = takers(semaphore, log)
    const first = await take('first')
    const second = take('second')
    first.release()
    const again = take('first again')
    expect(semaphore.tryAcquire()).toBeUndefined()
    ;(await second).release()
    ;(await again).release()
    expect(log).toEqual(['first', 'second', 'first again'])
  })

  test('passes several permits that come back together to as many who wait, in their order', async () => {
    const semaphore = new Semaphore(3)
    const held = [1, 2, 3].map(() => semaphore.tryAcquire())
    const log: string[] = []
    const take = takers(semaphore, log)
    const all = ['a', 'b', 'c', 'd'].map(take)
    for (const permit of held) permit?.release()
    expect(semaphore).toMatchObject({ available: 0, waiting: 1 })
    await Promise.all(all.slice(0, 3))
    expect(log).toEqual(['a', 'b', 'c'])
    ;(await all[1])?.release()
    await all[3]
    expect(log).toEqual(['a', 'b', 'c', 'd'])
  })

  test('aborted, rejects with the reason, and leaves nobody waiting and no listener', async () => {
    const semaphore = new Semaphore(1)
    const permit = await semaphore.acquire()
    const controller = new AbortController()
    const waiting = semaphore.acquire({ signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await rejection(waiting)).toBe(reason)
    expect(semaphore.waiting).toBe(0)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    permit.release()
    expect(semaphore.available).toBe(1)
  })

  test('skips those who were aborted before the permit came back', async () => {
    const semaphore = new Semaphore(1)
    const permit = await semaphore.acquire()
    const controllers = [1, 2, 3, 4].map(() => new AbortController())
    const waits = controllers.map(({ signal }) => watch(semaphore.acquire({ signal })))
    controllers[0]?.abort()
    controllers[1]?.abort()
    permit.release()
    await loopTurns(1)
    expect(waits.map(({ state }) => state)).toEqual(['rejected', 'rejected', 'resolved', 'pending'])
    expect(semaphore).toMatchObject({ available: 0, waiting: 1, isLocked: true })
  })

  test('does not hang those behind somebody who is aborted while the permit comes back', async () => {
    const semaphore = new Semaphore(1)
    const controller = new AbortController()
    const holder = semaphore.use(async () => {
      await loopTurns(1)
      controller.abort('gone')
    })
    const gone = watch(semaphore.use(() => expect.unreachable(), { signal: controller.signal }))
    await holder
    await loopTurns(1)
    expect(gone).toMatchObject({ state: 'rejected', error: 'gone' })
    const permit = await semaphore.acquire({ timeoutMs: 1000 })
    expect(permit.isHeld).toBe(true)
  })

  test('keeps a permit that was given before the abort', async () => {
    const semaphore = new Semaphore(1)
    const permit = await semaphore.acquire()
    const controller = new AbortController()
    const next = semaphore.acquire({ signal: controller.signal })
    permit.release()
    controller.abort()
    expect((await next).isHeld).toBe(true)
    expect(semaphore.isLocked).toBe(true)
  })

  test('with a signal that has aborted takes nothing, free as it may be', async () => {
    const semaphore = new Semaphore(1)
    await expect(semaphore.acquire({ signal: AbortSignal.abort('over') })).rejects.toBe('over')
    await expect(semaphore.acquire({ timeoutMs: -1 })).rejects.toThrow(RangeError)
    expect(semaphore.available).toBe(1)
  })

  test('gives up after timeoutMs, and says what was waited for', async () => {
    const clock = new FakeClock()
    const semaphore = new Semaphore(1, { clock })
    const permit = await semaphore.acquire({ timeoutMs: 50 })
    const late = watch(semaphore.acquire({ timeoutMs: 50 }))
    await clock.advance(49)
    expect(late.state).toBe('pending')
    await clock.advance(1)
    expect(late.error).toMatchObject({
      code: 'ERR_STANDPIPE_TIMED_OUT',
      message: 'Semaphore.acquire(): still waiting after 50 ms',
      timeoutMs: 50,
    })
    permit.release()
    expect(semaphore.available).toBe(1)
    expect(clock.pendingTimers).toBe(0)
  })

  test('leaves no listener behind after 100,000 calls on one signal', async () => {
    const semaphore = new Semaphore(2)
    const { signal } = new AbortController()
    let running = 0
    let most = 0
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
    }
    for (let batch = 0; batch < 100; batch++) {
      const calls = Array.from({ length: 1000 }, () => semaphore.use(work, { signal }))
      expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1)
      await Promise.all(calls)
    }
    expect(most).toBe(2)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(semaphore).toMatchObject({ available: 2, waiting: 0 })
  })
})

describe('Permit', () => {
  test('frees its place once, however often it is released', async () => {
    const semaphore = new Semaphore(2)
    const first = await semaphore.acquire()
    await semaphore.acquire()
    first.release()
    first.release()
    first[Symbol.dispose]()
    expect(first.isHeld).toBe(false)
    expect(semaphore.available).toBe(1)
  })

  test('does not free the place that it has passed on', async () => {
    const semaphore = new Semaphore(1)
    const first = await semaphore.acquire()
    const next = semaphore.acquire()
    first.release()
    first.release()
    expect((await next).isHeld).toBe(true)
    expect(semaphore.available).toBe(0)
  })

  test('with nobody waiting makes the place available', async () => {
    const semaphore = new Semaphore(1)
    const permit = await semaphore.acquire()
    expect(semaphore.isLocked).toBe(true)
    permit.release()
    expect(semaphore.isLocked).toBe(false)
  })

  test('is freed at the end of its block, also by an error', async () => {
    const semaphore = new Semaphore(1)
    const failing = async (): Promise<void> => {
      using permit = await semaphore.acquire()
      expect(permit.isHeld).toBe(true)
      throw new Error('inside')
    }
    await expect(failing()).rejects.toThrow('inside')
    expect(semaphore.available).toBe(1)
  })
})

describe('Semaphore.use()', () => {
  test('gives what the function gives, and frees the permit', async () => {
    const semaphore = new Semaphore(1)
    const used = semaphore.use(() => {
      expect(semaphore.isLocked).toBe(true)
      return 'value'
    })
    expect(await used).toBe('value')
    expect(await semaphore.use(async () => 'later')).toBe('later')
    expect(semaphore.available).toBe(1)
  })

  test('frees the permit when the function throws, at once or later', async () => {
    const semaphore = new Semaphore(1)
    const throwing = (): never => {
      throw new Error('at once')
    }
    await expect(semaphore.use(throwing)).rejects.toThrow('at once')
    await expect(semaphore.use(() => Promise.reject(new Error('later')))).rejects.toThrow('later')
    expect(semaphore.available).toBe(1)
  })

  test('calls the function at once where a permit is free, with options or without', async () => {
    const semaphore = new Semaphore(2)
    const calls: string[] = []
    const all = [
      semaphore.use(() => calls.push('without')),
      semaphore.use(() => calls.push('with'), { timeoutMs: 10 }),
    ]
    expect(calls).toEqual(['without', 'with'])
    await Promise.all(all)
  })

  test('does not call the function when its wait is aborted, or may not begin', async () => {
    const semaphore = new Semaphore(1)
    const controller = new AbortController()
    const permit = await semaphore.acquire()
    const options = { signal: controller.signal }
    const waiting = semaphore.use(() => expect.unreachable(), options)
    controller.abort('gone')
    await expect(waiting).rejects.toBe('gone')
    permit.release()
    await expect(semaphore.use(() => expect.unreachable(), options)).rejects.toBe('gone')
    expect(semaphore).toMatchObject({ available: 1, waiting: 0 })
  })

  test('waits for its turn, and runs so many at a time', async () => {
    const semaphore = new Semaphore(2)
    const log: string[] = []
    await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        semaphore.use(async () => {
          log.push(`${name} begins`)
          await loopTurns(1)
          log.push(`${name} ends`)
        }),
      ),
    )
    expect(log.slice(0, 2)).toEqual(['a begins', 'b begins'])
    expect(log.indexOf('c begins')).toBeGreaterThan(log.indexOf('a ends'))
  })
})
