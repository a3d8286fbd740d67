import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { BoundedQueue } from '../../src/concurrency/bounded-queue.js'

describe('BoundedQueue, in memory', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void

  function usedBytes(): number {
    for (let round = 0; round < 3; round++) collect()
    return process.memoryUsage().heapUsed
  }

  // Far above what a settled heap varies by, and far below a million of anything.
  const FLAT_BYTES = 1_000_000

  test('costs nothing that stays over 1,000,000 items, waiting or not', async () => {
    const queue = new BoundedQueue<object>({ maxSize: 10 })
    let got = 0
    const taker = async (): Promise<void> => {
      for await (const _ of queue) {
        got++
        queue.taskDone()
      }
    }
    const takers = [taker(), taker()]
    const send = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await queue.put({ n })
      await queue.join()
    }
    await send(10_000)
    const before = usedBytes()
    await send(1_000_000)
    expect(usedBytes() - before).toBeLessThan(FLAT_BYTES)
    queue.close()
    await Promise.all(takers)
    expect(got).toBe(1_010_000)
  })

  test('does not keep the room that a burst has taken', () => {
    const queue = new BoundedQueue<number>({ maxSize: Infinity })
    const before = usedBytes()
    for (let n = 0; n < 1_000_000; n++) queue.tryPut(n)
    expect(usedBytes() - before).toBeGreaterThan(FLAT_BYTES)
    for (let n = 0; n < 1_000_000; n++) queue.tryGet()
    expect(usedBytes() - before).toBeLessThan(FLAT_BYTES)
    expect(queue.size).toBe(0)
  })
})
