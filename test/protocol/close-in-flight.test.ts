import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import {
  connectionPair,
  type ConnectionPair,
  type ConnectionPairOptions,
} from '../../src/testing/index.js'

let pairs: ConnectionPair[] = []
afterEach(async () => {
  await Promise.all(pairs.map(async (pair) => pair[Symbol.asyncDispose]()))
  pairs = []
})

/** A pair between which little fits, so that the last slice stays with the transport until the peer reads. */
function narrowPair(options: ConnectionPairOptions = {}): ConnectionPair {
  const pair = connectionPair({
    transport: { bufferBytes: 1_000 },
    both: { limit: 1_000 },
    ...options,
  })
  pairs.push(pair)
  return pair
}

describe('Connection.close() with a slice that the transport has not taken', () => {
  test('lingers only once all is handed over: a peer that reads 3 s later gets everything', async () => {
    const { client, server, clock } = narrowPair()
    client.writer.write('y'.repeat(50_000))
    const closing = client.close()
    await clock.advance(3_000)
    expect(client.state).toBe('closing')
    expect((await server.reader.readAll()).length).toBe(50_000)
    await server.close()
    await closing
    expect((await client.closed).bytesWritten).toBe(50_000)
  })

  test('delivers whatever was written, however slowly it is read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(1_000, 5_000, 65_536),
        async (sizes, pauses, bufferBytes) => {
          const { client, server, clock } = narrowPair({ transport: { bufferBytes } })
          const send = async (): Promise<void> => {
            for (const size of sizes) {
              client.writer.write(Buffer.alloc(size, 'x'))
              await client.writer.drain()
            }
            void client.close()
          }
          const sending = send()
          let received = 0
          for (let round = 0; ; round++) {
            const chunk = await server.reader.read(20_000)
            if (chunk === null) break
            received += chunk.length
            if (round < 40) await clock.advance(pauses[round % pauses.length] ?? 1)
          }
          await sending
          await Promise.all([server.close(), client.close()])
          expect(received).toBe(sizes.reduce((sum, size) => sum + size, 0))
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('StreamWriter.writeEof() with a slice that the transport has not taken', () => {
  test('starts the deadline for the half-closed only once all is handed over', async () => {
    const { client, server, clock } = narrowPair({
      client: { deadlines: { halfClosedMs: 10_000 } },
      both: { limit: 1_000 },
    })
    client.writer.write('y'.repeat(50_000))
    client.writer.writeEof()
    await clock.advance(11_000)
    expect(client.state).toBe('localEnded')
    expect((await server.reader.readAll()).length).toBe(50_000)
  })
})

describe('a transport that is destroyed with a slice in flight', () => {
  // Node 20 calls back without an error for the write that was in flight at a destroy.
  test('delivered nothing: flush() rejects and bytesWritten does not count it', async () => {
    const { client, clientTransport } = narrowPair({ transport: { clogged: true } })
    client.writer.write('z'.repeat(5_000))
    const flushed = client.writer.flush().then(
      () => 'resolved',
      () => 'rejected',
    )
    clientTransport.destroy()
    expect((await client.closed).bytesWritten).toBe(0)
    expect(await flushed).toBe('rejected')
  })
})
