/** A pair of connections with a fault proxy in between, on a clock that stands still: for tests of what faults do. */
import { expect, onTestFinished } from 'vitest'
import type { Clock } from '../../src/concurrency/clock.js'
import type { Connection } from '../../src/protocol/connection.js'
import type { ConnectionPairOptions } from '../../src/testing/connection-pair.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { FaultProxy, type Fault, type FaultProxyEvent } from '../../src/testing/index.js'

interface Setting {
  faults?: readonly Fault[]
  seed?: number
  maxHeldBytes?: number
  pair?: Omit<ConnectionPairOptions<Clock>, 'clock'>
}

/** A pair with a proxy in between; it is gone, and no timer left, when the test is over. */
export function through({ faults = [], seed = 1, maxHeldBytes, pair }: Setting = {}) {
  const clock = new FakeClock()
  const events: FaultProxyEvent[] = []
  const proxy = new FaultProxy({
    faults,
    seed,
    clock,
    maxHeldBytes,
    onEvent: (event) => events.push(event),
  })
  const ends = proxy.connectionPair({ both: { logger: false }, ...pair })
  onTestFinished(async () => {
    await ends[Symbol.asyncDispose]()
    expect(proxy.stats.open).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })
  return { ...ends, proxy, clock, events }
}

/** The chunks that arrive, each with the time of its arrival; `null` is the end. */
export function arrivals(connection: Connection, clock: Clock): [number, string | null][] {
  const seen: [number, string | null][] = []
  const receive = async (): Promise<void> => {
    for await (const chunk of connection.reader.chunks()) {
      seen.push([clock.now(), chunk.toString('latin1')])
    }
    seen.push([clock.now(), null])
  }
  receive().catch(() => {})
  return seen
}

/** The same, joined: how much has come so far. */
export function textOf(seen: readonly [number, string | null][]): string {
  return seen.map(([, text]) => text ?? '').join('')
}
