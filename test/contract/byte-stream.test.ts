import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Connection } from '../../src/protocol/connection.js'
import { systemClock } from '../../src/concurrency/clock.js'
import {
  BYTE_STREAM_RULES,
  checkByteStream,
  connectionPair,
  type ByteStreamPair,
  type ConnectionPairOptions,
} from '../../src/testing/index.js'
import { tcpSocketPair, unixSocketPair } from '../support/socket-pair.js'

function memoryPair(options?: ConnectionPairOptions): ByteStreamPair {
  const { client, server } = connectionPair({ ...options, clock: systemClock })
  return [client, server]
}

async function connectionsOver(sockets: Promise<[Socket, Socket]>): Promise<ByteStreamPair> {
  const [dialled, accepted] = await sockets
  const client = new Connection(dialled, { role: 'outbound' })
  const server = new Connection(accepted, { role: 'inbound' })
  accepted.resume()
  return [client, server]
}

describe('checkByteStream()', () => {
  test('has at least thirty rules, no two with the same name', () => {
    expect(BYTE_STREAM_RULES.length).toBeGreaterThanOrEqual(30)
    expect(new Set(BYTE_STREAM_RULES).size).toBe(BYTE_STREAM_RULES.length)
  })

  test.each([
    ['Connections in memory', () => memoryPair(), () => memoryPair()],
    [
      'Connections in memory with odd cuts and little room',
      () => memoryPair({ transport: { cut: (available) => 1 + (available % 1_499) } }),
      () => memoryPair({ transport: { bufferBytes: [10_007, 16_384] } }),
    ],
    [
      'Connections over TCP',
      async () => connectionsOver(tcpSocketPair()),
      async () => connectionsOver(tcpSocketPair()),
    ],
    [
      'Connections over a Unix socket',
      async () => connectionsOver(unixSocketPair()),
      async () => connectionsOver(unixSocketPair()),
    ],
  ])('passes on %s', { timeout: 60_000 }, async (_kind, makePair, makeCloggedPair) => {
    const results = await checkByteStream(makePair, makeCloggedPair)
    expect(results.map(({ rule }) => rule)).toEqual(BYTE_STREAM_RULES)
    expect(results.filter(({ outcome }) => outcome !== 'kept')).toEqual([])
  })
})
