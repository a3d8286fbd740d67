/** `--retry`: connecting again with pauses that grow, and can be ended at any moment. */
import { setTimeout as nodeTimeout } from 'node:timers/promises'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { retryConnecting, type FailedAttempt } from '../../src/cli/retry-connecting.js'
import { ConnectError, ProtocolError } from '../../src/errors.js'
import { runCommand, startCommand, startEcho } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'

vi.mock('node:timers/promises', { spy: true })

guardAgainstLeaks()

const refused = new ConnectError('refused', [], {})

/** Fails so often, and then gives the number of the attempt. */
function failing(times: number, error: Error = refused): () => Promise<number> {
  let count = 0
  return () => (++count > times ? Promise.resolve(count) : Promise.reject(error))
}

describe('retryConnecting()', () => {
  const never = new AbortController().signal
  const failed: FailedAttempt[] = []
  const onFailure = (one: FailedAttempt): void => {
    failed.push(one)
  }

  beforeEach(() => {
    failed.length = 0
    vi.mocked(nodeTimeout).mockImplementation(() => Promise.resolve())
    return () => {
      vi.mocked(nodeTimeout).mockReset()
    }
  })

  test('doubles the pauses up to 10 s', async () => {
    const options = { retries: Infinity, signal: never, onFailure, random: () => 1 }
    expect(await retryConnecting(failing(8), options)).toBe(9)
    expect(failed.map(({ pauseMs }) => pauseMs)).toEqual([
      250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000,
    ])
    expect(vi.mocked(nodeTimeout).mock.calls.map(([ms]) => ms)).toEqual(
      failed.map(({ pauseMs }) => pauseMs),
    )
    expect(failed.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  test('spreads each pause from nothing to all of it', async () => {
    const randoms = [0, 0.5, 0.25]
    const random = (): number => randoms.shift() ?? 1
    await retryConnecting(failing(3), { retries: 3, signal: never, onFailure, random })
    expect(failed.map(({ pauseMs }) => pauseMs)).toEqual([0, 250, 250])
  })

  test('gives up with the last error', async () => {
    const promise = retryConnecting(failing(3), { retries: 2, signal: never, onFailure })
    await expect(promise).rejects.toBe(refused)
    expect(failed).toHaveLength(2)
  })

  test('does not try again what cannot be mended', async () => {
    const error = new ProtocolError('no')
    const promise = retryConnecting(failing(1, error), { retries: 2, signal: never, onFailure })
    await expect(promise).rejects.toBe(error)
    expect(failed).toHaveLength(0)
  })

  test('ends a pause when the signal aborts, with its reason', async () => {
    vi.mocked(nodeTimeout).mockReset()
    const ends = new AbortController()
    const reason = new Error('enough')
    const promise = retryConnecting(failing(1), {
      retries: 1,
      signal: ends.signal,
      random: () => 1e6,
      onFailure: () => {
        setImmediate(() => {
          ends.abort(reason)
        })
      },
    })
    await expect(promise).rejects.toBe(reason)
  })
})

describe('standpipe connect --retry', () => {
  test('connects as soon as the server is there', async () => {
    const port = await closedPort()
    const command = startCommand(['connect', `:${port}`, '--retry', 'forever'])
    await command.says(/attempt 2: /)
    await startEcho(['--port', String(port)])
    command.child.stdin?.end('a\n')
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: 'Server received: a\n' })
    const lines = stderr.trimEnd().split('\n')
    for (const [i, line] of lines.entries()) {
      expect(line).toMatch(
        new RegExp(
          `^standpipe: attempt ${i + 1}: connect 127\\.0\\.0\\.1:${port}: refused after ` +
            `\\d+ ms \\(nothing is listening\\); again in \\d+ ms$`,
        ),
      )
    }
  })

  test('gives up after so many, with the exit code of the last', async () => {
    const port = await closedPort()
    const args = ['connect', `:${port}`, '--probe']
    const { code, stderr } = await runCommand(args, { env: { STANDPIPE_RETRY: '1' } })
    expect(code).toBe(7)
    expect(stderr).toMatch(
      /^standpipe: attempt 1 of 2: connect [^\n]+; again in \d+ ms\nstandpipe: connect [^\n]+Start one with[^\n]+\n$/,
    )
  })

  test('is bounded by --timeout as a whole: exit 28', async () => {
    const port = await closedPort()
    const args = ['connect', `:${port}`, '--retry', 'forever', '--timeout', '600ms']
    const { code, stderr } = await runCommand(args)
    expect(code).toBe(28)
    expect(stderr).toMatch(/not done within 600 ms\. --timeout sets how long\n$/)
  })

  test('tries again after --connect-timeout', async () => {
    const port = await fullPort()
    const args = ['connect', `:${port}`, '--retry', '1', '--connect-timeout', '100ms']
    const { code, stderr } = await runCommand(args)
    expect(code).toBe(28)
    expect(stderr.match(/no answer within 100 ms/g)).toHaveLength(2)
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends at once with %s: exit %i', async (signal, exitCode) => {
    const port = await closedPort()
    const command = startCommand(['connect', `:${port}`, '--retry', 'forever'])
    await command.says(/attempt 2: /)
    command.kill(signal)
    const { code, stderr } = await command.ended
    expect(code).toBe(exitCode)
    expect(stderr).toMatch(/^(?:standpipe: attempt [^\n]+\n)+$/)
  })

  test.each(['-1', 'always', '1.5', ''])('%j is exit 2', async (value) => {
    const { code, stderr } = await runCommand(['connect', ':1', `--retry=${value}`])
    expect(code).toBe(2)
    expect(stderr).toContain(`'${value}' is no number of retries. Write 0 or above, or forever.`)
  })
})
