/** A signal that lives as long as the process, and what 100,000 operations leave behind on it: nothing. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { asCompleted } from '../../src/concurrency/as-completed.js'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import { retry } from '../../src/concurrency/retry.js'
import { settle } from '../../src/concurrency/settle.js'
import { shield } from '../../src/concurrency/shield.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { taskGroup } from '../../src/concurrency/task-group.js'
import { TaskPool } from '../../src/concurrency/task-pool.js'
import { withTimeout } from '../../src/concurrency/timeout.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

const OPERATIONS = 100_000
/** Takes a second or two on an idle machine. */
const TIME_LIMIT_MS = 60_000
/** So many at a time, as in a busy server. */
const AT_ONCE = 1000

const clock = new FakeClock()
const pool = new TaskPool({ limit: 16, clock })
const broadcaster = new Broadcaster<number>({ clock })

const operations: Readonly<Record<string, (signal: AbortSignal, n: number) => Promise<unknown>>> = {
  'sleep()': (signal) => sleep(0, { signal, clock }),
  'withTimeout()': (signal, n) => withTimeout(async () => n, 1000, { signal, clock }),
  'shield()': (signal, n) => shield(Promise.resolve(n), { signal, timeoutMs: 1000, clock }),
  'taskGroup()': (signal, n) =>
    taskGroup((group) => group.spawn(async () => n, { signal }), { signal }),
  'settle()': (signal, n) => settle([Promise.resolve(n)], { signal }),
  'asCompleted()': async (signal, n) => {
    for await (const value of asCompleted([Promise.resolve(n)], { signal })) return value
    return undefined
  },
  'retry()': (signal, n) => retry(async () => n, { signal, clock, timeoutMs: 1000 }),
  'TaskPool.submit()': (signal, n) => pool.submit(async () => n, { signal, timeoutMs: 1000 }),
  'TaskPool.map()': async (signal, n) => {
    for await (const value of pool.map([n], async (item) => item, { signal })) return value
    return undefined
  },
  'Broadcaster.subscribe()': async (signal, n) => {
    using subscription = broadcaster.subscribe({ signal, capacity: 1 })
    const message = subscription.get({ signal, timeoutMs: 1000 })
    broadcaster.publish(n)
    return await message
  },
}

describe.each(Object.entries(operations))('%s', (_name, operation) => {
  it(
    `leaves no listener and no timer, ${OPERATIONS} times`,
    { timeout: TIME_LIMIT_MS },
    async () => {
      const { signal } = new AbortController()
      let mostListeners = 0
      for (let done = 0; done < OPERATIONS; done += AT_ONCE) {
        const batch = Array.from({ length: AT_ONCE }, (_, n) => operation(signal, done + n))
        mostListeners = Math.max(mostListeners, getEventListeners(signal, 'abort').length)
        await Promise.all(batch)
      }
      // One for all that wait, and none when none does.
      expect(mostListeners).toBeLessThanOrEqual(1)
      expect(getEventListeners(signal, 'abort')).toEqual([])
      expect(clock.pendingTimers).toBe(0)
    },
  )
})
