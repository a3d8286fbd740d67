/** What a program does to its own connections from within: in a callback, in an iterable, behind the back of the kit. */
import { expect } from 'vitest'
import { BrokenError, LimitOverrunError, SlowConsumerError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { loopTurns } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { rejection, watch } from '../support/settled.js'
import { thrownBy } from '../support/thrown-by.js'
import {
  clog,
  dial,
  hasRead,
  receiveAll,
  send,
  wire,
  WIRE_KINDS,
  type Wired,
} from '../support/wire.js'

guardAgainstLeaks()

/** The error of a line over the limit of 10 bytes, the rest of which is to come. */
async function overrun({ connection, peer }: Wired): Promise<unknown> {
  const error = rejection(connection.reader.readLine())
  await send(peer, 'x'.repeat(20))
  return await error
}

/** The rest of the over-long line, and a good one: which lines there are then. */
async function linesBehind({ connection, peer }: Wired): Promise<(string | null)[]> {
  await send(peer, 'rm -rf /\ngood\n')
  peer.end()
  const { reader } = connection
  return [await reader.readLine(), await reader.readLine()]
}

for (const kind of WIRE_KINDS) {
  fault(
    'F72',
    `onLimit throws over ${kind}: the read has its error, and the rest of the line is no line`,
    async () => {
      const mine = new Error('a fault of the program')
      const wired = await wire(kind, {
        limit: 10,
        onLimit() {
          throw mine
        },
      })
      expect(await overrun(wired)).toBe(mine)
      expect(await linesBehind(wired)).toEqual(['good', null])
    },
  )

  fault(
    'F72',
    `there is no room for what onLimit says over ${kind}: the read is told, and the rest of the line is no line`,
    async () => {
      const wired = await wire(kind, { limit: 10, onLimit: 'too long\n', maxBufferedBytes: 1000 })
      await clog(wired.connection)
      expect(await overrun(wired)).toBeInstanceOf(SlowConsumerError)
      expect(await linesBehind(wired)).toEqual(['good', null])
    },
  )
}

fault('F72', 'a line that passes even the discard cap is given up all the same', async () => {
  const mine = new Error('a fault of the program')
  const { connection, peer } = await wire('tcp', {
    limit: 10,
    onLimit() {
      throw mine
    },
  })
  // All of it is there when the read begins.
  await send(peer, `${'x'.repeat(200)}\nrm -rf /\n`)
  await hasRead(connection, 210)
  expect(await rejection(connection.reader.readLine())).toBe(mine)
  expect(await rejection(connection.reader.readLine())).toBeInstanceOf(LimitOverrunError)
  peer.end()
  expect((await connection.closed).reason).toEqual({ kind: 'failed' })
})

fault('F72', 'such a connection of lineEcho() ends, and no other', async (scene) => {
  const mine = new Error('a fault of the program')
  const server = await scene.serve(lineEcho({ prefix: '' }), {
    limit: 10,
    onLimit() {
      throw mine
    },
  })
  const other = dial(server.address)
  await send(other, 'hello\n')
  const client = dial(server.address)
  await send(client, 'before\n')
  await eventually(() => [...server.connections].every(({ bytesWritten }) => bytesWritten > 5))
  const received = receiveAll(client)
  await send(client, 'x'.repeat(20))
  // A fault of the program resets its connection, also one in what words a reply.
  expect(await received).toMatchObject({ bytes: Buffer.from('before\n') })
  await eventually(() => server.stats.closedBy['handler-failed'] === 1)
  expect(scene.log.records).toMatchObject([{ level: 'error', fields: { err: mine } }])
  other.end('still here\n')
  expect((await receiveAll(other)).bytes.toString()).toBe('hello\nstill here\n')
})

for (const kind of WIRE_KINDS) {
  fault(
    'F73',
    `close() inside of what writeAll() iterates over, over ${kind}: nothing is written, and the end is clean`,
    async () => {
      const { connection, peer } = await wire(kind)
      function* closing(): Generator<string> {
        yield 'never sent'
        void connection.close()
        yield 'nor this'
      }
      connection.writer.write('before\n')
      const error = thrownBy(() => connection.writer.writeAll(closing()))
      expect(error).toMatchObject({ code: 'ERR_STANDPIPE_CLOSED' })
      const received = receiveAll(peer)
      expect(await received).toEqual({ end: 'end', bytes: Buffer.from('before\n') })
      peer.end()
      const info = await connection.closed
      expect(info.reason).toEqual({ kind: 'closed-here' })
      expect(info.error).toBeUndefined()
      expect(info.bytesWritten).toBe(7)
    },
  )

  fault(
    'F73',
    `abort() inside of what writeAll() iterates over, over ${kind}: nothing is kept`,
    async () => {
      const { connection } = await wire(kind)
      const reason = new Error('enough')
      function* aborting(): Generator<string> {
        connection.abort(reason)
        yield 'never sent'
      }
      expect(thrownBy(() => connection.writer.writeAll(aborting()))).toBe(reason)
      await connection.closed
      expect(connection.writer.bufferedBytes).toBe(0)
      expect(connection.bytesWritten).toBe(0)
    },
  )

  for (const [how, end] of [
    ['close()', (connection: Connection) => void connection.close()],
    ['another abort()', (connection: Connection) => connection.abort(new Error('later'))],
  ] as const) {
    fault(
      'F73',
      `${how} in a listener of the signal, over ${kind}: the reason of the abort stays for every call`,
      async () => {
        const { connection, peer } = await wire(kind)
        const { reader, writer, signal } = connection
        await send(peer, 'x')
        await hasRead(connection, 1)
        signal.addEventListener('abort', () => end(connection))
        const reason = new Error('enough')
        const waiting = watch(reader.readExactly(10))
        connection.abort(reason)
        const info = await connection.closed
        expect(waiting.error).toBe(reason)
        expect(info).toMatchObject({ reason: { kind: 'aborted' }, error: reason })
        expect(await rejection(reader.read())).toBe(reason)
        expect(await rejection(writer.drain())).toBe(reason)
        expect(thrownBy(() => writer.write('x'))).toBe(reason)
      },
    )
  }
}

// A Unix socket has no reset.
for (const kind of ['tcp', 'memory'] as const) {
  fault(
    'F73',
    `close() in a listener of the signal, at a reset over ${kind}: what arrived is read, then its error`,
    async () => {
      const { connection, peer } = await wire(kind)
      const { reader, signal } = connection
      signal.addEventListener('abort', () => void connection.close())
      await send(peer, 'the last words')
      await hasRead(connection, 14)
      await loopTurns(2)
      peer.resetAndDestroy?.()
      const { error, reason } = await connection.closed
      expect(reason).toEqual({ kind: 'reset' })
      expect((await reader.read())?.toString()).toBe('the last words')
      expect(await rejection(reader.read())).toBe(error)
    },
  )
}

for (const kind of WIRE_KINDS) {
  fault(
    'F74',
    `a socket that is destroyed from outside, over ${kind}: flush() rejects, and no byte counts as sent`,
    async () => {
      const { connection } = await wire(kind)
      const { reader, writer } = connection
      const reading = watch(reader.readLine())
      const socket = connection.getExtraInfo('socket') as { destroy(): void }
      socket.destroy()
      writer.write('lost')
      const flushing = watch(writer.flush())
      const { error, bytesWritten } = await connection.closed
      await loopTurns(1)
      expect(flushing.state).toBe('rejected')
      expect(error).toBeInstanceOf(BrokenError)
      expect(flushing.error).toBe(error)
      expect(reading.error).toBe(error)
      expect(thrownBy(() => writer.write('x'))).toBe(error)
      expect(bytesWritten).toBe(0)
      expect(connection.writer.bufferedBytes).toBe(0)
    },
  )
}
