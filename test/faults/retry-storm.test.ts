/** A crowd of callers whose server is dead does not make it worse. */
import { expect } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import { retry, type FailedAttempt } from '../../src/concurrency/retry.js'
import { RetryBudget } from '../../src/concurrency/retry-budget.js'
import { ConnectError } from '../../src/errors.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort } from '../support/ports.js'
import { seededRandom } from '../support/seeded-random.js'
import { rejection, watch } from '../support/settled.js'

guardAgainstLeaks()

const CALLERS = 100
const BURST = 20
const RATIO = 0.1
const PER_SECOND = 2

fault(
  'F61',
  'retry() of 100 callers whose server is dead makes no more attempts than the budget allows, and spreads them',
  async ({ figure }) => {
    const port = await closedPort()
    const clock = new FakeClock()
    // Chance, and the same each time.
    const draw = seededRandom(61)
    const random = (): number => draw(1e6) / 1e6
    const budget = new RetryBudget({ ratio: RATIO, burst: BURST, minPerSecond: PER_SECOND, clock })
    let attempts = 0
    const failed: FailedAttempt[] = []
    const callers = Array.from({ length: CALLERS }, () =>
      rejection(
        retry(
          ({ signal }) => {
            attempts++
            return openConnection({ port, signal, logger: false })
          },
          {
            budget,
            clock,
            random,
            maxAttempts: 10,
            baseMs: 1000,
            maxDelayMs: 5000,
            timeoutMs: 60_000,
            onAttempt: (one) => failed.push(one),
          },
        ),
      ),
    )
    const all = watch(Promise.all(callers))
    while (all.state === 'pending') await clock.advance(100)

    // Every caller learns why, from its own last attempt.
    for (const error of all.value ?? []) expect(error).toBeInstanceOf(ConnectError)
    const seconds = clock.now() / 1000
    const retries = attempts - CALLERS
    expect(retries).toBeGreaterThanOrEqual(BURST)
    expect(retries).toBeLessThanOrEqual(BURST + RATIO * CALLERS + PER_SECOND * seconds)
    // Without a budget it would have been 900.
    expect(retries).toBeLessThan(CALLERS * 2)
    expect(new Set(failed.map(({ gaveUp }) => gaveUp))).toContain('budget')

    // The first pauses are spread over all of their second, not bunched at its end.
    const first = failed
      .filter(({ attempt, delayMs }) => attempt === 1 && delayMs !== undefined)
      .map(({ delayMs = 0 }) => delayMs)
    expect(first.length).toBeGreaterThanOrEqual(BURST / 2)
    expect(Math.max(...first)).toBeLessThanOrEqual(1000)
    expect(new Set(first.map((ms) => Math.floor(ms / 250))).size).toBe(4)
    expect(clock.pendingTimers).toBe(0)
    figure('attempts of 100 callers', attempts)
  },
)
