/** The servers that are bad peers on purpose, as a client sees them. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import type { ConnectError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import type { Server } from '../../src/server/start-server.js'
import { startBlackHole, startResettingPeer } from '../../src/testing/index.js'
import { eventually } from '../support/eventually.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { temporaryFolder } from '../support/wire.js'

guardAgainstLeaks()

async function connectTo(server: Server): Promise<Connection> {
  onTestFinished(() => server[Symbol.asyncDispose]())
  const connection = await openConnection({ ...server.address, logger: false })
  onTestFinished(() => {
    connection.abort()
  })
  return connection
}

describe('startBlackHole()', () => {
  test('accepts and says nothing, until it is stopped', async () => {
    const hole = await startBlackHole()
    const connection = await connectTo(hole)
    const answer = watch(connection.reader.readLine())
    connection.writer.write('anyone?\n')
    await eventually(() => hole.stats.accepted === 1)
    expect(answer.state).toBe('pending')
    await hole.stop()
    expect((await connection.closed).reason.kind).toBe('reset')
  })

  test('that reads nothing lets a sender stall', async () => {
    const connection = await connectTo(await startBlackHole())
    connection.writer.write(Buffer.alloc(64 * 1024 * 1024))
    expect(await rejection(connection.writer.flush({ timeoutMs: 300 }))).toMatchObject({
      code: 'ERR_STANDPIPE_TIMED_OUT',
    })
  })

  test('that reads everything takes whatever it is sent, and never answers the end', async () => {
    const hole = await startBlackHole({ reads: 'everything' })
    const connection = await connectTo(hole)
    connection.writer.write(Buffer.alloc(16 * 1024 * 1024))
    await connection.writer.flush()
    connection.writer.writeEof()
    await eventually(() => [...hole.connections].some(({ state }) => state === 'peerEnded'))
    expect(connection.state).toBe('localEnded')
  })

  test('refuses another way to read', async () => {
    const error = await rejection(startBlackHole({ reads: 'half' as 'nothing' }))
    expect(error).toMatchObject({ message: 'reads must be nothing or everything, not "half"' })
  })
})

describe('startResettingPeer()', () => {
  test('resets as soon as it has accepted', async () => {
    const peer = await startResettingPeer()
    const met = connectTo(peer).then((connection) => connection.closed)
    const outcome = await met.then(
      ({ reason }) => reason.kind,
      (error: ConnectError) => error.attempts[0]?.code,
    )
    expect(['reset', 'ECONNRESET']).toContain(outcome)
  })

  test('resets after so many bytes, behind its reply', async () => {
    const connection = await connectTo(await startResettingPeer({ afterBytes: 4, reply: 'no\n' }))
    connection.writer.write('abc')
    await connection.writer.flush()
    expect(connection.state).toBe('open')
    connection.writer.write('d')
    expect(await connection.reader.readLine()).toBe('no')
    expect((await connection.closed).reason.kind).toBe('reset')
  })

  test('whose client ends first ends cleanly', async () => {
    const connection = await connectTo(await startResettingPeer({ afterBytes: 4 }))
    connection.writer.write('abc')
    connection.writer.writeEof()
    expect(await connection.reader.read()).toBe(null)
    expect((await connection.closed).reason.kind).toBe('ended')
  })

  test('on a Unix socket ends the connection', async () => {
    const path = `${await temporaryFolder()}/peer`
    const connection = await connectTo(await startResettingPeer({ path }))
    expect(await connection.reader.read()).toBe(null)
  })

  test('refuses a number of bytes that makes no sense', async () => {
    expect(await rejection(startResettingPeer({ afterBytes: -1 }))).toBeInstanceOf(RangeError)
  })
})
