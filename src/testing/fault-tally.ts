/** What a fault proxy counts, the events that it tells, and who waits for its numbers to be so and so. */
import { refuseWait, type WaitOptions } from '../concurrency/abort.js'
import type { Clock } from '../concurrency/clock.js'
import { unobserved } from '../concurrency/deferred.js'
import { Event } from '../concurrency/event.js'
import { TimeoutError } from '../errors.js'
import type { CloseKind } from '../protocol/connection.js'
import type { FaultKind, FaultWay } from './fault.js'

/** A number for each way. */
export type EachWay = Readonly<Record<FaultWay, number>>

/** What a fault proxy has done so far. */
export interface FaultProxyStats {
  /** Connections that it took. */
  readonly accepted: number
  /** Those of them that have not ended. */
  readonly open: number
  /** Those whose target could not be connected to; their clients were reset. */
  readonly unreachable: number
  /** Bytes that it keeps now, over all connections. */
  readonly heldBytes: EachWay
  /** The most that one connection has had kept so far: never above `maxHeldBytes`. */
  readonly mostHeldBytes: EachWay
  /** Bytes that were passed on. */
  readonly passedBytes: EachWay
  /** Bytes that were thrown away behind a data limit. */
  readonly droppedBytes: EachWay
  /**
   * How often faults did something, by kind: chunks and ends that came later, pieces that were cut or paced,
   * directions that were stopped, ended or ended late, connections that were reset.
   */
  readonly applied: Readonly<Partial<Record<FaultKind, number>>>
}

/** One connection through a fault proxy, as it stands. */
export interface FaultProxyConnection {
  /** Its number, counted from 1 over those that the proxy took. */
  readonly connection: number
  /** The address that its client dialled from. */
  readonly client: string
  readonly target: string
  readonly heldBytes: EachWay
  readonly passedBytes: EachWay
  readonly droppedBytes: EachWay
  readonly applied: FaultProxyStats['applied']
}

/** What a fault proxy tells of. `connection` counts its connections from 1. */
export type FaultProxyEvent =
  | { readonly event: 'open'; readonly connection: number; readonly client: string }
  | { readonly event: 'unreachable'; readonly connection: number; readonly error: unknown }
  /** A fault does something to a connection for the first time; `direction` is absent for `down`. */
  | {
      readonly event: 'fault'
      readonly connection: number
      readonly kind: FaultKind
      readonly name: string
      readonly direction?: FaultWay
    }
  | {
      readonly event: 'close'
      readonly connection: number
      /** How each end came to its end, seen from the proxy: `aborted` is an end that it has reset. */
      readonly ends: { readonly client: CloseKind; readonly target: CloseKind }
      readonly passedBytes: EachWay
      readonly droppedBytes: EachWay
      readonly applied: FaultProxyStats['applied']
      readonly durationMs: number
    }

/** The counters of a proxy. */
export class FaultTally {
  readonly #clock: Clock
  readonly #changed: Event
  #accepted = 0
  #open = 0
  #unreachable = 0
  readonly #heldBytes = { toTarget: 0, toClient: 0 }
  readonly #mostHeldBytes = { toTarget: 0, toClient: 0 }
  readonly #passedBytes = { toTarget: 0, toClient: 0 }
  readonly #droppedBytes = { toTarget: 0, toClient: 0 }
  readonly #applied: Partial<Record<FaultKind, number>> = {}

  constructor(clock: Clock) {
    this.#clock = clock
    this.#changed = new Event({ clock })
  }

  opened(): void {
    this.#accepted++
    this.#open++
    this.#wake()
  }

  ended(): void {
    this.#open--
    this.#wake()
  }

  isUnreachable(): void {
    this.#unreachable++
    this.#wake()
  }

  /** So many bytes more are kept, or fewer: for that connection `now`. */
  held(way: FaultWay, bytes: number, now: number): void {
    this.#heldBytes[way] += bytes
    this.#mostHeldBytes[way] = Math.max(this.#mostHeldBytes[way], now)
    this.#wake()
  }

  passed(way: FaultWay, bytes: number): void {
    this.#passedBytes[way] += bytes
    this.#wake()
  }

  dropped(way: FaultWay, bytes: number): void {
    this.#droppedBytes[way] += bytes
    this.#wake()
  }

  applied(kind: FaultKind): void {
    this.#applied[kind] = (this.#applied[kind] ?? 0) + 1
    this.#wake()
  }

  /** As it stands now: a copy. */
  get stats(): FaultProxyStats {
    return {
      accepted: this.#accepted,
      open: this.#open,
      unreachable: this.#unreachable,
      heldBytes: { ...this.#heldBytes },
      mostHeldBytes: { ...this.#mostHeldBytes },
      passedBytes: { ...this.#passedBytes },
      droppedBytes: { ...this.#droppedBytes },
      applied: { ...this.#applied },
    }
  }

  /** See `FaultProxy.until()`. */
  async until(
    condition: (stats: FaultProxyStats) => boolean,
    options: WaitOptions,
  ): Promise<FaultProxyStats> {
    if (typeof condition !== 'function') {
      throw new TypeError(`condition must be a function, not ${typeof condition}`)
    }
    const refused = refuseWait(options)
    if (refused !== undefined) return await refused
    const { signal, timeoutMs } = options
    const dueMs = timeoutMs === undefined ? undefined : this.#clock.now() + timeoutMs
    for (;;) {
      const { stats } = this
      const holds: unknown = condition(stats)
      if (holds instanceof Promise) {
        void unobserved(holds)
        throw new TypeError('condition must look and not wait: it may not be an async function')
      }
      if (holds) return stats
      const leftMs = dueMs === undefined ? undefined : dueMs - this.#clock.now()
      if (leftMs !== undefined && leftMs <= 0) {
        const numbers = JSON.stringify(stats)
        const message = `FaultProxy.until(): not so after ${timeoutMs} ms: ${numbers}`
        throw new TimeoutError(message, 'call', timeoutMs)
      }
      await this.#changed.wait({ signal, timeoutMs: leftMs }).catch((error: unknown) => {
        // It is looked at once more.
        if (!(error instanceof TimeoutError) || signal?.aborted === true) throw error
      })
    }
  }

  #wake(): void {
    this.#changed.set()
    this.#changed.clear()
  }
}
