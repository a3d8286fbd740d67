import { describe, expect, test } from 'vitest'
import { parseAddress, parseBlocks, parsePort } from '../../src/cli/address.js'
import { UsageError } from '../../src/cli/usage-error.js'
import { thrownBy } from '../support/thrown-by.js'

describe('parseAddress()', () => {
  test.each([
    ['127.0.0.1:8888', { host: '127.0.0.1', port: 8888 }],
    ['localhost:1', { host: 'localhost', port: 1 }],
    ['a-b.example.com:65535', { host: 'a-b.example.com', port: 65_535 }],
    [':8888', { host: '127.0.0.1', port: 8888 }],
    [':0', { host: '127.0.0.1', port: 0 }],
    ['8888', { host: '127.0.0.1', port: 8888 }],
    ['[::1]:8888', { host: '::1', port: 8888 }],
    ['[fe80::1%eth0]:80', { host: 'fe80::1%eth0', port: 80 }],
    ['[::]:80', { host: '::', port: 80 }],
    ['unix:/run/echo.sock', { path: '/run/echo.sock' }],
    ['unix:///run/echo.sock', { path: '/run/echo.sock' }],
    ['unix:echo.sock', { path: 'echo.sock' }],
    ['unix:a:1', { path: 'a:1' }],
  ])('takes %s', (text, address) => {
    expect(parseAddress([text])).toEqual(address)
  })

  test.each([
    [['localhost', '8888'], { host: 'localhost', port: 8888 }],
    [['::1', '8888'], { host: '::1', port: 8888 }],
    [['[::1]', '8888'], { host: '::1', port: 8888 }],
    [['127.0.0.1', '0'], { host: '127.0.0.1', port: 0 }],
  ])('takes the two words %j', (words, address) => {
    expect(parseAddress(words)).toEqual(address)
  })

  test.each([
    [[''], 'HOST:PORT'],
    [['localhost'], 'localhost:8888'],
    [['[::1]'], '[::1]:8888'],
    [['::1'], '[::1]:PORT'],
    [['::1:8888'], '[::1]:8888'],
    [['a:b:1'], 'HOST:PORT'],
    [['localhost:'], '0 to 65535'],
    [['localhost:http'], '0 to 65535'],
    [['localhost:65536'], '0 to 65535'],
    [[':-1'], '0 to 65535'],
    [[':'], '0 to 65535'],
    [['99999'], '0 to 65535'],
    [['[localhost]:1'], 'HOST:PORT'],
    [['[]:1'], 'HOST:PORT'],
    [['a b:1'], 'HOST:PORT'],
    [['http://localhost:80'], 'HOST:PORT'],
    [['tls://localhost:443'], 'HOST:PORT'],
    [['unix:'], 'unix:/'],
    [['localhost', 'http'], '0 to 65535'],
    [['', '80'], 'HOST:PORT'],
    [['localhost', '80', '81'], 'one'],
    [['8888', '8889'], 'one'],
    [[':8888', '8889'], 'one'],
    [['unix:/a', '1'], 'one'],
  ])('refuses %j and says what to write', (words, hint) => {
    const error = thrownBy(() => parseAddress(words))
    expect(error).toBeInstanceOf(UsageError)
    expect((error as UsageError).hint).toContain(hint)
  })

  test('names the value that it refuses', () => {
    expect(() => parseAddress(['nonsense'])).toThrow("'nonsense' has no port")
    expect(() => parseAddress(['tls://a:1'])).toThrow("'tls://a:1': TLS is not available yet")
  })
})

describe('parsePort()', () => {
  test.each(['', '-1', '1.5', '0x10', '65536', ' 1', '1 '])('refuses %j', (text) => {
    expect(() => parsePort(text)).toThrow(UsageError)
  })
})

describe('parseBlocks()', () => {
  test('takes addresses and blocks with commas between them', () => {
    expect(parseBlocks('10.0.0.0/8, ::1')).toEqual(['10.0.0.0/8', '::1'])
  })

  test.each(['', '10.0.0/8', '1.2.3.4/33', '::1,', 'localhost'])('refuses %j', (text) => {
    expect(thrownBy(() => parseBlocks(text))).toBeInstanceOf(UsageError)
  })
})
