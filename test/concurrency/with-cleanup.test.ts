import { describe, expect, test } from 'vitest'
import { withCleanup } from '../../src/concurrency/with-cleanup.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { rejection, watch } from '../support/settled.js'
import { TracedSource } from '../support/traced-source.js'

/** An iteration, its source, and how often it was cleaned up when the source had been ended so often. */
function traced(cleanup: () => unknown = () => {}, signal?: AbortSignal) {
  const source = new TracedSource<number>()
  const cleanups: string[] = []
  const iteration = withCleanup(
    source,
    () => {
      cleanups.push(`after ${source.returned}`)
      return cleanup()
    },
    { signal },
  )
  return { source, cleanups, iteration }
}

describe('withCleanup()', () => {
  test('cleans up once at the end, before the loop goes on', async () => {
    const order: string[] = []
    const { source, iteration, cleanups } = traced(async () => {
      await loopTurns(2)
      order.push('cleaned up')
    })
    source.give(1, 2).end()
    for await (const n of iteration) order.push(String(n))
    order.push('after')
    expect(order).toEqual(['1', '2', 'cleaned up', 'after'])
    await iteration.return()
    expect(cleanups).toEqual(['after 0'])
  })

  test('cleans up once when the loop is left, after the source has ended', async () => {
    const { source, iteration, cleanups } = traced()
    source.give(1)
    for await (const _ of iteration) break
    await iteration.return()
    expect(cleanups).toEqual(['after 1'])
  })

  test('cleans up when no step was made, and when one waits for the source', async () => {
    const unused = traced()
    await unused.iteration.return()
    expect(unused.cleanups).toEqual(['after 1'])
    const waiting = traced()
    const step = watch(waiting.iteration.next())
    await loopTurns(1)
    await waiting.iteration.return()
    expect(waiting.cleanups).toEqual(['after 1'])
    waiting.source.end()
    await loopTurns(2)
    expect(step.value).toEqual({ done: true, value: undefined })
    expect(waiting.cleanups).toEqual(['after 1'])
  })

  test('cleans up when the source fails, and throws that error whatever the cleanup does', async () => {
    const { source, iteration, cleanups } = traced(() => {
      throw new Error('cannot clean up')
    })
    source.fail(new Error('broken'))
    await expect(iteration.next()).rejects.toThrow('broken')
    expect(cleanups).toEqual(['after 0'])
  })

  test('cleans up on an abort', async () => {
    const controller = new AbortController()
    const { iteration, cleanups } = traced(undefined, controller.signal)
    const step = watch(iteration.next())
    await loopTurns(1)
    controller.abort('gone')
    await loopTurns(1)
    expect(step.error).toBe('gone')
    expect(cleanups).toEqual(['after 1'])
  })

  test('throws what the cleanup throws when nothing else is thrown', async () => {
    const fail = (): never => {
      throw new Error('cannot clean up')
    }
    const ended = traced(fail)
    ended.source.end()
    expect(await rejection(ended.iteration.next())).toMatchObject({ message: 'cannot clean up' })
    const left = traced(fail)
    expect(await rejection(left.iteration.return())).toMatchObject({ message: 'cannot clean up' })
    for (const { cleanups } of [ended, left]) expect(cleanups).toHaveLength(1)
  })

  test('cleans up although the source cannot be ended, and throws that', async () => {
    const { source, iteration, cleanups } = traced()
    source.onReturn = () => Promise.reject(new Error('cannot end'))
    await expect(iteration.return()).rejects.toThrow('cannot end')
    expect(cleanups).toEqual(['after 1'])
  })

  test('refuses what is no function, at once', () => {
    expect(() => withCleanup([], undefined as never)).toThrow(
      new TypeError('cleanup must be a function, not undefined'),
    )
  })
})
