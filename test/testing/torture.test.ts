/** Torture is quiet where a scenario holds, and names what is wrong where it does not. */
import { describe, expect, test } from 'vitest'
import { BrokenError } from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { torture, TortureError, type TortureScenario } from '../../src/testing/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection } from '../support/settled.js'

guardAgainstLeaks()

const NEVER = new Promise<never>(() => {})

/** One line and its reply, and a clean end. */
const conversation: TortureScenario = async ({ client, serve }) => {
  serve(lineEcho({ prefix: '' }))
  try {
    client.writer.write('hello\n')
    expect(['hello', null]).toContain(await client.reader.readLine())
  } finally {
    await client.close()
  }
}

async function failureOf(scenario: TortureScenario, codes = ['EIO']): Promise<TortureError> {
  const error = await rejection(torture(scenario, { codes }))
  expect(error).toBeInstanceOf(TortureError)
  return error as TortureError
}

describe('torture()', () => {
  test('plays a scenario once for each of its operations and each code', async () => {
    const seen: string[] = []
    const report = await torture(
      async (attempt) => {
        try {
          return await conversation(attempt)
        } finally {
          const { failed } = attempt
          seen.push(failed === undefined ? 'none' : `${failed.nth} ${failed.name}`)
        }
      },
      { codes: ['EIO', 'EPIPE'] },
    )
    expect(report.operations).toBeGreaterThanOrEqual(5)
    expect(report.attempts).toBeGreaterThanOrEqual(2 * report.operations)
    // The whole play, and at the end of each code one with nothing left to fail.
    expect(seen.length).toBe(report.attempts + 3)
    expect(seen).toContain('1 write')
  })

  test('fails nothing when the pair is made otherwise', async () => {
    const roomy = await torture(conversation, { pair: { both: { logger: false } } })
    expect(roomy.operations).toBeGreaterThan(0)
  })

  test('reports a scenario that rejects by itself, without torture', async () => {
    const error = await failureOf(() => Promise.reject(new BrokenError('its own')))
    expect(error.failures).toHaveLength(1)
    expect(error.message).toContain('without a failure: the scenario rejected')
  })

  test('reports a scenario that throws before it gives a promise', async () => {
    const error = await failureOf(() => {
      throw new TypeError('at once')
    })
    expect(error.cause).toMatchObject({ message: 'at once' })
  })

  test('reports an assertion of the scenario that an operation brings down', async () => {
    const error = await failureOf(async ({ client, serve }) => {
      serve(lineEcho({ prefix: '' }))
      client.writer.write('hello\n')
      const line = await client.reader.readLine().catch(() => 'garbage')
      await client.close()
      expect(line).toBe('hello')
    })
    const [first] = error.failures
    expect(first).toMatchObject({ code: 'EIO', operation: { nth: 1, name: 'write' } })
    expect(error.message).toMatch(
      /^\d+ attempts went wrong:\n {2}EIO in operation 1 \(write of the client\): the scenario rejected: AssertionError/,
    )
  })

  test('takes a rejection that is allowed', async () => {
    const mine = new Error('mine')
    const scenario: TortureScenario = async (attempt) => {
      await conversation(attempt).catch(() => Promise.reject(mine))
    }
    expect((await failureOf(scenario)).failures.length).toBeGreaterThan(0)
    const report = await torture(scenario, { codes: ['EIO'], allows: (error) => error === mine })
    expect(report.attempts).toBeGreaterThan(0)
  })

  test.each<[string, TortureScenario]>([
    ['the scenario still waits', () => NEVER],
    ['the client is open', () => Promise.resolve()],
    [
      'a handler still runs',
      async ({ client, server, serve }) => {
        serve(() => NEVER)
        void server.close()
        await client.close()
      },
    ],
    [
      'timers that are left: 1',
      async ({ client, server, clock }) => {
        clock.setTimeout(() => {}, 3_600_000)
        await Promise.all([client.close(), server.close()])
      },
    ],
  ])('reports that %s', async (problem, scenario) => {
    expect((await failureOf(scenario)).message).toContain(problem)
  })

  test('reports a rejection that nobody handles', async () => {
    // Those of the test runner would take it for one of the test's.
    const listeners = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    try {
      const error = await failureOf(async (attempt) => {
        void Promise.reject(new Error('left behind'))
        await conversation(attempt)
      })
      expect(error.message).toContain('a rejection is unhandled: Error: left behind')
    } finally {
      for (const listener of listeners) process.on('unhandledRejection', listener)
    }
  })

  test('names ten attempts, and counts the others', async () => {
    const error = await failureOf(
      async (attempt) => {
        await conversation(attempt).catch(() => {})
        if (attempt.failed !== undefined) throw new Error('never good enough')
      },
      ['EIO', 'EPIPE', 'ECONNRESET', 'ETIMEDOUT'],
    )
    expect(error.failures.length).toBeGreaterThan(10)
    expect(error.message).toMatch(/… and \d+ more$/)
  })

  test('refuses options that make no sense', async () => {
    expect(await rejection(torture('hello' as never))).toMatchObject({
      message: 'scenario must be a function, not string',
    })
    for (const codes of [[], 'EIO']) {
      expect(await rejection(torture(conversation, { codes: codes as string[] }))).toMatchObject({
        message: 'codes must be an array of errno codes such as EPIPE, and not empty',
      })
    }
    expect(await rejection(torture(conversation, { turns: 0 }))).toBeInstanceOf(RangeError)
    expect(await rejection(torture(conversation, { settleMs: NaN }))).toMatchObject({
      message: 'settleMs must be a number above 0, not NaN',
    })
  })
})
