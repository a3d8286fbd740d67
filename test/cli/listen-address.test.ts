import { describe, expect, test } from 'vitest'
import { parseListenAddress, parseMode } from '../../src/cli/listen-address.js'
import { UsageError } from '../../src/cli/usage-error.js'
import { thrownBy } from '../support/thrown-by.js'

const TWO = { LISTEN_PID: String(process.pid), LISTEN_FDS: '2', LISTEN_FDNAMES: 'echo:admin' }

describe('parseListenAddress()', () => {
  test.each([
    [['fd:3'], {}, { fd: 3 }],
    [['systemd'], TWO, { fd: 3 }],
    [['systemd:echo'], TWO, { fd: 3 }],
    [['systemd:admin'], TWO, { fd: 4 }],
    [[':8888'], TWO, { host: '127.0.0.1', port: 8888 }],
    [['systemd.example.com:80'], {}, { host: 'systemd.example.com', port: 80 }],
    [['localhost', '1'], {}, { host: 'localhost', port: 1 }],
    [['unix:/run/echo.sock'], {}, { path: '/run/echo.sock' }],
  ])('takes %j', (words, env, address) => {
    expect(parseListenAddress(words, env)).toEqual(address)
  })

  test.each([
    [['fd:'], {}, "'fd:' names no descriptor", 'fd:3'],
    [['fd:x'], {}, "'fd:x' names no descriptor", 'fd:3'],
    [['fd:-1'], {}, "'fd:-1' names no descriptor", 'fd:3'],
    [['systemd'], {}, "'systemd': no socket was handed to this process", '.socket unit'],
    [['systemd'], { ...TWO, LISTEN_PID: '1' }, 'no socket was handed', 'systemd-socket-activate'],
    [['systemd:x'], TWO, "'systemd:x': no socket of that name", 'There is echo, admin.'],
    [['systemd:x'], { ...TWO, LISTEN_FDNAMES: undefined }, 'no socket of that name', 'fd:3, fd:4'],
    [['systemd'], { ...TWO, LISTEN_FDS: 'many' }, 'LISTEN_FDS must be a number', 'by systemd'],
    [['fd:3', '80'], {}, "'fd:3 80' is more than one address", 'one'],
    [['systemd', '80'], TWO, "'systemd 80' is more than one address", 'one'],
  ])('refuses %j and says what to write', (words, env, message, hint) => {
    const error = thrownBy(() => parseListenAddress(words, env)) as UsageError
    expect(error).toBeInstanceOf(UsageError)
    expect(error.message).toContain(message)
    expect(error.hint).toContain(hint)
  })
})

describe('parseMode()', () => {
  test('takes octal digits', () => {
    expect(parseMode('660')).toBe(0o660)
    expect(parseMode('0600')).toBe(0o600)
  })

  test.each(['', '888', 'rw', '1777', '0x1', '-1'])('refuses %j', (text) => {
    expect(thrownBy(() => parseMode(text))).toBeInstanceOf(UsageError)
  })
})
