/** Peers that are gone without a word: only time tells. */
import type net from 'node:net'
import { expect } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
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
    await clock.advance(60_000)
    for (const { server } of ways) {
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
        expect(tookMs).toBeGreaterThan(5000)
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
    const writeStallMs = 1000
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
    expect(tookMs).toBeLessThanOrEqual(writeStallMs + 500)
    expect(server.stats.bytesWritten).toBeGreaterThan(8 * MIB)
    scene.figure('cut at a deadline of 1 s after', tookMs, 'ms')
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
