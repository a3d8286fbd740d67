/** Peers that are gone without a word: only time tells. */
import { readFile } from 'node:fs/promises'
import type net from 'node:net'
import { expect } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import { deferred } from '../../src/concurrency/deferred.js'
import { TimeoutError } from '../../src/errors.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { farHost, noNamespaces } from '../support/network-namespace.js'
import { portOf } from '../support/serve.js'
import { rejection } from '../support/settled.js'

guardAgainstLeaks()

const KIB = 1024
const MIB = 1024 * KIB
/** In the tables of /proc a clock ticks a hundred times a second. */
const MS_PER_TICK = 10

/** When the kernel will probe the one connection that is open at a port of ours; NaN when it will not. */
async function probesDueMs(port: number): Promise<number> {
  const ESTABLISHED = '01'
  const KEEP_ALIVE = '02'
  const rows = (await readFile('/proc/net/tcp', 'utf8'))
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  const ours = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const row = rows.find(
    ([, local, , state]) => local?.endsWith(ours) === true && state === ESTABLISHED,
  )
  const [timer, ticks = ''] = row?.[5]?.split(':') ?? []
  return timer === KEEP_ALIVE ? Number.parseInt(ticks, 16) * MS_PER_TICK : NaN
}

fault(
  'F09',
  'an idle peer that vanishes is found out by keep-alive probes, about 10 s after they begin',
  async (scene) => {
    const clock = new FakeClock()
    const ways = await Promise.all(
      (['far away', 'next door'] as const).map(async (where) => {
        const far = farHost()
        const server = await scene.serve(
          async ({ reader }) => {
            for await (const line of reader.lines()) expect(line).toBe('hello')
          },
          {
            host: far.nearAddress,
            clock,
            deadlines: { firstByteMs: Infinity, idleMs: Infinity },
          },
        )
        const to = [far.nearAddress, `${portOf(server.address)}`]
        const client = far.runProgram('far-client.mjs', to)
        expect(await client.nextLine()).toBe('connected')
        await eventually(() => [...server.connections][0]?.bytesRead === 6)
        return { where, far, server }
      }),
    )
    // The kit has the kernel begin after 60 s of silence; here it is one second, which is all that differs.
    await clock.advance(5000)
    for (const { server } of ways) {
      const dueMs = await probesDueMs(portOf(server.address))
      expect(dueMs).toBeGreaterThan(50_000)
      expect(dueMs).toBeLessThanOrEqual(60_000)
      const [connection] = server.connections
      const socket = connection?.getExtraInfo('socket') as net.Socket
      socket.setKeepAlive(true, 1000)
    }
    for (const { where, far } of ways) far.vanish(where)
    const from = performance.now()
    await Promise.all(
      ways.map(async ({ where, server }) => {
        const what = `a peer that was ${where} is missed`
        await eventually(() => server.stats.open === 0, { timeoutMs: 20_000, what })
        const tookMs = performance.now() - from
        expect(server.stats.timedOutBy).toEqual({ 'keep-alive': 1 })
        expect(server.stats.recentCloses).toMatchObject([
          { reason: { kind: 'timed-out', phase: 'keep-alive' }, code: 'ERR_STANDPIPE_TIMED_OUT' },
        ])
        // The second of silence, and ten probes, one a second; a host next door is missed a little earlier.
        expect(tookMs).toBeGreaterThan(5000)
        expect(tookMs).toBeLessThan(1.2 * 11_000)
        scene.figure(`with probes from 1 s on, ${where}, missed after`, tookMs, 'ms')
      }),
    )
  },
  { timeoutMs: 30_000, skip: noNamespaces },
)

