import { describe, expect, test } from 'vitest'
import {
  checkHost,
  checkPort,
  describeAddress,
  localAddressOf,
  remoteAddressOf,
  toAsyncioName,
  type Address,
} from '../../src/protocol/address.js'
import { FakeTransport } from '../support/fake-transport.js'

const tcp: Address = { host: '127.0.0.1', port: 8888 }
const tcp6: Address = { host: '::1', port: 8888 }
const unix: Address = { path: '/run/x.sock' }

test('describeAddress() writes an address as people do', () => {
  const texts = [tcp, tcp6, unix, undefined].map((address) => describeAddress(address))
  expect(texts).toEqual(['127.0.0.1:8888', '[::1]:8888', 'unix:/run/x.sock', 'an unknown address'])
})

test('toAsyncioName() gives host and port, or the path, or nothing', () => {
  const names = [tcp, tcp6, unix, undefined].map((address) => toAsyncioName(address))
  expect(names).toEqual([['127.0.0.1', 8888], ['::1', 8888], '/run/x.sock', undefined])
})

test('localAddressOf() and remoteAddressOf() know no address that the transport knows half', () => {
  const ends = (known: object) => {
    const transport = Object.assign(new FakeTransport(), known)
    return [localAddressOf(transport), remoteAddressOf(transport)]
  }
  const [local, remote] = [
    { localAddress: '::1', localPort: 1 },
    { remoteAddress: '::2', remotePort: 2 },
  ]
  expect(ends({ ...local, ...remote })).toEqual([
    { host: '::1', port: 1 },
    { host: '::2', port: 2 },
  ])
  expect(ends({ localAddress: '::1', remotePort: 2 })).toEqual([undefined, undefined])
})

describe('checkHost()', () => {
  test('takes a name and an address', () => {
    for (const host of ['localhost', '127.0.0.1', '::']) expect(() => checkHost(host)).not.toThrow()
  })

  test.each([
    ['', 'host must be an address or a name, not an empty string'],
    [7, 'host must be an address or a name, not number'],
    [undefined, 'host must be an address or a name, not undefined'],
  ])('refuses %j', (host, message) => {
    expect(() => checkHost(host)).toThrow(new TypeError(message))
  })
})

describe('checkPort()', () => {
  test.each([
    [0, 0],
    [65_535, 0],
    [1, 1],
  ] as const)('takes %d from %d on', (port, least) => {
    expect(() => checkPort(port, least)).not.toThrow()
  })

  test.each([
    [-1, 0],
    [0, 1],
    [65_536, 0],
    [80.5, 0],
    [NaN, 1],
    [undefined, 1],
  ] as const)('refuses %s from %d on, and says what it was', (port, least) => {
    const message = `port must be a whole number from ${least} to 65535, not ${port}`
    expect(() => checkPort(port, least)).toThrow(new RangeError(message))
  })
})
