/** One half of a connection ends before the other: nothing that was promised is lost, and nobody holds it for ever. */
import { expect } from 'vitest'
import { deferred } from '../../src/concurrency/deferred.js'
import { IncompleteReadError } from '../../src/errors.js'
import { lineEcho } from '../../src/server/line-echo.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, hasRead, receiveAll, send } from '../support/wire.js'

guardAgainstLeaks()

const MIB = 1024 * 1024

fault('F06', 'a client that ends its half gets every reply, then the end', async (scene) => {
  const server = await scene.serve(lineEcho({ prefix: '' }))
  const client = dial(server.address)
  // More replies than the way to the client has room for: they follow as it reads.
  const lines = Buffer.from(`${'x'.repeat(1023)}\n`.repeat(4096))
  const sent = send(client, lines)
  client.end()
  const received = receiveAll(client)
  await sent
  const { bytes, end } = await received
  expect(end).toBe('end')
  expect(bytes.equals(lines)).toBe(true)
  await eventually(() => server.stats.open === 0)
  expect(server.stats.closedBy).toEqual({ ended: 1 })
  scene.figure('bytes lost of 4 MiB', lines.length - bytes.length, 'bytes')
})

fault(
  'F06',
  'lines that the handler comes to only after the end are answered no less',
  async (scene) => {
    const peerHasEnded = deferred()
    const server = await scene.serve(async ({ reader, writer }) => {
      await reader.peek(1)
      await peerHasEnded.promise
      for await (const line of reader.lines()) writer.write(`${line}!\n`)
    })
    const client = dial(server.address)
    const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}`)
    client.end(`${lines.join('\n')}\n`)
    const received = receiveAll(client)
    await eventually(() => [...server.connections][0]?.state === 'peerEnded')
    peerHasEnded.resolve()
    expect(await received).toEqual({
      end: 'end',
      bytes: Buffer.from(lines.map((line) => `${line}!\n`).join('')),
    })
    await eventually(() => server.stats.open === 0)
    expect(server.stats.closedBy).toEqual({ ended: 1 })
    expect(scene.log.records).toEqual([])
  },
)

fault(
  'F07',
  'a peer that never ends its half is closed at the half-closed deadline',
  async (scene) => {
    const clock = new FakeClock()
    const server = await scene.serve(
      async ({ reader, writer }) => {
        writer.write('bye\n')
        writer.writeEof()
        await reader.readAll()
      },
      { clock, deadlines: { halfClosedMs: 10_000, firstByteMs: Infinity, idleMs: Infinity } },
    )
    const client = dial(server.address)
    const received = receiveAll(client)
    expect((await received).bytes.toString()).toBe('bye\n')
    await eventually(() => [...server.connections][0]?.state === 'localEnded')
    await clock.advance(9999)
    expect(server.stats.open).toBe(1)
    await clock.advance(1)
    await eventually(() => server.stats.open === 0)
    expect(server.stats.timedOutBy).toEqual({ 'half-closed': 1 })
    scene.figure('closed after our end', clock.now(), 'ms')
  },
)

fault(
  'F07',
  'a peer that drips on after our end does not put off the half-closed deadline',
  async (scene) => {
    const clock = new FakeClock()
    const server = await scene.serve(
      async ({ reader, writer }) => {
        writer.writeEof()
        for await (const chunk of reader.chunks()) expect(chunk.toString()).toBe('x')
      },
      { clock, deadlines: { halfClosedMs: 10_000 } },
    )
    const client = dial(server.address)
    const received = receiveAll(client)
    await eventually(() => [...server.connections][0]?.state === 'localEnded')
    const [connection] = server.connections
    for (let sent = 1; sent <= 10; sent++) {
      await send(client, 'x')
      await eventually(() => connection?.bytesRead === sent)
      await clock.advance(sent < 10 ? 1000 : 999)
      expect(server.stats.open).toBe(1)
    }
    await clock.advance(1)
    await received
    await eventually(() => server.stats.open === 0)
    expect(server.stats.timedOutBy).toEqual({ 'half-closed': 1 })
    expect(clock.pendingTimers).toBe(0)
  },
)

fault(
  'F07',
  'a client that has ended its half and stays is closed with its handler',
  async (scene) => {
    const clock = new FakeClock()
    const server = await scene.serve(lineEcho({ prefix: '' }), { clock })
    const client = dial(server.address)
    client.end('hello\n')
    // It has had its reply and the end, and never closes: the connection is over for us all the same.
    await eventually(() => server.stats.closedBy.ended === 1)
    expect(server.stats.open).toBe(0)
    expect((await receiveAll(client)).bytes.toString()).toBe('hello\n')
  },
)

fault(
  'F08',
  'a part of a line is an error with the bytes and their number, and no command',
  async (scene) => {
    const ran: string[] = []
    const errors: unknown[] = []
    const server = await scene.serve(async ({ reader }) => {
      try {
        for await (const line of reader.lines()) ran.push(line)
      } catch (error) {
        errors.push(error)
        throw error
      }
    })
    const client = dial(server.address)
    client.end('keep the house\ndelete everyth')
    await receiveAll(client)
    await eventually(() => server.stats.open === 0)
    expect(ran).toEqual(['keep the house'])
    expect(errors).toHaveLength(1)
    const [error] = errors
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect((error as IncompleteReadError).partial.toString()).toBe('delete everyth')
    expect((error as Error).message).toContain('14 bytes')
    expect(scene.log.records).toMatchObject([{ level: 'info' }])
  },
)

fault(
  'F31',
  'a handler that returns without reading what is sent ends cleanly, and the reply is whole',
  async (scene) => {
    const reply = Buffer.alloc(6000, 'r')
    const server = await scene.serve(async (connection) => {
      await hasRead(connection, 1)
      connection.writer.write(reply)
    })
    let lost = 0
    for (let round = 0; round < 5; round++) {
      const client = dial(server.address)
      const received = receiveAll(client)
      const sent = send(client, Buffer.alloc(MIB, 'x'))
      const { bytes, end } = await received
      await sent
      client.end()
      expect(end).toBe('end')
      lost += reply.length - bytes.length
    }
    expect(lost).toBe(0)
    await eventually(() => server.stats.open === 0)
    expect(server.stats.closedBy).toEqual({ 'closed-here': 5 })
    expect(server.stats.lossyCloses).toBe(0)
    expect(scene.log.records).toEqual([])
    scene.figure('bytes of the reply lost', lost, 'bytes')
  },
)
