import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { onAbort } from '../../src/concurrency/abort.js'
import { WaitQueue } from '../../src/concurrency/wait-queue.js'
import { FakeClock } from '../../src/testing/fake-clock.js'

describe('WaitQueue', () => {
  it('wakes in the order of coming', async () => {
    const queue = new WaitQueue<string>('turn')
    const turns = [1, 2, 3].map((n) =>
      queue.wait(undefined, undefined).then((value) => `${value}${n}`),
    )
    expect(queue.size).toBe(3)
    for (const value of ['a', 'b', 'c']) expect(queue.wake(value)).toBe(true)
    expect(queue.wake('d')).toBe(false)
    expect(await Promise.all(turns)).toEqual(['a1', 'b2', 'c3'])
  })

  it('shows what the next in turn has brought along', () => {
    const queue = new WaitQueue<void, string>('turn')
    void queue.wait(undefined, 'first')
    void queue.wait(undefined, 'second')
    expect(queue.nextPayload).toBe('first')
    queue.wake()
    expect(queue.nextPayload).toBe('second')
    queue.wake()
    expect(queue.nextPayload).toBeUndefined()
  })

  it.each([[[0]], [[1]], [[2]], [[0, 1]], [[0, 2]], [[2, 0]], [[1, 2]], [[0, 1, 2]], [[2, 1, 0]]])(
    'goes on with the others when those at %j abort',
    async (gone) => {
      const queue = new WaitQueue('turn')
      const controllers = [0, 1, 2].map(() => new AbortController())
      const results = controllers.map(({ signal }, n) =>
        queue.wait({ signal }, undefined).then(
          () => n,
          (reason: unknown) => reason,
        ),
      )
      for (const n of gone) controllers[n]?.abort(`gone ${n}`)
      const left = [0, 1, 2].filter((n) => !gone.includes(n))
      expect(queue.size).toBe(left.length)
      queue.wakeAll()
      expect(await Promise.all(results)).toEqual(
        [0, 1, 2].map((n) => (gone.includes(n) ? `gone ${n}` : n)),
      )
      for (const { signal } of controllers) expect(getEventListeners(signal, 'abort')).toEqual([])
    },
  )

  it('keeps a turn that was given before the abort', async () => {
    const queue = new WaitQueue<string>('turn')
    const controller = new AbortController()
    const turn = queue.wait({ signal: controller.signal }, undefined)
    queue.wake('mine')
    controller.abort()
    expect(await turn).toBe('mine')
  })

  it('gives the turn to the next when the abort came before', async () => {
    const queue = new WaitQueue<string>('turn')
    const controller = new AbortController()
    const first = queue.wait({ signal: controller.signal }, undefined)
    const second = queue.wait(undefined, undefined)
    controller.abort(new Error('left'))
    queue.wake('mine')
    await expect(first).rejects.toThrow('left')
    expect(await second).toBe('mine')
  })

  it('rejects with a TimeoutError after timeoutMs, and leaves no timer otherwise', async () => {
    const clock = new FakeClock()
    const queue = new WaitQueue('Thing.turn()', clock)
    const late = queue.wait({ timeoutMs: 100 }, undefined).catch((error: unknown) => error)
    const inTime = queue.wait({ timeoutMs: 500 }, undefined)
    await clock.advance(100)
    expect(await late).toMatchObject({
      code: 'ERR_STANDPIPE_TIMED_OUT',
      phase: 'call',
      timeoutMs: 100,
      message: 'Thing.turn(): still waiting after 100 ms',
    })
    expect(queue.size).toBe(1)
    queue.wake()
    await inTime
    expect(clock.pendingTimers).toBe(0)
  })

  it('refuses what may not begin, without a trace', async () => {
    const queue = new WaitQueue('turn')
    const signal = AbortSignal.abort('over')
    await expect(queue.wait({ signal }, undefined)).rejects.toBe('over')
    await expect(queue.wait({ timeoutMs: 0 }, undefined)).rejects.toThrow(RangeError)
    expect(queue.size).toBe(0)
  })

  it('turns the next in turn away, and nobody when nobody waits', async () => {
    const queue = new WaitQueue('turn')
    const [first, second] = [1, 2].map(() => queue.wait(undefined, undefined))
    expect(queue.reject('no')).toBe(true)
    await expect(first).rejects.toBe('no')
    expect(queue.size).toBe(1)
    queue.wake()
    await second
    expect(queue.reject('no')).toBe(false)
  })

  it('wakes those who have brought the same along, out of order, and leaves the others', async () => {
    const queue = new WaitQueue<string, string>('turn')
    const { signal } = new AbortController()
    const turns = ['a', 'b', 'a', 'c', 'a'].map((payload) => queue.wait({ signal }, payload))
    queue.wakeThose('a', 'yours')
    queue.wakeThose('d', 'nobody')
    expect(await Promise.all([turns[0], turns[2], turns[4]])).toEqual(['yours', 'yours', 'yours'])
    expect([queue.size, queue.nextPayload]).toEqual([2, 'b'])
    queue.wakeAll('late')
    expect(await Promise.all([turns[1], turns[3]])).toEqual(['late', 'late'])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('rejects all with an error for each', async () => {
    const queue = new WaitQueue('turn')
    let made = 0
    const results = [1, 2].map(() => queue.wait(undefined, undefined))
    queue.rejectAll(() => new Error(`end ${++made}`))
    await expect(results[0]).rejects.toThrow('end 1')
    await expect(results[1]).rejects.toThrow('end 2')
    expect(queue.size).toBe(0)
  })
})

describe('onAbort()', () => {
  it('has one listener on a signal for all who wait, and none when none does', () => {
    const { signal } = new AbortController()
    const stops = Array.from({ length: 1000 }, () => onAbort(signal, () => {}))
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    for (const stop of stops) stop()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('calls each that still listens, once and in order, also the same function twice', () => {
    const controller = new AbortController()
    const calls: string[] = []
    const twice = (): void => {
      calls.push('twice')
    }
    onAbort(controller.signal, twice)
    const stop = onAbort(controller.signal, () => calls.push('never'))
    onAbort(controller.signal, twice)
    const stopOther = onAbort(controller.signal, () => calls.push('nor'))
    onAbort(controller.signal, () => {
      calls.push('last')
    })
    stop()
    stopOther()
    stopOther()
    controller.abort()
    expect(calls).toEqual(['twice', 'twice', 'last'])
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('does not call a listener that another one has stopped', () => {
    const controller = new AbortController()
    const calls: string[] = []
    onAbort(controller.signal, () => {
      calls.push('first')
      stop()
    })
    const stop = onAbort(controller.signal, () => calls.push('second'))
    controller.abort()
    expect(calls).toEqual(['first'])
  })

  it('leaves a signal alone when there is none', () => {
    expect(() => onAbort(undefined, () => {})()).not.toThrow()
  })
})
