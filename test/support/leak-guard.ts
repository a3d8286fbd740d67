/**
 * After each test of a file that calls `guardAgainstLeaks()` nothing of the test may live on: no socket, listener,
 * pipe, child process or timer, and no rejection that nobody handled.
 *
 * What a test cleans up itself it gives to `onTestFinished`; those calls run before the guard looks.
 */
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { eventually } from './eventually.js'

/** What keeps a process alive and is a test's own doing. Writes and file operations end by themselves. */
const GUARDED = new Set([
  'ConnectWrap',
  'GetAddrInfoReqWrap',
  'PipeServerWrap',
  'PipeWrap',
  'ProcessWrap',
  'TCPServerWrap',
  'TCPSocketWrap',
])

/** Call it once at the top of a test file. */
export function guardAgainstLeaks(): void {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => {
    unhandled.push(reason)
  }
  const timers = new TimerCount()
  beforeAll(() => {
    process.on('unhandledRejection', note)
    timers.begin()
  })
  afterAll(() => {
    timers.end()
    process.off('unhandledRejection', note)
  })

  beforeEach(({ onTestFinished }) => {
    const baseline = activeResources()
    // The first to be registered is the last to run.
    onTestFinished(async () => {
      // A rejection is called unhandled when the promise jobs of its turn are through.
      await new Promise((resolve) => setImmediate(resolve))
      const check = (): void => {
        expect({ ...surplus(activeResources(), baseline), timers: timers.pending }).toEqual({
          timers: 0,
        })
      }
      const what = 'the sockets, listeners and timers of the test are gone'
      try {
        await eventually(check, { timeoutMs: 1000, what })
      } finally {
        timers.forget()
        expect(unhandled.splice(0)).toEqual([])
      }
    })
  })
}

function activeResources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (GUARDED.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

/** What there is now and was not before, by kind. */
function surplus(
  now: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
): Record<string, number> {
  const more = [...now]
    .map(([kind, count]): [string, number] => [kind, count - (before.get(kind) ?? 0)])
    .filter(([, count]) => count > 0)
  return Object.fromEntries(more)
}

/** Counts the timers of the code under test; those of the test runner took the real functions when it was loaded. */
class TimerCount {
  readonly #pending = new Set<NodeJS.Timeout>()
  readonly #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout }

  get pending(): number {
    return this.#pending.size
  }

  begin(): void {
    const { setTimeout, clearTimeout } = this.#real
    const counting = (callback: () => void, delayMs?: number): NodeJS.Timeout => {
      const timer = setTimeout(() => {
        this.#pending.delete(timer)
        callback()
      }, delayMs)
      this.#pending.add(timer)
      return timer
    }
    globalThis.setTimeout = counting as typeof globalThis.setTimeout
    globalThis.clearTimeout = (timer) => {
      this.#pending.delete(timer as NodeJS.Timeout)
      clearTimeout(timer)
    }
  }

  forget(): void {
    this.#pending.clear()
  }

  end(): void {
    Object.assign(globalThis, this.#real)
  }
}
