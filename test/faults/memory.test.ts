/** Peers that would make us keep more than we may: the memory is that of a process of its own, which runs the build. */
import { existsSync } from 'node:fs'
import type net from 'node:net'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { ServerOptions } from '../../src/server/start-server.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { runProgram } from '../support/programs.js'
import { dial, receiveAll } from '../support/wire.js'

guardAgainstLeaks()

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

interface Status {
  readonly rss: number
  readonly connections: readonly {
    readonly id: number
    readonly state: string
    readonly bytesRead: number
    readonly stored: number
    readonly buffered: number
  }[]
  readonly closedBy: Readonly<Record<string, number>>
  readonly stats: { readonly overlongLines: number }
  /** The most that was in any reader when a block had come, and in any writer after a write. */
  readonly mostStored: number
  readonly mostBuffered: number
  readonly longestWrite: number
}

interface EchoProcess {
  readonly port: number
  readonly status: () => Promise<Status>
}

async function startEcho(options: ServerOptions = {}): Promise<EchoProcess> {
  const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
  if (!existsSync(built)) throw new Error('there is no build: run `npm run build` first')
  const program = runProgram('echo-server.mjs', [JSON.stringify(options)])
  const { port } = JSON.parse(await program.nextLine()) as { port: number }
  return {
    port,
    async status() {
      program.child.stdin.write('status\n')
      return JSON.parse(await program.nextLine()) as Status
    },
  }
}

/** Sends blocks of lines and takes the replies, until so many bytes have come back. */
async function exchange(port: number, block: Buffer, bytes: number): Promise<void> {
  const client = dial({ port })
  let received = 0
  const whole = new Promise<void>((resolve) => {
    client.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (received >= bytes) resolve()
    })
  })
  client.resume()
  for (let sent = 0; sent < bytes; sent += block.length) await written(client, block)
  await whole
  client.destroy()
}

async function written(socket: net.Socket, block: Buffer): Promise<void> {
  await new Promise<void>((resolve) => socket.write(block, () => resolve()))
}

/** Offers so many bytes, block by block; stops when the socket is gone. Gives how many the kernel took so far. */
function offer(socket: net.Socket, block: Buffer, bytes: number): { taken: number } {
  const offered = { taken: 0 }
  const pump = async (): Promise<void> => {
    while (offered.taken < bytes && !socket.destroyed) {
      await written(socket, block)
      offered.taken += block.length
    }
  }
  void pump()
  return offered
}

for (const [what, line] of [
  ['lines of 1 KiB', `${'x'.repeat(KIB - 1)}\n`],
  ['the shortest lines', 'x\n'],
] as const) {
  fault(
    'F01',
    `while 1 GiB of ${what} is offered to a client that does not read, the intake stops by itself, memory stays, another is served`,
    async ({ figure }) => {
      const block = Buffer.from(line.repeat((64 * KIB) / line.length))
      const { port, status } = await startEcho()
      await exchange(port, block, 32 * MIB)
      const warm = await status()

      const stuck = dial({ port })
      await once(stuck, 'connect')
      const offered = offer(stuck, block, GIB)

      // The intake has stopped when a whole exchange of another client brings it nothing.
      let before = -1
      const now = await eventually(
        async () => {
          await exchange(port, block, MIB)
          const current = await status()
          const bytesRead = current.connections.find(({ buffered }) => buffered > 0)?.bytesRead ?? 0
          const isStill = bytesRead === before && bytesRead > 0
          before = bytesRead
          return isStill && current
        },
        { timeoutMs: 15_000, what: 'the intake stops' },
      )
      await exchange(port, block, 8 * MIB)
      const end = await status()

      // The echo waits for room: what is there before a write is not above the mark, and the write is a block or two.
      expect(end.mostBuffered).toBeLessThanOrEqual(64 * KIB + end.longestWrite)
      expect(end.longestWrite).toBeLessThanOrEqual(3 * 64 * KIB)
      expect(end.mostStored).toBeLessThanOrEqual(2 * 64 * KIB + 64 * KIB)
      expect((now as Status).rss - warm.rss).toBeLessThan(32 * MIB)
      expect(end.rss - warm.rss).toBeLessThan(32 * MIB)
      expect(offered.taken).toBeLessThan(64 * MIB)
      figure('most that was buffered', end.mostBuffered, 'bytes')
      figure('memory', end.rss - warm.rss, 'bytes')
      figure('taken of 1 GiB', offered.taken, 'bytes')
      expect(end.connections.find(({ buffered }) => buffered > 0)?.bytesRead).toBe(before)
      stuck.destroy()
      await eventually(async () => (await status()).connections.length === 0)
    },
    { timeoutMs: 40_000 },
  )
}

fault(
  'F19',
  'a line of 1 GiB is never stored beyond the limit and one block, and its connection is closed',
  async ({ figure }) => {
    const limit = 64 * KIB
    const { port, status } = await startEcho({ limit })

    const sendEndlessLine = async (bytes: number): Promise<void> => {
      const client = dial({ port })
      await once(client, 'connect')
      const received = receiveAll(client)
      const offered = offer(client, Buffer.alloc(MIB, 'x'), bytes)
      expect(await received).toEqual({ end: 'end', bytes: Buffer.alloc(0) })
      // The client goes on regardless; what it sends is thrown away until the linger is over or it is through.
      await eventually(() => client.destroyed || offered.taken >= bytes, { timeoutMs: 15_000 })
      client.destroy()
      await eventually(async () => (await status()).connections.length === 0)
    }
    await sendEndlessLine(256 * MIB)
    let before = await status()
    let growth = Infinity
    // What was stored would show every time; what the allocator holds on to comes and goes.
    for (let round = 0; round < 4 && growth >= 8 * MIB; round++) {
      await sendEndlessLine(GIB)
      const after = await status()
      expect(after.closedBy).toEqual({ failed: round + 2 })
      expect(after.stats.overlongLines).toBe(round + 2)
      expect(after.mostStored).toBeLessThanOrEqual(limit + 64 * KIB)
      growth = after.rss - before.rss
      before = after
    }
    expect(growth).toBeLessThan(8 * MIB)
    figure('most that was stored', before.mostStored, 'bytes')
    figure('memory', growth, 'bytes')
  },
  { timeoutMs: 40_000 },
)
