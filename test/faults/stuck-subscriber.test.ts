/** One of many subscribers does not read: the others, and who publishes, notice nothing. */
import type net from 'node:net'
import { expect } from 'vitest'
import { Broadcaster } from '../../src/concurrency/broadcaster.js'
import type { Subscription, SubscriptionOverflow } from '../../src/concurrency/subscription.js'
import { SlowConsumerError } from '../../src/errors.js'
import type { Connection } from '../../src/protocol/connection.js'
import type { Handler } from '../../src/protocol/handler.js'
import { DEFAULT_HIGH_WATER_MARK } from '../../src/protocol/stream-writer.js'
import type { Server } from '../../src/server/start-server.js'
import { eventually } from '../support/eventually.js'
import { fault, type FaultScene } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, wasReset } from '../support/wire.js'

guardAgainstLeaks()

const SUBSCRIBERS = 100
const CAPACITY = 64
const MESSAGE_BYTES = 4096
/** What it takes to see that the stuck one has lost some. */
const DROPS = 200
/** The kernel keeps some MiB for a peer that does not read; far more than that is not the kernel's doing. */
const MAX_MESSAGES = (32 * 1024 * 1024) / MESSAGE_BYTES

function messageOf(n: number): Buffer {
  return Buffer.from(`${n}`.padEnd(MESSAGE_BYTES - 1, '.') + '\n')
}

/** Reads messages as they come, and notes whether each is whole and which numbers there were. */
class Subscriber {
  readonly socket: net.Socket
  readonly numbers: number[] = []
  broken = 0
  #rest = ''

