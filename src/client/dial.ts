/**
 * From an address to a connected socket: the look-up of a name, then the race of its addresses, both under one
 * deadline and one signal. It makes no Connection, and leaves nothing behind when it fails.
 *
 * The socket is handed over in the turn of its `connect` event: bytes of the peer may be next.
 */
import net from 'node:net'
import { onAbort } from '../concurrency/abort.js'
import { describeAddress, type Address } from '../protocol/connection.js'
import type { Clock } from '../concurrency/clock.js'
import { SOCKET_OPTIONS } from '../protocol/transport.js'
import { connectError, connectTimeout, lookUpTimeout } from './connect-failure.js'
import { lookUp } from './look-up.js'
import { interleaveFamilies, Race } from './race.js'

export interface DialOptions {
  readonly to: Address
  readonly lookup: net.LookupFunction | undefined
  /** For the look-up and all attempts together. */
  readonly connectMs: number
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
}

/**
 * Connects, and resolves with what `takeOver` makes of the socket.
 *
 * @throws ConnectError, LookupError, TimeoutError, the signal's reason, and what `takeOver` throws
 */
export function dial<T>(options: DialOptions, takeOver: (socket: net.Socket) => T): Promise<T> {
  const { to, clock, connectMs, signal } = options
  return new Promise<T>((resolve, reject) => {
    const where = describeAddress(to)
    const startedAt = clock.now()
    let isOver = false
    let race: Race | undefined
    let ignoreAnswer: (() => void) | undefined

    const finish = (): void => {
      isOver = true
      stopListening()
      clock.clearTimeout(timer)
    }
    const fail = (error: unknown): void => {
      finish()
      ignoreAnswer?.()
      race?.cancel()
      reject(error)
    }
    const timedOut = (): Error =>
      race === undefined
        ? lookUpTimeout(where, 'host' in to ? to.host : where, connectMs)
        : connectTimeout(where, connectMs, race.attempts, race.untried, clock.now())
    const runRace = (addresses: readonly Address[]): void => {
      const started = new Race(addresses, clock, connectSocket, {
        won: (socket) => {
          finish()
          try {
            resolve(takeOver(socket))
          } catch (error) {
            socket.destroy()
            reject(error)
          }
        },
        lost: () => {
          const now = clock.now()
          fail(connectError(where, started.attempts, now, now - startedAt))
        },
      })
      race = started
      started.start()
    }

    const stopListening = onAbort(signal, () => {
      fail(signal?.reason)
    })
    const timer = clock.setTimeout(() => {
      // A loop that was stalled first hears what the kernel has known all along.
      setImmediate(() => {
        if (!isOver) fail(timedOut())
      })
    }, connectMs)

    if ('path' in to || net.isIP(to.host) !== 0) {
      runRace([to])
    } else {
      ignoreAnswer = lookUp(to.host, options.lookup, (error, addresses) => {
        if (error === undefined) {
          runRace(interleaveFamilies(addresses).map((host) => ({ host, port: to.port })))
        } else {
          fail(error)
        }
      })
    }
  })
}

function connectSocket(address: Address): net.Socket {
  const socket = new net.Socket(SOCKET_OPTIONS)
  return 'path' in address
    ? socket.connect({ path: address.path })
    : socket.connect({ host: address.host, port: address.port, autoSelectFamily: false })
}
