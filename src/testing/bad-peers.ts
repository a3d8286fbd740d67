/** Servers that are bad peers on purpose, for what a client makes of them. */
import type { WaitOptions } from '../concurrency/abort.js'
import type { Connection, TcpAddress, UnixAddress } from '../protocol/connection.js'
import { CLIENT_DEADLINES } from '../protocol/deadlines.js'
import type { Chunk } from '../protocol/framing.js'
import type { ListenOptions } from '../server/listen.js'
import { startServer, type Server } from '../server/start-server.js'
import { loopTurns } from './fake-clock.js'

/** A client in this process gets so many turns to see the reply: Node 20 takes a reset right behind data for an end. */
const TURNS_BEFORE_RESET = 2

/** Where a bad peer listens; on any free port of 127.0.0.1 unless said. */
export interface BadPeerOptions
  extends Pick<ListenOptions, 'host' | 'port' | 'path'>, Pick<WaitOptions, 'signal'> {}

export interface BlackHoleOptions extends BadPeerOptions {
  /**
   * Whether it takes what it is sent: all of it, or only what fits into the buffers on the way, so that a sender
   * stalls. @default 'nothing'
   */
  reads?: 'nothing' | 'everything' | undefined
}

export interface ResettingPeerOptions extends BadPeerOptions {
  /** Resets once it has received so many bytes; 0 is as soon as it has accepted. @default 0 */
  afterBytes?: number | undefined
  /** Handed to the kernel before the reset, which may yet overtake it. @default nothing */
  reply?: Chunk | undefined
}

/**
 * Starts a server that accepts connections, says nothing, and ends none of them. Its `stop()` resets them at once.
 *
 * ```ts
 * await using hole = await startBlackHole()
 * await using connection = await openConnection(hole.address)
 * await connection.reader.readLine({ timeoutMs: 100 }) // TimeoutError
 * ```
 *
 * @throws TypeError for a `reads` that does not exist
 * @throws what `startServer` throws
 */
export function startBlackHole(
  options?: BlackHoleOptions & { path?: undefined },
): Promise<Server<TcpAddress>>
export function startBlackHole(
  options: BlackHoleOptions & { path: string },
): Promise<Server<UnixAddress>>
export function startBlackHole(options?: BlackHoleOptions): Promise<Server>
export async function startBlackHole(options: BlackHoleOptions = {}): Promise<Server> {
  const { reads = 'nothing', ...where } = options
  if (reads !== 'nothing' && reads !== 'everything') {
    throw new TypeError(`reads must be nothing or everything, not ${JSON.stringify(reads)}`)
  }
  return await startBadPeer(where, async ({ reader, closed }) => {
    if (reads === 'everything') {
      let chunk: Buffer | null
      do chunk = await reader.read()
      while (chunk !== null)
    }
    await closed
  })
}

/**
 * Starts a server that resets each connection, on a Unix socket ends it. A reset as soon as it has accepted may reach
 * the client while it still connects, which is then a ConnectError.
 *
 * @throws RangeError for an `afterBytes` that is no whole number, 0 or above
 * @throws what `startServer` throws
 */
export function startResettingPeer(
  options?: ResettingPeerOptions & { path?: undefined },
): Promise<Server<TcpAddress>>
export function startResettingPeer(
  options: ResettingPeerOptions & { path: string },
): Promise<Server<UnixAddress>>
export function startResettingPeer(options?: ResettingPeerOptions): Promise<Server>
export async function startResettingPeer(options: ResettingPeerOptions = {}): Promise<Server> {
  const { afterBytes = 0, reply = '', ...where } = options
  if (!Number.isInteger(afterBytes) || afterBytes < 0) {
    throw new RangeError(`afterBytes must be a whole number, 0 or above, not ${afterBytes}`)
  }
  return await startBadPeer(where, async (connection) => {
    const { reader, writer } = connection
    for (let left = afterBytes; left > 0;) {
      const chunk = await reader.read(left)
      if (chunk === null) return
      left -= chunk.length
    }
    if (reply !== '') {
      writer.write(reply)
      await writer.flush()
      await loopTurns(TURNS_BEFORE_RESET)
    }
    connection.abort()
  })
}

async function startBadPeer(
  where: BadPeerOptions,
  handler: (connection: Connection) => Promise<void>,
): Promise<Server> {
  return await startServer(handler, {
    ...where,
    graceMs: 0,
    stopReads: false,
    deadlines: CLIENT_DEADLINES,
  })
}
