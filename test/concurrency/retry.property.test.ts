/** The schedule of retries against a model that says it in a few lines, and the budget against its invariant. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { retry, type FailedAttempt } from '../../src/concurrency/retry.js'
import { RetryBudget } from '../../src/concurrency/retry-budget.js'
import { sleep } from '../../src/concurrency/sleep.js'
import { BrokenError } from '../../src/errors.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { watch } from '../support/settled.js'

interface Plan {
  maxAttempts: number
  baseMs: number
  maxDelayMs: number
  timeoutMs: number | undefined
  /** How long each attempt takes, and whether it fails. */
  attempts: { ms: number; outcome: 'value' | 'retryable' | 'fatal' }[]
  randoms: number[]
}

const plans: fc.Arbitrary<Plan> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 8 }),
  baseMs: fc.integer({ min: 0, max: 200 }),
  maxDelayMs: fc.integer({ min: 0, max: 1000 }),
  timeoutMs: fc.option(fc.integer({ min: 1, max: 1500 }), { nil: undefined }),
  attempts: fc.array(
    fc.record({
      ms: fc.integer({ min: 0, max: 300 }),
      outcome: fc.oneof(
        { weight: 8, arbitrary: fc.constant('retryable' as const) },
        { weight: 1, arbitrary: fc.constant('fatal' as const) },
        { weight: 1, arbitrary: fc.constant('value' as const) },
      ),
    }),
    { minLength: 8, maxLength: 8 },
  ),
  randoms: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 }),
})

/** When each attempt begins, and how it ends. */
function model(plan: Plan): { begunAt: number[]; end: string; endedAt: number } {
  const dueMs = plan.timeoutMs ?? Infinity
  const begunAt: number[] = []
  let now = 0
  for (let n = 0; ; n++) {
    const { ms, outcome } = plan.attempts[n] as Plan['attempts'][number]
    begunAt.push(now)
    if (ms > 0 && now + ms >= dueMs) return { begunAt, end: 'timed out', endedAt: dueMs }
    now += ms
    if (outcome !== 'retryable') return { begunAt, end: outcome, endedAt: now }
    const ceiling = Math.min(plan.maxDelayMs, plan.baseMs * 2 ** n)
    const delay = Math.floor((plan.randoms[n] as number) * ceiling)
    if (n + 1 === plan.maxAttempts || now + delay >= dueMs) {
      return { begunAt, end: 'retryable', endedAt: now }
    }
    now += delay
  }
}

describe('retry()', () => {
  it('keeps to the schedule, its bounds and its deadline', async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const clock = new FakeClock()
        const errors = {
          retryable: new BrokenError('again'),
          fatal: new Error('never'),
        }
        const begunAt: number[] = []
        const failed: FailedAttempt[] = []
        let endedAt = NaN
        let randomsUsed = 0
        const result = watch(
          retry(
            async ({ attempt, signal }) => {
              begunAt.push(clock.now())
              const { ms, outcome } = plan.attempts[attempt - 1] as Plan['attempts'][number]
              if (ms > 0) await sleep(ms, { signal, clock })
              if (outcome !== 'value') throw errors[outcome]
              return 'value'
            },
            {
              ...plan,
              clock,
              random: () => plan.randoms[randomsUsed++] as number,
              onAttempt: (one) => failed.push(one),
            },
          ).finally(() => {
            endedAt = clock.now()
          }),
        )
        while (result.state === 'pending') await clock.advance(250)

        const expected = model(plan)
        const end =
          result.state === 'resolved'
            ? 'value'
            : result.error === errors.retryable
              ? 'retryable'
              : result.error === errors.fatal
                ? 'fatal'
                : 'timed out'
        expect({ begunAt, end, endedAt }).toEqual(expected)
        expect(begunAt.length).toBeLessThanOrEqual(plan.maxAttempts)
        expect(endedAt).toBeLessThanOrEqual(plan.timeoutMs ?? Infinity)
        failed.forEach(({ delayMs = 0 }, n) => {
          expect(delayMs).toBeGreaterThanOrEqual(0)
          expect(delayMs).toBeLessThanOrEqual(Math.min(plan.maxDelayMs, plan.baseMs * 2 ** n))
        })
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})

describe('RetryBudget', () => {
  it('never gives more than burst + ratio × calls + minPerSecond × seconds, in any stretch', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.constant({ kind: 'call' } as const),
        fc.constant({ kind: 'retry' } as const),
        fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 3000 }) }),
      ),
      { maxLength: 200 },
    )
    const options = fc.record({
      ratio: fc.constantFrom(0, 0.1, 0.5, 1),
      minPerSecond: fc.constantFrom(0, 1, 10),
      burst: fc.constantFrom(1, 3, 10),
    })
    await fc.assert(
      fc.asyncProperty(steps, options, async (sequence, { ratio, minPerSecond, burst }) => {
        let nowMs = 0
        const clock = { now: () => nowMs, setTimeout: () => undefined, clearTimeout: () => {} }
        const budget = new RetryBudget({ ratio, minPerSecond, burst, clock })
        // How much of the allowance each stretch that ends here has left, over all stretches: the least of them.
        let left: number = burst
        for (const step of sequence) {
          if (step.kind === 'call') {
            budget.deposit()
            left += ratio
          } else if (step.kind === 'time') {
            nowMs += step.ms
            left += (minPerSecond * step.ms) / 1000
          }
          // A stretch that begins now has all of burst.
          left = Math.min(left, burst)
          const isRetry = step.kind === 'retry'
          const mayRetry = isRetry && left >= 1 - 1e-6
          expect(isRetry && budget.tryWithdraw()).toBe(mayRetry)
          if (mayRetry) left -= 1
        }
      }),
      { numRuns: 200 },
    )
  })
})
