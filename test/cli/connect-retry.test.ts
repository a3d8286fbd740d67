/** `--retry`: connecting again with pauses that grow, and can be ended at any moment. */
import { describe, expect, test } from 'vitest'
import { runCommand, startCommand, startEcho } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { closedPort, fullPort } from '../support/ports.js'

guardAgainstLeaks()

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
