/**
 * Two thousand connections through a fault proxy whose faults change all the time, with ends that leave as they like
 * and a stop in the middle. Nothing is known of how each fares, but: what arrives is a beginning of what was sent to
 * just this connection, no more is kept than may be, and in the end nothing is left.
 */
import { expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../src/client/open-connection.js'
import { StandpipeError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import { FaultProxy, type Fault, type FaultProxyStats } from '../../src/testing/index.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { portOf, serve } from '../support/serve.js'
import { seededRandom } from '../support/seeded-random.js'

guardAgainstLeaks()

const CONNECTIONS = 2_000
const AT_ONCE = 100
const MAX_HELD = 20_000

type Random = (below: number) => number

/** What a connection of that number sends, in either direction: from no place of it does it look like another. */
function speech(number: number, from: 'client' | 'server', bytes: number): Buffer {
  const salt = number * 2 + (from === 'client' ? 0 : 1)
  return Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + salt * 13 + (i >> 8)) & 255))
}

function anyFault(random: Random): Fault {
  const direction = (['toTarget', 'toClient', 'both'] as const)[random(3)]
  const probability = random(2) === 0 ? 1 : 0.5
  const scope = { direction, probability }
  const faults: readonly Fault[] = [
    { kind: 'latency', latencyMs: random(6), jitterMs: random(4), ...scope },
    { kind: 'bandwidth', bytesPerSecond: 100_000 + random(1_000_000), ...scope },
    {
      kind: 'slicer',
      bytes: 500 + random(3000),
      variation: random(500),
      gapMs: random(2),
      ...scope,
    },
    { kind: 'reset', afterBytes: random(30_000), ...scope },
    { kind: 'reset', afterMs: random(20), ...scope },
    { kind: 'black-hole', ...scope },
    { kind: 'black-hole', endAfterMs: random(20), ...scope },
    { kind: 'slow-close', delayMs: random(10), ...scope },
    { kind: 'data-limit', bytes: random(30_000), ...scope },
    // Seldom: it ends everything else.
    ...(random(5) === 0 ? [{ kind: 'down' } as const] : []),
  ]
  return faults[random(faults.length)] as Fault
}

/** Changes something about the faults; there are never many. */
function meddle(proxy: FaultProxy, random: Random): void {
  const { faults } = proxy
  const one = faults.find(({ kind }) => kind === 'down') ?? faults[random(6)]
  if (one === undefined || (faults.length < 5 && random(3) === 0)) proxy.add(anyFault(random))
  else if (one.kind === 'down' || random(2) === 0) void one.remove()
  else one.change({ probability: random(3) / 2 })
}

/** Checks what comes, until it ends or until this end has enough of it. */
async function hear({ reader }: Connection, expected: Buffer, enough: number): Promise<void> {
  let heard = 0
  while (heard < enough) {
    const chunk = await reader.read(4000, { timeoutMs: 60 })
    if (chunk === null) return
    if (!chunk.equals(expected.subarray(heard, heard + chunk.length))) {
      throw new Error(`at ${heard} there came what was not sent`)
    }
    heard += chunk.length
  }
}

async function say({ writer }: Connection, words: Buffer): Promise<void> {
  for (let at = 0; at < words.length; at += 5000) {
    writer.write(words.subarray(at, at + 5000))
    await writer.drain({ timeoutMs: 60 })
  }
  writer.writeEof()
}

/** The talk of one end, which may leave at any point; what the network did to it is no failure. */
async function talk(
  connection: Connection,
  words: { mine: Buffer; theirs: Buffer },
  random: Random,
): Promise<void> {
  const enough = random(2) === 0 ? Infinity : random(20_000)
  try {
    await Promise.all([say(connection, words.mine), hear(connection, words.theirs, enough)])
  } catch (error) {
    if (!(error instanceof StandpipeError)) throw error
  }
  // A close may linger; nobody waits for it here.
  if (random(3) === 0) connection.abort()
  else void connection.close()
}

test(
  'A fault proxy under two thousand connections, all faults and a stop keeps its bounds and leaves nothing behind',
  { timeout: 120_000 },
  async () => {
    const random = seededRandom(20)
    const wrong: unknown[] = []
    const clients = new Set<Connection>()
    const { address } = await serve(async (connection) => {
      // The first four bytes are the number of the connection.
      const number = (await connection.reader.readExactly(4, { timeoutMs: 200 })).readUInt32BE()
      const theirs = speech(number, 'client', 20_000)
      const mine = speech(number, 'server', random(20_000))
      await talk(connection, { mine, theirs }, random).catch((error) => wrong.push(error))
    })
    const start = async (): Promise<FaultProxy> => {
      const target = { port: portOf(address) }
      const proxy = await FaultProxy.start({
        target,
        seed: 20,
        maxHeldBytes: MAX_HELD,
        logger: false,
        connectMs: 5000,
      })
      onTestFinished(() => proxy[Symbol.asyncDispose]())
      return proxy
    }
    const converse = async (number: number): Promise<void> => {
      const connection = await openConnection({ ...proxy.address, logger: false })
      clients.add(connection)
      void connection.closed.then(() => clients.delete(connection))
      const head = Buffer.alloc(4)
      head.writeUInt32BE(number)
      connection.writer.write(head)
      const mine = speech(number, 'client', random(20_000))
      await talk(connection, { mine, theirs: speech(number, 'server', 20_000) }, random)
    }

    const finals: FaultProxyStats[] = []
    let proxy = await start()
    let begun = 0
    let refused = 0
    const work = async (): Promise<void> => {
      while (begun < CONNECTIONS) {
        const number = ++begun
        meddle(proxy, random)
        if (number === CONNECTIONS / 2) {
          const stopped = proxy
          proxy = await start()
          const { stragglers } = await stopped.stop({ graceMs: 20 })
          wrong.push(...stragglers)
          finals.push(stopped.stats)
        }
        await converse(number).catch((error: unknown) => {
          if (error instanceof StandpipeError) refused++
          else wrong.push(error)
        })
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    await proxy.clear()
    for (const connection of clients) connection.abort()
    await proxy.stop({ graceMs: 1000 })
    finals.push(proxy.stats)

    expect(wrong).toEqual([])
    for (const { open, heldBytes, mostHeldBytes } of finals) {
      expect(open).toBe(0)
      expect(heldBytes).toEqual({ toTarget: 0, toClient: 0 })
      expect(Math.max(mostHeldBytes.toTarget, mostHeldBytes.toClient)).toBeLessThanOrEqual(MAX_HELD)
    }
    const struck = new Set(finals.flatMap(({ applied }) => Object.keys(applied)))
    expect([...struck].toSorted()).toEqual(
      'bandwidth black-hole data-limit down latency reset slicer slow-close'.split(' '),
    )
    // Those that met a proxy that was down were refused, or reset before it saw them.
    const accepted = finals.reduce((sum, one) => sum + one.accepted, 0)
    expect(accepted + refused).toBeLessThanOrEqual(CONNECTIONS)
    expect(accepted).toBeGreaterThan(CONNECTIONS / 2)
    const struckDown = finals.reduce((sum, { applied }) => sum + (applied.down ?? 0), 0)
    expect(struckDown).toBeLessThanOrEqual(accepted)
    expect(proxy.connections).toEqual([])
  },
)