fault(
  'F10',
  'a peer that vanishes while we write is cut at the write-stall deadline',
  async (scene) => {
    const far = farHost()
    const writeStallMs = 2500
    const server = await scene.serve(
      async ({ reader, writer }) => {
        await reader.readLine()
        const block = Buffer.alloc(64 * KIB, 'x')
        for (;;) {
          writer.write(block)
          await writer.drain()
        }
      },
      { host: far.nearAddress, deadlines: { writeStallMs } },
    )
    const client = far.runProgram('far-client.mjs', [far.nearAddress, `${portOf(server.address)}`])
    for (const line of ['connected', ...Array.from({ length: 8 }, () => 'another MiB')]) {
      expect(await client.nextLine()).toBe(line)
    }
    const [connection] = server.connections
    far.vanish('far away')
    let progressAt = performance.now()
    let written = connection?.bytesWritten
    await eventually(
      () => {
        if (connection?.bytesWritten !== written) {
          written = connection?.bytesWritten
          progressAt = performance.now()
        }
        return server.stats.open === 0
      },
      { timeoutMs: 10_000, what: 'the stall is noticed' },
    )
    const tookMs = performance.now() - progressAt
    expect(server.stats.timedOutBy).toEqual({ write: 1 })
    // What it polls by is 5 ms.
    expect(tookMs).toBeGreaterThanOrEqual(writeStallMs - 10)
    expect(tookMs).toBeLessThanOrEqual(1.2 * writeStallMs)
    expect(server.stats.bytesWritten).toBeGreaterThan(8 * MIB)
    expect(server.stats.recentCloses).toMatchObject([
      { reason: { kind: 'timed-out', phase: 'write' } },
    ])
    scene.figure('cut at a deadline of 2.5 s after', tookMs, 'ms')
  },
  { timeoutMs: 30_000, skip: noNamespaces },
)

fault(
  'F10',
  'a small reply to a peer that has vanished is taken by the kernel, and the idle deadline ends it',
  async (scene) => {
    const far = farHost()
    const idleMs = 1500
    const gone = deferred()
    const sent = deferred<number>()
    const server = await scene.serve(
      async ({ reader, writer }) => {
        await reader.readLine()
        await gone.promise
        writer.write('a small reply\n')
        await writer.flush()
        sent.resolve(performance.now())
        await reader.readLine()
      },
      { host: far.nearAddress, deadlines: { idleMs, writeStallMs: 200 } },
    )
    const client = far.runProgram('far-client.mjs', [far.nearAddress, `${portOf(server.address)}`])
    expect(await client.nextLine()).toBe('connected')
    await eventually(() => [...server.connections][0]?.bytesRead === 6)
    far.vanish('far away')
    gone.resolve()
    const from = await sent.promise
    const [connection] = server.connections
    await connection?.closed
    const tookMs = performance.now() - from
    expect(server.stats.timedOutBy).toEqual({ idle: 1 })
    expect(server.stats.bytesWritten).toBe(14)
    expect(tookMs).toBeGreaterThanOrEqual(idleMs - 1)
    expect(tookMs).toBeLessThanOrEqual(1.2 * idleMs)
    scene.figure('after a small reply, at an idle deadline of 1.5 s, closed after', tookMs, 'ms')
  },
  { timeoutMs: 30_000, skip: noNamespaces },
)

fault(
  'F33',
  'connecting into a black hole rejects at the deadline, with the address',
  async ({ figure }) => {
    const far = farHost()
    far.vanish('far away')
    const connectMs = 500
    const from = performance.now()
    const error = await rejection(
      openConnection({ host: far.farAddress, port: 8888, deadlines: { connectMs } }),
    )
    const tookMs = performance.now() - from
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ phase: 'connect', timeoutMs: connectMs })
    expect((error as Error).message).toContain(`${far.farAddress}:8888`)
    expect(tookMs).toBeGreaterThanOrEqual(connectMs - 1)
    expect(tookMs).toBeLessThanOrEqual(connectMs + 250)
    figure('rejected at a deadline of 500 ms after', tookMs, 'ms')
  },
  { skip: noNamespaces },
)