  constructor(server: Server) {
    this.socket = dial(server.address)
    this.socket.on('data', (chunk: Buffer) => {
      const messages = (this.#rest + chunk.toString('latin1')).split('\n')
      this.#rest = messages.pop() ?? ''
      for (const message of messages) {
        const digits = message.slice(0, message.indexOf('.'))
        this.numbers.push(Number(digits))
        if (message !== digits.padEnd(MESSAGE_BYTES - 1, '.')) this.broken++
      }
    })
  }

  /** How many messages are not the one after the one before. */
  get gaps(): number {
    return this.numbers.filter((n, at) => n !== (this.numbers[at - 1] ?? -1) + 1).length
  }
}

interface Served {
  readonly connection: Connection
  readonly subscription: Subscription<Buffer>
}

interface Audience {
  readonly server: Server
  readonly stuck: Subscriber
  readonly stuckServed: Served
  readonly fast: readonly Subscriber[]
  readonly fastServed: readonly Served[]
}

/** A hundred subscribers over TCP; the first of them reads nothing. */
async function gather(
  serve: FaultScene['serve'],
  broadcaster: Broadcaster<Buffer>,
  onOverflow: SubscriptionOverflow,
): Promise<Audience> {
  const served: Served[] = []
  const handler: Handler = async (connection) => {
    const { signal, writer } = connection
    const subscription = broadcaster.subscribe({ signal, capacity: CAPACITY, onOverflow })
    served.push({ connection, subscription })
    try {
      await writer.pipeFrom(subscription, { signal: subscription.signal })
    } catch (error) {
      if (error instanceof SlowConsumerError) connection.abort(error)
      throw error
    }
  }
  const server = await serve(handler)
  const stuck = new Subscriber(server)
  stuck.socket.pause()
  await eventually(() => broadcaster.subscribers === 1)
  const fast = Array.from({ length: SUBSCRIBERS - 1 }, () => new Subscriber(server))
  for (const { socket } of fast) socket.resume()
  await eventually(() => broadcaster.subscribers === SUBSCRIBERS)
  const [stuckServed, ...fastServed] = served
  if (stuckServed === undefined) throw new Error('nobody was served')
  return { server, stuck, stuckServed, fast, fastServed }
}

/** Publishes as many at a time as one subscriber may hold, until the stuck one has lost enough; gives the slowest calls. */
async function publishUntilLost(
  broadcaster: Broadcaster<Buffer>,
  { stuckServed, fastServed }: Audience,
): Promise<number> {
  const durationsMs: number[] = []
  const isEnough = (): boolean => broadcaster.dropped >= DROPS || stuckServed.subscription.isClosed
  while (!isEnough() && broadcaster.published < MAX_MESSAGES) {
    for (let n = 0; n < CAPACITY; n++) {
      const message = messageOf(broadcaster.published)
      const start = performance.now()
      broadcaster.publish(message)
      durationsMs.push(performance.now() - start)
      expect(stuckServed.subscription.size).toBeLessThanOrEqual(CAPACITY)
    }
    // The connections of this test share one loop with their peers: they must have their turn.
    await eventually(() => fastServed.every(({ subscription }) => subscription.size === 0))
    const { bufferedBytes } = stuckServed.connection.writer
    expect(bufferedBytes).toBeLessThanOrEqual(DEFAULT_HIGH_WATER_MARK + MESSAGE_BYTES)
  }
  expect(isEnough()).toBe(true)
  return durationsMs.toSorted((a, b) => a - b)[Math.floor(durationsMs.length * 0.99)] ?? Infinity
}

async function allReceived(broadcaster: Broadcaster<Buffer>, { fast }: Audience): Promise<void> {
  const { published } = broadcaster
  await eventually(() => fast.every(({ numbers }) => numbers.length === published))
  const faults = fast.filter(({ gaps, broken }) => gaps + broken > 0)
  expect(faults).toEqual([])
}

// Some hundreds of MiB in all, which take two or three seconds where there is a core for it.
const timeoutMs = 60_000

for (const onOverflow of ['drop-oldest', 'drop-newest'] as const) {
  fault(
    'F44',
    `with ${onOverflow} 99 of 100 get all messages in order, and the stuck one those that were not dropped for it`,
    async ({ serve, figure }) => {
      const broadcaster = new Broadcaster<Buffer>()
      const audience = await gather(serve, broadcaster, onOverflow)
      const { stuck, stuckServed, fastServed, server } = audience
      const slowestMs = await publishUntilLost(broadcaster, audience)
      expect(slowestMs).toBeLessThan(50)
      figure('99 of 100 publications took at most', slowestMs, 'ms')
      await allReceived(broadcaster, audience)
      const { dropped } = stuckServed.subscription
      expect(dropped).toBeGreaterThanOrEqual(DROPS)
      expect(broadcaster.dropped).toBe(dropped)
      expect(fastServed.every(({ subscription }) => subscription.dropped === 0)).toBe(true)
      expect(stuckServed.subscription.size).toBe(CAPACITY)

      // It goes on where it stood, and has one gap: before what it holds, or behind.
      stuck.socket.resume()
      await eventually(() => stuckServed.subscription.size === 0)
      broadcaster.publish(messageOf(broadcaster.published))
      await eventually(() => stuck.numbers.length + dropped === broadcaster.published)
      expect(stuck).toMatchObject({ gaps: 1, broken: 0 })
      expect(stuck.numbers.at(-1)).toBe(broadcaster.published - 1)
      const before = stuck.numbers.findLastIndex((n, at) => n === at)
      expect(stuck.numbers.length - before - 1).toBe(
        onOverflow === 'drop-oldest' ? CAPACITY + 1 : 1,
      )

      // Closing the broadcaster ends the pipes, the handlers with them, and the connections cleanly.
      broadcaster.close()
      for (const { socket } of [stuck, ...audience.fast]) socket.end()
      await eventually(() => server.stats.open === 0)
      expect(server.stats.closedBy).toEqual({ 'closed-here': SUBSCRIBERS })
    },
    { timeoutMs },
  )
}

fault(
  'F44',
  'with disconnect 99 of 100 get all messages in order, and the stuck one is cut',
  async ({ serve }) => {
    const broadcaster = new Broadcaster<Buffer>()
    const audience = await gather(serve, broadcaster, 'disconnect')
    const { stuck, stuckServed, fastServed, server } = audience
    expect(await publishUntilLost(broadcaster, audience)).toBeLessThan(50)
    expect(broadcaster).toMatchObject({ dropped: 1, subscribers: SUBSCRIBERS - 1 })
    // What it held is let go with it.
    const { reason, error } = await stuckServed.connection.closed
    expect(reason).toEqual({ kind: 'aborted' })
    expect(error).toBeInstanceOf(SlowConsumerError)
    expect(stuckServed.subscription).toMatchObject({ size: 0, dropped: 1 })
    expect(await wasReset(stuck.socket)).toBe(true)
    expect(stuck).toMatchObject({ gaps: 0, broken: 0 })

    for (let n = 0; n < CAPACITY; n++) broadcaster.publish(messageOf(broadcaster.published))
    await allReceived(broadcaster, audience)
    expect(fastServed.every(({ subscription }) => subscription.dropped === 0)).toBe(true)
    expect(server.stats).toMatchObject({ open: SUBSCRIBERS - 1, closedBy: { aborted: 1 } })
  },
  { timeoutMs },
)
