/** That what is observed does not pile up: a million records leave the heap as it was. */
import { describe, expect, it } from 'vitest'
import { Counters } from '../../src/observe/counters.js'
import { Profiler } from '../../src/observe/profiler.js'
import { collectGarbage } from '../support/collect-garbage.js'

const MILLION = 1_000_000
/** What the test runner itself may do to the heap meanwhile; a million records of one number each would be 8 MB. */
const NOISE_BYTES = 512 * 1024

function heapBytes(): number {
  collectGarbage()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

describe('the heap', () => {
  it('stays as it is over a million records in a Profiler', () => {
    const profiler = new Profiler()
    const call = profiler.wrap('call', (n: number) => n + 1)
    for (let n = 0; n < 10_000; n++) call(n)
    const before = heapBytes()
    for (let n = 10_000; n < MILLION; n++) call(n)
    expect(heapBytes() - before).toBeLessThan(NOISE_BYTES)
    expect(profiler.get('call')?.count).toBe(MILLION)
  })

  it('stays as it is over a million labels and names that a peer thinks of', () => {
    const counters = new Counters('paths')
    const profiler = new Profiler({ maxNames: 16 })
    const see = (n: number): void => {
      counters.increment(`/path/${n}`)
      profiler.start(`/path/${n}`).end()
    }
    for (let n = 0; n < 10_000; n++) see(n)
    const before = heapBytes()
    for (let n = 10_000; n < MILLION; n++) see(n)
    expect(heapBytes() - before).toBeLessThan(NOISE_BYTES)
    expect(counters.total).toBe(MILLION)
    expect(profiler.entries()).toHaveLength(17)
  })
})
