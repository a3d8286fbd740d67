/** Where `standpipe echo` can be told to listen, apart from a host and a port. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listening, MAIN, runCommand, RunningCommand, startEcho } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { isMissing } from '../support/peers.js'
import { ACTIVATOR } from '../support/programs.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

async function answers(address: string): Promise<void> {
  const { stdout, code } = await runCommand(['connect', address], { input: 'hello\n' })
  expect(stdout.toString()).toBe('Server received: hello\n')
  expect(code).toBe(0)
}

describe.skipIf(isMissing('python3'))('standpipe echo on a socket that it was handed', () => {
  test.each([
    ['fd:3', 'tcp'],
    ['systemd', 'tcp'],
    ['systemd:tcp', 'tcp'],
    ['fd:4', 'unix'],
    ['systemd:unix', 'unix'],
  ])('%s listens on it, and a stop leaves its file', async (where, kind) => {
    const path = join(await temporaryFolder(), 's')
    const args = [ACTIVATOR, path, process.execPath, MAIN, 'echo', '--json', where]
    const { command, address } = await listening(new RunningCommand('python3', args, {}))
    expect(address).toMatch(kind === 'tcp' ? /^127\.0\.0\.1:\d+$/ : `unix:${path}`)
    await answers(address)
    command.kill('SIGTERM')
    expect((await command.ended).code).toBe(0)
    expect((await stat(path)).isSocket()).toBe(true)
  })
})

describe('standpipe echo', () => {
  test('refuses a descriptor that is not a socket, with exit 1 and its number', async () => {
    const { code, stderr } = await runCommand(['echo', 'fd:0'])
    expect(code).toBe(1)
    expect(stderr).toContain('listen on descriptor 0: it is not a socket to listen on')
  })

  test('refuses systemd where it handed down nothing, with exit 2', async () => {
    const { code, stderr } = await runCommand(['echo', 'systemd'])
    expect(code).toBe(2)
    expect(stderr).toContain("'systemd': no socket was handed to this process")
  })

  test('--mode is the permissions of its Unix socket', async () => {
    const path = join(await temporaryFolder(), 's')
    await startEcho([`unix:${path}`, '--mode', '600'])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await answers(`unix:${path}`)
  })

  test.each([[['--mode', '600']], [['fd:3', '--mode', '600']]])(
    'refuses %j, with exit 2: there is no file to have a mode',
    async (args) => {
      const { code, stderr } = await runCommand(['echo', ...args])
      expect(code).toBe(2)
      expect(stderr).toContain('--mode is for a Unix socket')
    },
  )
})
