/** The command line itself: help, version, flags, variables, and what is said about nonsense. */
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { runCommand, startEcho, startShell } from '../support/command.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'

guardAgainstLeaks()

describe('standpipe', () => {
  test.each([[[]], [['--help']], [['help']]])('%j prints the help', async (args) => {
    const { code, stdout, stderr } = await runCommand(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.toString()).toMatch(/^Usage: standpipe .*^ {2}echo .*^ {2}connect /ms)
  })

  test('--version prints the version of the package', async () => {
    const { code, stdout } = await runCommand(['--version'])
    expect(code).toBe(0)
    expect(stdout.toString()).toBe(`${manifest.version}\n`)
  })

  test.each(['echo', 'connect'])('%s --help names its flags and their variables', async (name) => {
    const { code, stdout } = await runCommand([name, '--help'])
    expect(code).toBe(0)
    expect(stdout.toString()).toContain('--idle-timeout')
    expect(stdout.toString()).toContain('STANDPIPE_IDLE_TIMEOUT')
  })

  test('--help into a reader that leaves is no error', async () => {
    const shell = startShell('{ standpipe echo --help; echo "code $?" >&2; } | true')
    expect((await shell.ended).stderr).toBe('code 0\n')
  })

  test.each([
    ['an unknown command', ['ehco'], "unknown command 'ehco'"],
    ['an unknown flag', ['echo', '--prot', '1'], "unknown option '--prot'"],
    ['a flag without its value', ['echo', '--port'], "option '--port <port>' argument missing"],
    ['a bad port', ['echo', '--port', 'http'], "'http' is no port"],
    ['a bad duration', ['echo', '--grace', '10'], "'10' has no unit. Write 10s or 10ms"],
    ['a timeout of 0', ['echo', '--idle-timeout', '0s'], 'To switch it off write off'],
    ['a grace without end', ['echo', '--grace', 'off'], "'off' is no duration"],
    ['a bad size', ['echo', '--limit', 'big'], "'big' is no size"],
    ['a bad level', ['echo', '--log-level', 'loud'], 'Allowed choices are debug, info'],
    ['a bad address', ['echo', 'localhost'], "'localhost' has no port. Write localhost:8888."],
    ['two addresses', ['echo', ':1', '--port', '2'], 'both say where to listen'],
    ['no address', ['connect'], "missing required argument 'address'"],
    ['a bad address', ['connect', 'localhost'], "'localhost' has no port"],
    ['port 0', ['connect', ':0'], 'port 0 cannot be connected to'],
    ['TLS', ['connect', 'tls://localhost:1'], 'TLS is not available yet'],
    ['a bad duration', ['connect', ':1', '--timeout', '5'], "'5' has no unit"],
  ])('%s (%j) is exit 2 and one line', async (_name, args, words) => {
    const { code, stdout, stderr } = await runCommand(args)
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^standpipe[^\n]*--help\n$/)
    expect(stderr).toContain(words)
  })

  test('a bad variable is exit 2 and named', async () => {
    const env = { STANDPIPE_IDLE_TIMEOUT: '5' }
    const { code, stderr } = await runCommand(['connect', ':1'], { env })
    expect(code).toBe(2)
    expect(stderr).toContain("from env 'STANDPIPE_IDLE_TIMEOUT' is invalid. '5' has no unit")
  })

  test('variables stand for flags, and the command line wins', async () => {
    const env = { STANDPIPE_PREFIX: 'env: ', STANDPIPE_PORT: '1', STANDPIPE_LOG_LEVEL: 'silent' }
    const { address } = await startEcho(['--port', '0'], { env })
    const { stdout } = await runCommand(['connect', address], { input: 'hello\n' })
    expect(stdout.toString()).toBe('env: hello\n')
  })

  test('an address wins over the variables of host and port', async () => {
    const { address } = await startEcho(['127.0.0.1:0'], { env: { STANDPIPE_PORT: '1' } })
    expect(address).not.toBe('127.0.0.1:1')
  })
})
