/** What a fault proxy counts, and the events that it tells. */
import type { FaultKind, FaultWay } from './fault.js'

/** What a fault proxy has done so far. */
export interface FaultProxyStats {
  /** Connections that it took. */
  readonly accepted: number
  /** Those of them that have not ended. */
  readonly open: number
  /** Those whose target could not be connected to; their clients were reset. */
  readonly unreachable: number
  /** Bytes that were passed on, each way. */
  readonly passedBytes: Readonly<Record<FaultWay, number>>
  /** Bytes that were thrown away behind a data limit, each way. */
  readonly droppedBytes: Readonly<Record<FaultWay, number>>
  /**
   * How often faults did something, by kind: chunks and ends that came later, pieces that were cut or paced,
   * directions that were stopped, ended or ended late, connections that were reset.
   */
  readonly applied: Readonly<Partial<Record<FaultKind, number>>>
}

/** What a fault proxy tells of. `connection` counts its connections from 1. */
export type FaultProxyEvent =
  | { readonly event: 'open'; readonly connection: number; readonly client: string }
  | { readonly event: 'unreachable'; readonly connection: number; readonly error: unknown }
  /** A kind of fault does something to a connection for the first time; `direction` is absent for `down`. */
  | {
      readonly event: 'fault'
      readonly connection: number
      readonly kind: FaultKind
      readonly direction?: FaultWay
    }
  | {
      readonly event: 'close'
      readonly connection: number
      readonly passedBytes: Readonly<Record<FaultWay, number>>
      readonly durationMs: number
    }

/** The counters of a proxy. */
export class FaultTally {
  accepted = 0
  open = 0
  unreachable = 0
  readonly #passedBytes = { toTarget: 0, toClient: 0 }
  readonly #droppedBytes = { toTarget: 0, toClient: 0 }
  readonly #applied: Partial<Record<FaultKind, number>> = {}

  passed(way: FaultWay, bytes: number): void {
    this.#passedBytes[way] += bytes
  }

  dropped(way: FaultWay, bytes: number): void {
    this.#droppedBytes[way] += bytes
  }

  applied(kind: FaultKind): void {
    this.#applied[kind] = (this.#applied[kind] ?? 0) + 1
  }

  /** As it stands now: a copy. */
  get stats(): FaultProxyStats {
    return {
      accepted: this.accepted,
      open: this.open,
      unreachable: this.unreachable,
      passedBytes: { ...this.#passedBytes },
      droppedBytes: { ...this.#droppedBytes },
      applied: { ...this.#applied },
    }
  }
}
