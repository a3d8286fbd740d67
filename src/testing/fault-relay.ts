/** One connection on its way through a fault proxy: its two ends, and the link each way between them. */
import type { Clock } from '../concurrency/clock.js'
import { describeAddress, type Connection } from '../protocol/connection.js'
import type { ActiveFault } from './active-fault.js'
import { FaultLink, type FaultLinkHost } from './fault-link.js'
import type { FaultProxyConnection, FaultProxyEvent, FaultTally } from './fault-tally.js'
import type { FaultKind, FaultScope, FaultWay } from './fault.js'
import { SeededRandom } from './seeded-random.js'

/** What the draw of a connection is for: whether a fault strikes it. Those of its directions are 0 and 1. */
const STRIKES = 2

export interface FaultRelayOptions {
  /** Its number among the connections of the proxy. */
  readonly number: number
  readonly seed: number
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly tally: FaultTally
  readonly tell: (event: FaultProxyEvent) => void
}

export class FaultRelay implements FaultLinkHost {
  readonly number: number
  readonly seed: number
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly #tally: FaultTally
  readonly #tell: (event: FaultProxyEvent) => void
  readonly #client: Connection
  readonly #target: Connection
  readonly #links: readonly [FaultLink, FaultLink]
  readonly #heldBytes = { toTarget: 0, toClient: 0 }
  readonly #passedBytes = { toTarget: 0, toClient: 0 }
  readonly #droppedBytes = { toTarget: 0, toClient: 0 }
  readonly #applied: Partial<Record<FaultKind, number>> = {}
  /** What was told of already: names of faults and directions. */
  readonly #told = new Set<string>()
  #isReset = false

  constructor(client: Connection, target: Connection, options: FaultRelayOptions) {
    this.number = options.number
    this.seed = options.seed
    this.clock = options.clock
    this.maxHeldBytes = options.maxHeldBytes
    this.#tally = options.tally
    this.#tell = options.tell
    this.#client = client
    this.#target = target
    this.#links = [
      new FaultLink('toTarget', { source: client, destination: target }, this),
      new FaultLink('toClient', { source: target, destination: client }, this),
    ]
  }

  /** As it stands now: a copy. */
  get snapshot(): FaultProxyConnection {
    return {
      connection: this.number,
      client: describeAddress(this.#client.remote),
      target: describeAddress(this.#target.remote),
      heldBytes: { ...this.#heldBytes },
      passedBytes: { ...this.#passedBytes },
      droppedBytes: { ...this.#droppedBytes },
      applied: { ...this.#applied },
    }
  }

  /** Resolves when both connections are closed. */
  async run(): Promise<void> {
    const startedMs = this.clock.now()
    try {
      const links = Promise.all(this.#links.map((link) => link.run()))
      // Only a listener of events that throws makes a link reject; the links then end with it.
      await Promise.race([Promise.all([this.#client.closed, this.#target.closed]), links])
      await Promise.all([this.#client.closed, this.#target.closed])
      this.#endLinks()
      await links
    } finally {
      this.reset()
      const [client, target] = await Promise.all([this.#client.closed, this.#target.closed])
      this.#tell({
        event: 'close',
        connection: this.number,
        ends: { client: client.reason.kind, target: target.reason.kind },
        passedBytes: { ...this.#passedBytes },
        droppedBytes: { ...this.#droppedBytes },
        applied: { ...this.#applied },
        durationMs: this.clock.now() - startedMs,
      })
    }
  }

  /** The faults of the proxy are these now. */
  faultsChanged(faults: Iterable<ActiveFault>): void {
    for (const link of this.#links) link.faultsChanged(faults)
  }

  /** The proxy is down, by these faults. */
  takeDown(faults: Iterable<ActiveFault>): void {
    if (this.#isReset) return
    for (const fault of faults) this.applied(fault)
    this.reset()
  }

  /** One draw for each fault and connection, whatever the order in which they meet. */
  strikes(fault: ActiveFault): boolean {
    const { probability = 1, connections } = fault.settings as FaultScope
    if (connections?.includes(this.number) === false) return false
    return new SeededRandom(this.seed, this.number, STRIKES, fault.id).next() < probability
  }

  applied(fault: ActiveFault, way?: FaultWay): void {
    const { kind, name } = fault
    fault.strike()
    this.#applied[kind] = (this.#applied[kind] ?? 0) + 1
    this.#tally.applied(kind)
    const key = `${way} ${name}`
    if (this.#told.has(key)) return
    this.#told.add(key)
    this.#tell({
      event: 'fault',
      connection: this.number,
      kind,
      name,
      ...(way === undefined ? {} : { direction: way }),
    })
  }

  held(way: FaultWay, bytes: number): void {
    this.#heldBytes[way] += bytes
    this.#tally.held(way, bytes, this.#heldBytes[way])
  }

  passed(way: FaultWay, bytes: number): void {
    this.#passedBytes[way] += bytes
    this.#tally.passed(way, bytes)
  }

  dropped(way: FaultWay, bytes: number): void {
    this.#droppedBytes[way] += bytes
    this.#tally.dropped(way, bytes)
  }

  reset(): void {
    this.#isReset = true
    this.#endLinks()
    this.#client.abort()
    this.#target.abort()
  }

  close(): void {
    this.#endLinks()
    void this.#client.close()
    void this.#target.close()
  }

  #endLinks(): void {
    for (const link of this.#links) link.end()
  }
}
