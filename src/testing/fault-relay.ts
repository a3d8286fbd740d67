/** One connection on its way through a fault proxy: its two ends, and the link each way between them. */
import type { Clock } from '../concurrency/clock.js'
import type { Connection } from '../protocol/connection.js'
import type { ActiveFault } from './active-fault.js'
import { FaultLink, type FaultLinkHost } from './fault-link.js'
import type { FaultProxyEvent, FaultTally } from './fault-tally.js'
import type { FaultKind, FaultWay } from './fault.js'
import { SeededRandom } from './seeded-random.js'

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
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly #options: FaultRelayOptions
  readonly #client: Connection
  readonly #target: Connection
  readonly #links: readonly [FaultLink, FaultLink]
  readonly #passedBytes = { toTarget: 0, toClient: 0 }
  /** What was told of already. */
  readonly #told = new Set<string>()

  constructor(client: Connection, target: Connection, options: FaultRelayOptions) {
    const { number, seed } = options
    this.clock = options.clock
    this.maxHeldBytes = options.maxHeldBytes
    this.#options = options
    this.#client = client
    this.#target = target
    const random = (way: number) => ({
      jitter: new SeededRandom(seed, number, way, 0),
      sizes: new SeededRandom(seed, number, way, 1),
    })
    this.#links = [
      new FaultLink('toTarget', { source: client, destination: target }, this, random(0)),
      new FaultLink('toClient', { source: target, destination: client }, this, random(1)),
    ]
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
      this.#options.tell({
        event: 'close',
        connection: this.#options.number,
        passedBytes: { ...this.#passedBytes },
        durationMs: this.clock.now() - startedMs,
      })
    }
  }

  /** The faults of the proxy are these now. */
  faultsChanged(faults: Iterable<ActiveFault>): void {
    for (const link of this.#links) link.faultsChanged(faults)
  }

  /** One draw for each fault and connection, whatever the order in which they meet. */
  strikes(fault: ActiveFault): boolean {
    const { settings } = fault
    const probability = settings.kind === 'down' ? 1 : (settings.probability ?? 1)
    const { seed, number } = this.#options
    return new SeededRandom(seed, number, 2, fault.id).next() < probability
  }

  applied(kind: FaultKind, way?: FaultWay): void {
    this.#options.tally.applied(kind)
    const key = `${kind} ${way}`
    if (this.#told.has(key)) return
    this.#told.add(key)
    const { number: connection } = this.#options
    this.#options.tell({
      event: 'fault',
      connection,
      kind,
      ...(way === undefined ? {} : { direction: way }),
    })
  }

  passed(way: FaultWay, bytes: number): void {
    this.#passedBytes[way] += bytes
    this.#options.tally.passed(way, bytes)
  }

  dropped(way: FaultWay, bytes: number): void {
    this.#options.tally.dropped(way, bytes)
  }

  reset(): void {
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
