/** Clients that send more than is read, or take less than is sent: what is kept for them is bounded, and nothing is lost. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { httpHandler, type HttpHandler } from '../../../src/http-mini/index.js'
import { Connection } from '../../../src/protocol/connection.js'
import { runHandler } from '../../../src/protocol/handler.js'
import { FakeClock, loopTurns } from '../../../src/testing/fake-clock.js'
import { memoryTransportPair, type MemoryTransport } from '../../../src/testing/memory-transport.js'
import { parseReplies } from '../../support/http-replies.js'
import { guardAgainstLeaks } from '../../support/leak-guard.js'
import { get, post } from './http-case.js'

guardAgainstLeaks()

const KIB = 1024
/** Twice the limit of a line, and a block that was under way. */
const MOST_STORED = 2 * 64 * KIB + 64 * KIB
/** The high mark, and the answers to one block of requests. */
const MOST_BUFFERED = 1024 * KIB

interface Served {
  readonly peer: MemoryTransport
  readonly connection: Connection
}

function serve(handler: HttpHandler): Served {
  const [peer, transport] = memoryTransportPair()
  peer.on('error', () => {})
  peer.pause()
  const options = { role: 'inbound', clock: new FakeClock(), logger: false } as const
  const connection = new Connection(transport, options)
  runHandler(connection, httpHandler(handler), () => {})
  onTestFinished(async () => {
    peer.destroy()
    connection.abort()
    await connection.closed
  })
  return { peer, connection }
}

/** Offers a block again and again, until the server takes no more or `most` were taken. Gives how many were. */
async function offer({ peer }: Served, block: Buffer, most: number): Promise<number> {
  for (let taken = 0; taken < most; taken++) {
    peer.write(block, () => {})
    let turns = 0
    while (peer.writableLength > 0) {
      if (++turns > 100) return taken
      await loopTurns(1)
    }
  }
  return most
}

describe('A client that sends requests and reads no answer', () => {
  test('is held up, and has every answer in order when it reads at last', async () => {
    let count = 0
    const handler: HttpHandler = () => `${count++}`.padEnd(KIB)
    const served = serve(handler)
    const { peer, connection } = served
    const block = Buffer.from(get().repeat(1000), 'latin1')
    const taken = await offer(served, block, 1000)
    expect(taken).toBeLessThan(1000)
    expect(connection.reader.bufferedBytes).toBeLessThanOrEqual(MOST_STORED)
    expect(connection.writer.bufferedBytes).toBeLessThanOrEqual(MOST_BUFFERED)
    expect(count).toBeGreaterThan(0)

    const chunks: Buffer[] = []
    peer.on('data', (chunk: Buffer) => chunks.push(chunk))
    peer.resume()
    const sent = (taken + 1) * 1000
    for (let quiet = 0, seen = 0; quiet < 100; quiet++) {
      await loopTurns(1)
      if (chunks.length !== seen) quiet = -1
      seen = chunks.length
    }
    const { replies } = parseReplies(Buffer.concat(chunks), [], false)
    expect(replies.map(({ body }) => Number(body))).toEqual(
      Array.from({ length: sent }, (_, i) => i),
    )
  })

  test('is held up by the first of them that is answered late', async () => {
    let count = 0
    const served = serve(async () => {
      count++
      return await new Promise<string>(() => {})
    })
    const taken = await offer(served, Buffer.from(get().repeat(1000), 'latin1'), 100)
    expect(taken).toBeLessThan(20)
    expect(count).toBe(1)
    expect(served.connection.reader.bufferedBytes).toBeLessThanOrEqual(MOST_STORED)
  })
})

describe('A client that sends a body which is not read', () => {
  test('is held up as long as the request is not answered', async () => {
    const served = serve(async () => await new Promise<string>(() => {}))
    served.peer.write(Buffer.from(post('Content-Length: 1000000000'), 'latin1'), () => {})
    const taken = await offer(served, Buffer.alloc(64 * KIB), 100)
    expect(taken).toBeLessThan(8)
    expect(served.connection.reader.bufferedBytes).toBeLessThanOrEqual(MOST_STORED)
  })

  test('is held up while a handler takes its time between two pieces', async () => {
    const served = serve(async (request) => {
      await request.body.read(10)
      return await new Promise<string>(() => {})
    })
    const head = post('Transfer-Encoding: chunked')
    served.peer.write(Buffer.from(head, 'latin1'), () => {})
    const chunk = Buffer.from(`400\r\n${'x'.repeat(KIB)}\r\n`.repeat(64), 'latin1')
    const taken = await offer(served, chunk, 100)
    expect(taken).toBeLessThan(8)
    expect(served.connection.reader.bufferedBytes).toBeLessThanOrEqual(MOST_STORED)
  })
})
