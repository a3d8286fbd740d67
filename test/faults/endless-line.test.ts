/** What a line without end may cost us: never more than the limit and one received block, and then the connection. */
import { expect } from 'vitest'
import { LimitOverrunError } from '../../src/errors.js'
import type { Transport } from '../../src/protocol/transport.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection } from '../support/settled.js'
import { dial, receiveAll, send, wire, WIRE_KINDS } from '../support/wire.js'

guardAgainstLeaks()

const KIB = 1024

for (const kind of WIRE_KINDS) {
  fault(
    'F19',
    `a line without end over ${kind} is one error, and closes at 16 times the limit`,
    async () => {
      const limit = 10 * KIB
      const { connection, peer } = await wire(kind, { limit })
      const { reader } = connection
      // Behind the connection's own listener: what is stored when a block has come in.
      let mostStored = 0
      let largestBlock = 0
      const transport = connection.getExtraInfo('socket') as Transport
      transport.on('data', (block) => {
        largestBlock = Math.max(largestBlock, block.length)
        mostStored = Math.max(mostStored, reader.bufferedBytes)
      })

      const first = rejection(reader.readLine())
      const received = receiveAll(peer)
      const block = Buffer.alloc(KIB, 'x')
      let sent = 0
      while (sent < 16 * limit) {
        await send(peer, block)
        sent += block.length
      }
      const error = (await first) as LimitOverrunError
      expect(error).toBeInstanceOf(LimitOverrunError)
      expect(error).toMatchObject({ limit, found: false })
      expect(error.consumed).toBeGreaterThan(limit)
      expect(error.consumed).toBeLessThanOrEqual(limit + largestBlock)

      // The cap has not been passed: the next line would still be read.
      await eventually(() => connection.bytesRead === 16 * limit)
      expect(connection.state).toBe('open')
      const second = rejection(reader.readLine())
      await send(peer, block)
      expect(await received).toMatchObject({ end: 'end' })
      expect(await second).toMatchObject({ code: 'ERR_STANDPIPE_LIMIT_OVERRUN', found: false })
      expect(await rejection(reader.readLine())).toBe(await second)
      expect(mostStored).toBeLessThanOrEqual(limit + largestBlock)

      peer.end()
      const info = await connection.closed
      expect(info.reason).toEqual({ kind: 'failed' })
      expect(info.error).toBe(await second)
      expect(await rejection(connection.writer.waitClosed())).toBe(info.error)
    },
  )
}

fault(
  'F20',
  'lineEcho() answers the lines around an over-long one, and tells the peer of it by onLimit',
  async ({ serve, log }) => {
    const server = await serve(lineEcho({ prefix: '> ' }), {
      limit: 100,
      onLimit: ({ limit }) => `longer than ${limit}\n`,
    })
    const client = dial(server.address)
    const received = receiveAll(client)
    await send(client, `before\n${'x'.repeat(101)}\nbetween\n${'y'.repeat(900)}`)
    await send(client, `${'y'.repeat(300)}\r\n${'z'.repeat(100)}\nafter`)
    client.end()
    const { bytes } = await received
    expect(bytes.toString().split('\n')).toEqual([
      '> before',
      'longer than 100',
      '> between',
      'longer than 100',
      `> ${'z'.repeat(100)}`,
      '> after',
    ])
    expect(log.records).toEqual([])
    expect(server.stats.overlongLines).toBe(2)
  },
)

fault(
  'F19',
  'lineEcho() ends with a line that has no end, logged once at info',
  async ({ serve, log }) => {
    const server = await serve(lineEcho({ prefix: '> ' }), { limit: 100 })
    const client = dial(server.address)
    const received = receiveAll(client)
    await send(client, `before\n${'x'.repeat(1700)}`)
    expect(await received).toEqual({ end: 'end', bytes: Buffer.from('> before\n') })
    client.end()
    await eventually(() => server.stats.closedBy.failed === 1)
    expect(log.records.map(({ level }) => level)).toEqual(['info'])
  },
)
