/** Much through a fault proxy: bytes that pass everything that slows them down, and what is kept meanwhile. */
import { createHash } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import type { StreamReader } from '../../src/protocol/stream-reader.js'
import type { StreamWriter } from '../../src/protocol/stream-writer.js'
import { FaultProxy } from '../../src/testing/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf, serve } from '../support/serve.js'

guardAgainstLeaks()

const MiB = 1024 * 1024

/** A block that is the same nowhere in the stream: each has its number in it. */
function* blocks(bytes: number, salt: number): Generator<Buffer> {
  const block = Buffer.from(Array.from({ length: 100_003 }, (_, i) => (i * 31 + salt) % 251))
  for (let sent = 0, n = 0; sent < bytes; sent += block.length, n++) {
    block.writeUInt32BE(n)
    yield Buffer.from(block.subarray(0, Math.min(block.length, bytes - sent)))
  }
}

/** Sends so many bytes and their end; gives their hash. */
async function sendAll(writer: StreamWriter, bytes: number, salt: number): Promise<string> {
  const hash = createHash('sha256')
  for (const block of blocks(bytes, salt)) {
    hash.update(block)
    writer.write(block)
    await writer.drain()
  }
  writer.writeEof()
  return hash.digest('hex')
}

async function hashAll(reader: StreamReader): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of reader.chunks()) hash.update(chunk)
  return hash.digest('hex')
}

test(
  'A hundred megabytes each way come through latency, bandwidth and slices as they were sent, and no more is kept than may be',
  { timeout: 120_000 },
  async () => {
    const bytes = 100 * 1000 * 1000
    const maxHeldBytes = 2 * MiB
    let served: Promise<string[]> | undefined
    const { address } = await serve(async ({ reader, writer }) => {
      served = Promise.all([hashAll(reader), sendAll(writer, bytes, 7)])
      await served
    })
    const proxy = await FaultProxy.start({
      target: { port: portOf(address) },
      seed: 1,
      maxHeldBytes,
      faults: [
        { kind: 'latency', latencyMs: 4, jitterMs: 4 },
        { kind: 'bandwidth', bytesPerSecond: 400 * MiB },
        { kind: 'slicer', bytes: 50_000, variation: 49_999 },
      ],
    })
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const connection = await openConnection({ ...proxy.address, logger: false })
    onTestFinished(() => {
      connection.abort()
    })
    const [received, sent] = await Promise.all([
      hashAll(connection.reader),
      sendAll(connection.writer, bytes, 3),
    ])
    expect(await served).toEqual([sent, received])
    await connection.close()
    const { passedBytes, mostHeldBytes, heldBytes, applied } = await proxy.until(
      ({ open }) => open === 0,
    )
    expect(passedBytes).toEqual({ toTarget: bytes, toClient: bytes })
    expect(heldBytes).toEqual({ toTarget: 0, toClient: 0 })
    // A piece of 50 kB on average, and where a block of the socket ends: not the crumbs of what was read into little room.
    expect(applied.bandwidth).toBeLessThan(20_000)
    for (const most of Object.values(mostHeldBytes)) {
      expect(most).toBeGreaterThan(100_000)
      expect(most).toBeLessThanOrEqual(maxHeldBytes)
    }
  },
)

test.each([1, 63, 65, 10_000, 3 * MiB])(
  'A black hole keeps no more than %i bytes each way, and then its senders wait',
  async (maxHeldBytes) => {
    const bytes = Math.min(8 * MiB, maxHeldBytes * 1000)
    const { address } = await serve(async ({ reader, writer }) => {
      await Promise.all([sendAll(writer, bytes, 1), hashAll(reader)])
    })
    const proxy = await FaultProxy.start({
      target: { port: portOf(address) },
      maxHeldBytes,
      faults: [{ kind: 'black-hole', name: 'hole' }],
    })
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const connection = await openConnection({ ...proxy.address, logger: false })
    onTestFinished(() => {
      connection.abort()
    })
    const sent = sendAll(connection.writer, bytes, 2)
    const full = await proxy.until(({ heldBytes: { toTarget, toClient } }) =>
      [toTarget, toClient].every((held) => held > maxHeldBytes * 0.9),
    )
    expect(full.passedBytes).toEqual({ toTarget: 0, toClient: 0 })
    await proxy.fault('hole')?.remove()
    await Promise.all([sent, hashAll(connection.reader)])
    const { mostHeldBytes } = await proxy.until(({ open }) => open === 0)
    expect(mostHeldBytes.toTarget).toBeLessThanOrEqual(maxHeldBytes)
    expect(mostHeldBytes.toClient).toBeLessThanOrEqual(maxHeldBytes)
  },
)
