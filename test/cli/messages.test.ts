import { CommanderError } from 'commander'
import { describe, expect, test } from 'vitest'
import { Interruption } from '../../src/cli/interruption.js'
import { explain } from '../../src/cli/messages.js'
import { InputError, OutputError, ReaderLeftError } from '../../src/cli/stdio.js'
import { StuckPeerError } from '../../src/cli/stuck-peer-error.js'
import { UsageError } from '../../src/cli/usage-error.js'
import {
  BrokenError,
  ConnectError,
  LimitOverrunError,
  ListenError,
  LookupError,
  TimeoutError,
  type TimeoutPhase,
} from '../../src/errors.js'

function errno(code: string): Error {
  return Object.assign(new Error(`node says ${code}`), { code })
}

function connectError(...attempts: [address: string, code: string][]): ConnectError {
  const list = attempts.map(([address, code]) => ({ address, code, durationMs: 2 }))
  return new ConnectError('connect somewhere: failed', list, {})
}

function timeoutError(phase: TimeoutPhase): TimeoutError {
  return new TimeoutError('it took too long', phase, 5)
}

describe('explain()', () => {
  test.each([
    ['name not found', new LookupError('a.invalid', { cause: errno('ENOTFOUND') }), 6, 'spelling'],
    ['no name server', new LookupError('a.test', { cause: errno('EAI_AGAIN') }), 6, 'network'],
    [
      'refused on the default port',
      connectError(['127.0.0.1:8888', 'ECONNREFUSED']),
      7,
      'Start one with: standpipe echo',
    ],
    [
      'refused on another port',
      connectError(['127.0.0.1:9000', 'ECONNREFUSED']),
      7,
      'Start one with: standpipe echo :9000',
    ],
    [
      'refused on both loopbacks',
      connectError(['[::1]:9000', 'ECONNREFUSED'], ['127.0.0.1:9000', 'ECONNREFUSED']),
      7,
      'Start one with: standpipe echo [::1]:9000',
    ],
    [
      'no socket file',
      connectError(['unix:/run/a', 'ENOENT']),
      7,
      'Start one with: standpipe echo unix:/run/a',
    ],
    ['refused elsewhere', connectError(['192.0.2.1:80', 'ECONNREFUSED']), 7, 'Check the port'],
    ['unreachable', connectError(['192.0.2.1:80', 'EHOSTUNREACH']), 7, 'Check the address'],
    ['no permission', connectError(['unix:/run/a', 'EACCES']), 7, 'permissions'],
    ['a peer that takes nothing', new StuckPeerError('[::1]:9', 5), 1, 'by a pipe'],
    ['a file in place of a socket', connectError(['unix:/a', 'ENOTSOCK']), 7, 'no socket'],
    ['the kernel gave up connecting', connectError(['192.0.2.1:80', 'ETIMEDOUT']), 28, 'firewall'],
    ['connect timeout', timeoutError('connect'), 28, '--connect-timeout'],
    ['idle', timeoutError('idle'), 28, '--idle-timeout'],
    ['silent from the start', timeoutError('first-byte'), 28, '--idle-timeout'],
    ['all in all', timeoutError('call'), 28, '--timeout'],
    ['peer vanished', timeoutError('keep-alive'), 28, 'network'],
    ['reset', new BrokenError('reset', { code: 'ERR_STANDPIPE_RESET' }), 56, 'lost'],
    ['full disk', new OutputError(errno('ENOSPC')), 23, 'space'],
    [
      'a line that is too long',
      new LimitOverrunError('line 2 is too long', { limit: 1, consumed: 2, found: true }),
      1,
      '--limit',
    ],
    ['unreadable input', new InputError(errno('EIO')), 1, ''],
    [
      'port in use',
      new ListenError('127.0.0.1:80', { cause: errno('EADDRINUSE') }),
      1,
      "ss -ltnp 'sport = :80'; or take any free port: --port 0",
    ],
    [
      'socket in use',
      new ListenError('unix:/run/a', { cause: errno('EADDRINUSE') }),
      1,
      'another path',
    ],
    ['low port', new ListenError('0.0.0.0:80', { cause: errno('EACCES') }), 1, '1024'],
    ['closed folder', new ListenError('unix:/a', { cause: errno('EACCES') }), 1, 'folder'],
    ['not here', new ListenError('192.0.2.1:1', { cause: errno('EADDRNOTAVAIL') }), 1, '0.0.0.0'],
    ['no folder', new ListenError('unix:/no/a', { cause: errno('ENOENT') }), 1, 'folder first'],
  ])('%s: exit code, one line, and what to try', (_name, error, exitCode, hint) => {
    const explanation = explain(error, 'connect')
    expect(explanation.exitCode).toBe(exitCode)
    expect(explanation.line).toMatch(/^standpipe: [^\n]+$/)
    expect(explanation.line).toContain(error.message)
    expect(explanation.line).toContain(hint)
  })

  test('a bad command line is exit 2 and points at the help of its command', () => {
    const error = new UsageError("'x' is no port", 'Write a number.')
    expect(explain(error, 'echo')).toEqual({
      line: "standpipe echo: 'x' is no port. Write a number. See: standpipe echo --help",
      exitCode: 2,
    })
  })

  test('what commander complains about in two lines becomes one', () => {
    const error = new CommanderError(
      1,
      'commander.unknownCommand',
      'error: no x\n(Did you mean y?)',
    )
    expect(explain(error)).toEqual({
      line: 'standpipe: no x (Did you mean y?) See: standpipe --help',
      exitCode: 2,
    })
  })

  test.each([
    ['a reader that leaves', new ReaderLeftError(), 0],
    ['Ctrl+C', new Interruption('SIGINT'), 130],
    ['SIGTERM', new Interruption('SIGTERM'), 143],
  ])('%s needs no words', (_name, error, exitCode) => {
    expect(explain(error)).toEqual({ exitCode })
  })

  test('a name cannot send control characters to the terminal', () => {
    const error = new LookupError('\u001b[2Jx\ny', { cause: errno('ENOTFOUND') })
    expect(explain(error).line).toMatch(/^standpipe: look up \\u001b\[2Jx y: /)
  })

  test('a fault of our own shows its stack', () => {
    const error = new TypeError('x is not a function')
    expect(explain(error)).toEqual({ line: `standpipe: ${error.stack}`, exitCode: 1 })
  })
})
