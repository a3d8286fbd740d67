/**
 * Dials: a host and port, or the path of a Unix socket, and gives a Connection or one clear error. It never
 * sees the server, and it listens on a socket only until it hands it over, in the same turn.
 */
import net from 'node:net'
import { checkTimeout, onAbort, type WaitOptions } from '../concurrency/abort.js'
import {
  ConnectError,
  describeSystemError,
  LookupError,
  TimeoutError,
  type ConnectAttempt,
} from '../errors.js'
import { Connection, type ConnectionOptions } from '../protocol/connection.js'
import { CLIENT_DEADLINES, resolveDeadlines, type DeadlineOptions } from '../protocol/deadlines.js'
import { checkReaderOptions } from '../protocol/stream-reader.js'
import { resolveMarks } from '../protocol/stream-writer.js'
import { SOCKET_OPTIONS, systemClock } from '../protocol/transport.js'

export interface OpenConnectionOptions
  extends
    Omit<ConnectionOptions, 'role' | 'local' | 'remote' | 'onClosed' | 'deadlines'>,
    Pick<WaitOptions, 'signal'> {
  /** @default '127.0.0.1' */
  host?: string | undefined
  port?: number | undefined
  /** The path of a Unix socket, instead of host and port. */
  path?: string | undefined
  /** Looks names up instead of `dns.lookup`, which it must behave like. */
  lookup?: net.LookupFunction | undefined
  /** The guards of the connection, all off unless given, and `connectMs`. */
  deadlines?: (DeadlineOptions & { connectMs?: number | undefined }) | undefined
}

/** How long connecting may take, look-up included. */
export const DEFAULT_CONNECT_MS = 10_000

const DEFAULT_HOST = '127.0.0.1'
/** After so long without an answer the next address is tried as well. */
const STAGGER_MS = 250

/**
 * Connects. (asyncio: `open_connection`, `open_unix_connection`.)
 *
 * @throws ConnectError when no address can be connected to; `attempts` names each
 * @throws LookupError when the host's name has no address
 * @throws TimeoutError (phase `connect`) after `deadlines.connectMs`, 10 s unless said
 * @throws the signal's reason when it aborts; nothing stays open
 * @throws RangeError, TypeError when an option has no meaning
 */
export async function openConnection(options: OpenConnectionOptions): Promise<Connection> {
  const { signal, path } = options
  signal?.throwIfAborted()
  const where = checkTarget(options)
  const { connectMs = DEFAULT_CONNECT_MS, ...guards } = options.deadlines ?? {}
  checkTimeout(connectMs, 'deadlines.connectMs')
  const deadlines = resolveDeadlines(guards, CLIENT_DEADLINES)
  checkReaderOptions(options)
  resolveMarks(options)

  const clock = options.clock ?? systemClock
  const startedAt = clock.now()
  const socket = new net.Socket(SOCKET_OPTIONS)
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      stopListening()
      clock.clearTimeout(timer)
      socket.removeListener('error', onError)
      socket.removeListener('connect', onConnect)
    }
    const fail = (error: unknown): void => {
      finish()
      // An attempt that is under way may still report its end.
      socket.on('error', ignore)
      socket.destroy()
      reject(error)
    }
    const onError = (error: Error): void => {
      fail(connectErrorFrom(error, options.host, where, clock.now() - startedAt))
    }
    const onConnect = (): void => {
      finish()
      resolve(
        new Connection(socket, {
          ...options,
          deadlines,
          role: 'outbound',
          ...(path === undefined ? {} : { local: { path }, remote: { path } }),
        }),
      )
    }
    const stopListening = onAbort(signal, () => {
      fail(signal?.reason)
    })
    const timer = clock.setTimeout(() => {
      const message = `connect ${where}: no answer within ${connectMs} ms`
      fail(new TimeoutError(message, 'connect', connectMs))
    }, connectMs)
    socket.once('error', onError)
    socket.once('connect', onConnect)
    if (path === undefined) {
      socket.connect({
        ...SOCKET_OPTIONS,
        host: options.host ?? DEFAULT_HOST,
        port: options.port as number,
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: STAGGER_MS,
        lookup: options.lookup,
      })
    } else {
      socket.connect({ path })
    }
  })
}

/** Where to, in words. @throws TypeError, RangeError */
function checkTarget({ host = DEFAULT_HOST, port, path }: OpenConnectionOptions): string {
  if (path !== undefined) {
    if (port !== undefined) throw new TypeError('give either path, or host and port, not both')
    return `unix:${path}`
  }
  // Node takes an empty host for localhost.
  if (typeof host !== 'string' || host === '') {
    throw new TypeError(
      `host must be an address or a name, not ${host === '' ? 'an empty string' : typeof host}`,
    )
  }
  if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`port must be a whole number from 1 to 65535, not ${port}`)
  }
  return joinHostPort(host, port)
}

function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Node's error of a connect, which for several addresses is an AggregateError without a message, as one of ours. */
function connectErrorFrom(
  error: Error,
  host: string | undefined,
  where: string,
  tookMs: number,
): Error {
  const durationMs = Math.round(tookMs)
  if ('syscall' in error && error.syscall === 'getaddrinfo') {
    return new LookupError(host ?? DEFAULT_HOST, { cause: error })
  }
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error]
  const attempts = errors.map((one): ConnectAttempt => {
    const { address, port } = one as { address?: string; port?: number }
    return {
      address: address === undefined || port === undefined ? where : joinHostPort(address, port),
      code: describeSystemError(one).code,
      durationMs,
    }
  })
  const words = errors.map((one, i) => {
    const { address } = attempts[i] as ConnectAttempt
    return `${address === where ? '' : `${address} `}${describeSystemError(one).words}`
  })
  const [first = 'failed'] = words
  // `refused (nothing is listening)`: the time goes before what is in brackets.
  const detail =
    words.length === 1
      ? first.replace(/(?= \(|$)/, ` after ${durationMs} ms`)
      : `${words.join(', ')} (${durationMs} ms in all)`
  return new ConnectError(`connect ${where}: ${detail}`, attempts, { cause: error })
}

function ignore(): void {}
