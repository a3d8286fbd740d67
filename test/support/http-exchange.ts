/**
 * Bytes into an HTTP server and what comes of them, without a socket and without time: a memory transport under the
 * server's connection, a fake clock, and the end of the exchange when some turns of the loop have brought nothing new.
 */
import type { Connection } from '../../src/protocol/connection.js'
import { FakeClock, loopTurns } from '../../src/testing/fake-clock.js'
import { memoryTransportPair } from '../../src/testing/memory-transport.js'

export interface Exchanged {
  /** Everything that the server has sent. */
  readonly bytes: Buffer
  /** `reset` is never right: a client may lose to it what it was told. */
  readonly left: 'open' | 'closed' | 'reset'
}

/** Serves one connection over this transport; what it gives ends when the connection is gone. */
export type ServeTransport = (
  transport: ReturnType<typeof memoryTransportPair>[1],
  clock: FakeClock,
) => Connection

/**
 * Without a sign of life for so many turns, nothing more comes. Arbitrary, but more than the longest chain of promise jobs and
 * turns between a byte and its answer, or between two parts of an answer.
 */
const QUIET_TURNS = 12

/**
 * Sends the pieces one after the other, each after the one before it has arrived; a number is so many milliseconds of
 * silence. Then comes what `after` says: the client's FIN, or silence again. When the exchange is over, and before
 * anything is cleaned up, `atEnd` is called.
 */
export async function exchangeInMemory(
  serve: ServeTransport,
  pieces: readonly (Uint8Array | number)[],
  after?: 'end' | number,
  atEnd?: () => void,
): Promise<Exchanged> {
  const clock = new FakeClock()
  const [peer, transport] = memoryTransportPair({ bufferBytes: 1024 * 1024 })
  const chunks: Buffer[] = []
  const heard: { left: Exchanged['left'] } = { left: 'open' }
  let signs = 0
  peer.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    signs++
  })
  peer.on('end', () => {
    if (heard.left === 'open') heard.left = 'closed'
    signs++
  })
  peer.on('error', () => {
    if (heard.left === 'open') heard.left = 'reset'
    signs++
  })
  const connection = serve(transport, clock)

  for (const piece of pieces) {
    if (heard.left !== 'open' && peer.destroyed) break
    if (typeof piece === 'number') {
      await clock.advance(piece)
      continue
    }
    peer.write(piece, ignore)
    await loopTurns(2)
  }
  if (after === 'end') peer.end()
  if (typeof after === 'number') await clock.advance(after)
  for (let quiet = 0, seen = signs; quiet < QUIET_TURNS; quiet++) {
    await loopTurns(1)
    if (signs !== seen) quiet = -1
    seen = signs
  }

  atEnd?.()
  const outcome = { bytes: Buffer.concat(chunks), left: heard.left }
  if (heard.left === 'closed') {
    // Once both have ended there is nothing to wait for: no time passes here.
    peer.end()
    await loopTurns(8)
    if (connection.state !== 'closed')
      throw new Error(`both have ended, and it is ${connection.state}`)
  }
  peer.destroy()
  connection.abort()
  await connection.closed
  if (clock.pendingTimers > 0)
    throw new Error(`${clock.pendingTimers} timers outlive the connection`)
  return outcome
}

function ignore(): void {}
