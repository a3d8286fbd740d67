/** What a fault proxy is made with, and which of it makes sense. */
import { randomInt } from 'node:crypto'
import { checkTimeout } from '../concurrency/abort.js'
import { systemClock, type Clock } from '../concurrency/clock.js'
import { checkTarget } from '../client/open-connection.js'
import type { Logger } from '../logger.js'
import type { Address } from '../protocol/connection.js'
import type { ListenOptions } from '../server/listen.js'
import type { FaultProxyEvent } from './fault-tally.js'
import type { Fault } from './fault.js'

/** What any fault proxy takes. */
export interface FaultProxyOptions {
  /** The faults that are in force from the start. @default none */
  faults?: readonly Fault[] | undefined
  /** A whole number that decides every draw. @default a random one; `proxy.seed` tells it */
  seed?: number | undefined
  /** The time that faults live by. @default the clock of the process */
  clock?: Clock | undefined
  /**
   * How much a direction of a connection may keep, in bytes, with what each chunk costs besides; then its sender is
   * read no further. With a latency it also bounds the throughput: so many bytes for each latency. @default 1048576
   */
  maxHeldBytes?: number | undefined
  /** Called for each event, at once. An error that it throws ends the connection. */
  onEvent?: ((event: FaultProxyEvent) => void) | undefined
}

/** Where a fault proxy listens and connects to. */
export interface FaultProxyServerOptions
  extends FaultProxyOptions, Pick<ListenOptions, 'host' | 'port' | 'path' | 'mode' | 'backlog'> {
  /** Where the connections lead. The port of a server of this process is `server.address.port`. */
  target: { host?: string | undefined; port: number } | { path: string }
  /** How long connecting to the target may take. @default 10000 */
  connectMs?: number | undefined
  /**
   * How many connections it leads at once; `Infinity` for no cap. Each costs two descriptors.
   * @default 80 % of what the free descriptors allow, but at least 1 and at most 1024
   */
  maxConnections?: number | undefined
  /** As that of a server: what peers and faults bring about is told at info, an `onEvent` that throws at error. */
  logger?: Logger | false | undefined
  /** Aborts the start; once the proxy listens it has no effect. */
  signal?: AbortSignal | undefined
}

const DEFAULT_MAX_HELD_BYTES = 1024 * 1024

/** The options of any fault proxy, with their defaults. */
export interface CheckedOptions {
  readonly faults: readonly Fault[]
  readonly seed: number
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly onEvent: (event: FaultProxyEvent) => void
}

/** @throws TypeError, RangeError for what makes no sense; the faults are not looked at */
export function checkOptions(options: FaultProxyOptions): CheckedOptions {
  const {
    faults = [],
    seed = randomInt(2 ** 31),
    clock = systemClock,
    maxHeldBytes = DEFAULT_MAX_HELD_BYTES,
    onEvent = ignore,
  } = options
  if (!Array.isArray(faults)) {
    throw new TypeError(`faults must be an array of faults, not ${typeof faults}`)
  }
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed must be a whole number, not ${seed}`)
  if (!Number.isInteger(maxHeldBytes) || maxHeldBytes < 1) {
    throw new RangeError(`maxHeldBytes must be a whole number above 0, not ${maxHeldBytes}`)
  }
  if (typeof onEvent !== 'function') {
    throw new TypeError(`onEvent must be a function, not ${typeof onEvent}`)
  }
  return { faults: faults as readonly Fault[], seed, clock, maxHeldBytes, onEvent }
}

/**
 * Where the connections lead.
 * @throws TypeError, RangeError for a target that is none, and a `connectMs` that is not above 0
 */
export function checkServerOptions(options: FaultProxyServerOptions): Address {
  const { target, connectMs } = (options as Partial<FaultProxyServerOptions> | undefined) ?? {}
  if (typeof target !== 'object' || (target as object | null) === null) {
    const received = JSON.stringify(target)
    throw new TypeError(`target must be { host, port } or { path }, not ${received}`)
  }
  checkTimeout(connectMs, 'connectMs')
  try {
    return checkTarget(target)
  } catch (error) {
    // Its words do not say of which address they are.
    if (error instanceof Error) error.message = `target: ${error.message}`
    throw error
  }
}

function ignore(): void {}
