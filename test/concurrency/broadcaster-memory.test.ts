import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import { collectGarbage } from '../support/collect-garbage.js'

/** Far above what a settled heap varies by, and far below a million of anything. */
const FLAT_BYTES = 1_000_000
const MANY = 100_000

function usedBytes(): number {
  for (let round = 0; round < 3; round++) collectGarbage()
  return process.memoryUsage().heapUsed
}

describe('Broadcaster, in memory', () => {
  test('leaves no listener of 100,000 subscriptions on one signal, and nothing else', () => {
    const broadcaster = new Broadcaster<number>()
    const subscribe = (signal: AbortSignal): void => {
      for (let n = 0; n < MANY; n++) broadcaster.subscribe({ signal })
    }
    const before = usedBytes()
    const controller = new AbortController()
    subscribe(controller.signal)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    expect(broadcaster.publish(1)).toBe(MANY)
    controller.abort('gone')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(broadcaster.publish(2)).toBe(0)
    expect(usedBytes() - before).toBeLessThan(FLAT_BYTES)
  })

  test('keeps no more than the capacity of who never reads, and nothing of who reads', async () => {
    const broadcaster = new Broadcaster<object>()
    const stuck = broadcaster.subscribe({ capacity: 100 })
    let read = 0
    const reading = (async () => {
      for await (const _ of broadcaster.subscribe()) read++
    })()
    const publish = async (count: number): Promise<void> => {
      for (let n = 1; n <= count; n++) {
        broadcaster.publish({ n })
        if (n % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await publish(10_000)
    const before = usedBytes()
    await publish(1_000_000)
    expect(usedBytes() - before).toBeLessThan(FLAT_BYTES)
    expect(stuck).toMatchObject({ size: 100, dropped: 1_010_000 - 100 })
    broadcaster.close()
    await reading
    expect(read).toBe(1_010_000)
  })
})
