/**
 * Dials: a host and port, or the path of a Unix socket, and gives a Connection or one clear error. It never
 * sees the server; the socket is the Connection's from the turn of its `connect` event on.
 */
import type net from 'node:net'
import { checkTimeout, type WaitOptions } from '../concurrency/abort.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import { checkHost, checkPort, DEFAULT_HOST, type Address } from '../protocol/address.js'
import { checkChunkOption } from '../protocol/chunk-option.js'
import { connectionOpen } from '../protocol/connection-channels.js'
import { Connection, type ConnectionOptions } from '../protocol/connection.js'
import { CLIENT_DEADLINES, resolveDeadlines, type DeadlineOptions } from '../protocol/deadlines.js'
import { checkReaderOptions } from '../protocol/stream-reader.js'
import { resolveMarks } from '../protocol/stream-writer.js'
import { systemClock } from '../concurrency/clock.js'
import { dial } from './dial.js'

export interface OpenConnectionOptions
  extends
    Omit<ConnectionOptions, 'role' | 'local' | 'remote' | 'onClosed' | 'openedAt' | 'deadlines'>,
    Pick<WaitOptions, 'signal'> {
  /** A name or an address. @default '127.0.0.1' */
  host?: string | undefined
  port?: number | undefined
  /** The path of a Unix socket, instead of host and port. */
  path?: string | undefined
  /**
   * Looks names up instead of `dns.lookup`. It is asked as `dns.lookup` is with `{ all: true }`, and not at all
   * for an address.
   */
  lookup?: net.LookupFunction | undefined
  /** The guards of the connection, all off unless given, and `connectMs`. */
  deadlines?: (DeadlineOptions & { connectMs?: number | undefined }) | undefined
}

/** How long connecting may take, look-up included. */
const DEFAULT_CONNECT_MS = 10_000

/**
 * Connects. (asyncio: `open_connection`, `open_unix_connection`.)
 *
 * A name with several addresses is a race: the families take turns, the next address is tried after 250 ms or
 * as soon as one has failed, and none is given up before one has connected (RFC 8305).
 *
 * An abort, and any other failure, leaves no socket and no listener. Only the look-up of a name cannot be
 * cancelled: its answer is ignored when it comes, but until then `dns.lookup` keeps the process alive.
 *
 * ```ts
 * const connection = await openConnection({ host: 'localhost', port: 8888 })
 * connection.writer.write('hello\n')
 * console.log(await connection.reader.readLine())
 * await connection.close()
 * ```
 *
 * @throws ConnectError when no address can be connected to; the message and `attempts` name each
 * @throws LookupError when the host's name has no address
 * @throws TimeoutError (phase `connect`) after `deadlines.connectMs`, 10 s unless said, look-up included; the
 *   message names each address, and `cause.attempts` what came of it
 * @throws the signal's reason when it aborts
 * @throws RangeError, TypeError when an option has no meaning
 */
export function openConnection(options: OpenConnectionOptions): Promise<Connection> {
  // Made before anything is awaited: later the stack has nothing of the program.
  const openedAt = connectionOpen.hasSubscribers ? new Error('opened here') : undefined
  return watchUnawaited(open(options, openedAt), 'openConnection()')
}

async function open(
  options: OpenConnectionOptions,
  openedAt: Error | undefined,
): Promise<Connection> {
  const { signal, path, lookup, clock = systemClock } = options
  signal?.throwIfAborted()
  const to = checkTarget(options)
  const { connectMs = DEFAULT_CONNECT_MS, ...guards } = options.deadlines ?? {}
  checkTimeout(connectMs, 'deadlines.connectMs')
  const deadlines = resolveDeadlines(guards, CLIENT_DEADLINES)
  checkReaderOptions(options)
  resolveMarks(options)
  checkChunkOption('onLimit', options.onLimit)
  return dial({ to, lookup, connectMs, clock, signal }, (socket) => {
    const ends = path === undefined ? {} : { local: { path }, remote: { path } }
    return new Connection(socket, { ...options, deadlines, role: 'outbound', ...ends, openedAt })
  })
}

/** Where to. @throws TypeError, RangeError */
export function checkTarget({
  host = DEFAULT_HOST,
  port,
  path,
}: Pick<OpenConnectionOptions, 'host' | 'port' | 'path'>): Address {
  if (path !== undefined) {
    if (port !== undefined) throw new TypeError('give either path, or host and port, not both')
    // Node takes an empty path for none.
    if (typeof path !== 'string' || path === '') {
      throw new TypeError(`path must be the path of a socket, not ${JSON.stringify(path)}`)
    }
    return { path }
  }
  checkHost(host)
  checkPort(port, 1)
  return { host, port }
}
