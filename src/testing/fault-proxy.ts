/**
 * A TCP proxy that misbehaves as it is told to: it stands between a client and its server in a test, and delays,
 * slices, throttles, cuts, resets or swallows what passes, while it passes.
 *
 * It is made of the kit itself: a server, a client, and between them a relay for each connection. Without faults
 * everything passes as it is: bytes, half-closes, resets. What it keeps is bounded, so that a sender feels a slow
 * receiver through it. Draws come from a seed, and time from a clock, so that a run can be had again.
 */
import { openConnection } from '../client/open-connection.js'
import { checkCount } from '../concurrency/check-count.js'
import type { WaitOptions } from '../concurrency/abort.js'
import type { Clock } from '../concurrency/clock.js'
import { unobserved } from '../concurrency/deferred.js'
import { watchUnawaited } from '../concurrency/unawaited.js'
import { resolveLogger } from '../logger.js'
import {
  describeAddress,
  type Address,
  type Connection,
  type TcpAddress,
  type UnixAddress,
} from '../protocol/connection.js'
import { CLIENT_DEADLINES } from '../protocol/deadlines.js'
import { countDescriptors } from '../server/descriptors.js'
import { startServer, type Server, type StopReport } from '../server/start-server.js'
import { ActiveFault } from './active-fault.js'
import {
  connectionPair,
  type ConnectionPair,
  type ConnectionPairOptions,
} from './connection-pair.js'
import {
  checkOptions,
  checkServerOptions,
  type FaultProxyOptions,
  type FaultProxyServerOptions,
} from './fault-proxy-options.js'
import { FaultRelay } from './fault-relay.js'
import {
  FaultTally,
  type FaultProxyConnection,
  type FaultProxyEvent,
  type FaultProxyStats,
} from './fault-tally.js'
import type { Fault, FaultKind, FaultOf } from './fault.js'
import { proxyCap } from './proxy-cap.js'

/** Those of a proxy that listens, checked. */
interface ServerOptions extends FaultProxyServerOptions {
  readonly target: Address
  readonly maxConnections: number
}

/** What a proxy that has no server reports of its stop. */
const NOTHING_STOPPED: StopReport = { drained: 0, aborted: 0, stragglers: [], durationMs: 0 }

/**
 * The proxy. {@link FaultProxy.start} gives one that listens; one that is made with `new` has no network, and relays
 * between connections that it is given.
 */
export class FaultProxy<Where extends Address = Address> {
  /** What decides every draw: given again, with the same connections, it makes the same ones. */
  readonly seed: number
  readonly #clock: Clock
  readonly #maxHeldBytes: number
  readonly #onEvent: (event: FaultProxyEvent) => void
  readonly #tally: FaultTally
  readonly #faults = new Set<ActiveFault>()
  readonly #relays = new Map<FaultRelay, Promise<void>>()
  #lastFault = 0
  #lastConnection = 0

  #serverOptions: ServerOptions | undefined
  /** Undefined without a network, and while it is down. */
  #server: Server | undefined
  #address: Address | undefined
  /** Ends the dialling of targets; renewed when the proxy comes up. */
  #dialling = new AbortController()
  /** The changes between up and down, one after the other. */
  #transition: Promise<void> = Promise.resolve()
  #stopping: Promise<StopReport> | undefined

  /**
   * @throws RangeError for a `seed` that is no whole number, and a `maxHeldBytes` that is not one above 0
   * @throws TypeError, RangeError for a fault, or an option, that makes no sense
   */
  constructor(options: FaultProxyOptions = {}) {
    const { faults, seed, clock, maxHeldBytes, onEvent } = checkOptions(options)
    this.seed = seed
    this.#clock = clock
    this.#maxHeldBytes = maxHeldBytes
    this.#onEvent = onEvent
    this.#tally = new FaultTally(clock)
    for (const fault of faults) this.#enforce(fault)
  }

  /**
   * Listens, and leads each connection to the target.
   *
   * ```ts
   * await using proxy = await FaultProxy.start({ target: { port: server.address.port } })
   * const slow = proxy.add({ kind: 'latency', latencyMs: 100, direction: 'toClient' })
   * await using connection = await openConnection(proxy.address)
   * ```
   *
   * A client whose target cannot be connected to is reset.
   *
   * @throws ListenError when it cannot listen
   * @throws TypeError, RangeError for options that make no sense
   * @throws the signal's reason when it aborts first; nothing listens then
   */
  static start(
    options: FaultProxyServerOptions & { path?: undefined },
  ): Promise<FaultProxy<TcpAddress>>
  static start(
    options: FaultProxyServerOptions & { path: string },
  ): Promise<FaultProxy<UnixAddress>>
  static start(options: FaultProxyServerOptions): Promise<FaultProxy>
  static async start(options: FaultProxyServerOptions): Promise<FaultProxy> {
    const target = checkServerOptions(options)
    // Not by its own name: what is built would then call the class otherwise.
    const proxy = new this(options)
    const { maxConnections, warning } = proxyCap(options.maxConnections, countDescriptors())
    proxy.#serverOptions = { ...options, target, maxConnections }
    await proxy.#listen(proxy.#serverOptions)
    if (warning !== undefined) resolveLogger(options.logger).warn(warning.fields, warning.message)
    if (proxy.#isDown) await proxy.faultChanged()
    return proxy
  }

  /**
   * Where it listens, also while it is down.
   * @throws TypeError for a proxy without a network
   */
  get address(): Where {
    if (this.#address === undefined) {
      throw new TypeError('this proxy does not listen; FaultProxy.start() makes one that does')
    }
    return this.#address as Where
  }

  /** The faults that are in force, in the order in which they were added. */
  get faults(): readonly ActiveFault[] {
    return [...this.#faults]
  }

  /** The fault in force that has this name. */
  fault(name: string): ActiveFault | undefined {
    return this.faults.find((fault) => fault.name === name)
  }

  get stats(): FaultProxyStats {
    return this.#tally.stats
  }

  /** The connections that lead to the target now, the oldest first; copies. Those that still dial it are not among them. */
  get connections(): readonly FaultProxyConnection[] {
    return [...this.#relays.keys()].map((relay) => relay.snapshot)
  }

  /**
   * Waits until the condition holds, and gives the numbers for which it did. It is asked at once, and whenever one of
   * them has changed; it looks and does not wait. `timeoutMs` is of the proxy's clock.
   *
   * ```ts
   * const hole = proxy.add({ kind: 'black-hole' })
   * await proxy.until(() => hole.applied > 0)
   * ```
   *
   * @throws TimeoutError (phase `call`) after `timeoutMs`, with the numbers
   * @throws the signal's reason when it aborts, also if it has before
   * @throws what the condition throws; TypeError for one that is no function, or an async one
   * @throws RangeError for a `timeoutMs` that is not above 0
   */
  until(
    condition: (stats: FaultProxyStats) => boolean,
    options: WaitOptions = {},
  ): Promise<FaultProxyStats> {
    return watchUnawaited(this.#tally.until(condition, options), 'FaultProxy.until()')
  }

  /**
   * Puts a fault in force, for open connections too. Several of a kind act together: latencies add up, the lowest
   * bandwidth and the smallest slice count.
   *
   * @throws TypeError, RangeError for a fault that makes no sense
   * @throws TypeError for a name that another fault in force has
   */
  add<Kind extends FaultKind>(
    fault: FaultOf<Kind> & { readonly kind: Kind },
  ): ActiveFault<FaultOf<Kind>> {
    const active = this.#enforce(fault)
    void this.faultChanged()
    return active
  }

  /** Removes every fault. Resolves, and rejects, as `ActiveFault.remove()`. */
  async clear(): Promise<void> {
    await Promise.all(this.faults.map((fault) => fault.remove()))
  }

  /** Resolves when `down`, or its end, has taken effect; every other fault takes effect at once. Rejects as `remove()`. */
  settled(): Promise<void> {
    return this.#transition
  }

  /**
   * Leads one connection to another through the faults, and resolves when both are closed. The proxy owns both
   * from now on. For connections of your own making, in memory or not.
   */
  async relay(client: Connection, target: Connection): Promise<void> {
    await this.#relay(this.#accept(client), client, target)
  }

  /**
   * A pair of connections as `connectionPair()` makes it, with this proxy between them and on its clock.
   * `clientTransport` and `serverTransport` are what is under those two ends.
   */
  connectionPair(options: Omit<ConnectionPairOptions<Clock>, 'clock'> = {}): ConnectionPair<Clock> {
    const clock = this.#clock
    const inside = { deadlines: CLIENT_DEADLINES, logger: false } as const
    const near = connectionPair({ ...options, clock, server: inside })
    const far = connectionPair({ ...options, clock, client: inside })
    const relayed = unobserved(this.relay(near.server, far.client))
    return {
      client: near.client,
      server: far.server,
      clock,
      clientTransport: near.clientTransport,
      serverTransport: far.serverTransport,
      serve: far.serve,
      async [Symbol.asyncDispose]() {
        await Promise.all([near[Symbol.asyncDispose](), far[Symbol.asyncDispose]()])
        await relayed
      },
    }
  }

  /**
   * Resets every connection, those that still dial the target included, or the one of that number; one that has ended
   * is left alone. It goes on listening, if it does.
   *
   * @throws RangeError for a number that is not whole and above 0
   */
  abort(connection?: number): void {
    if (connection !== undefined) {
      checkCount('connection', connection)
      for (const relay of this.#relays.keys()) if (relay.number === connection) relay.reset()
      return
    }
    this.#dialling.abort()
    this.#dialling = new AbortController()
    for (const relay of this.#relays.keys()) relay.reset()
    this.#server?.abortClients()
  }

  /**
   * Stops listening, gives connections `graceMs` (10 s unless said) to end by themselves, faults and all, and resets
   * the rest. The first call counts.
   *
   * @throws RangeError for a `graceMs` that is no number, 0 or above; it then goes on
   */
  stop(options: { graceMs?: number | undefined } = {}): Promise<StopReport> {
    const { graceMs = 0 } = options
    if (!(graceMs >= 0)) {
      const message = `graceMs must be a number of milliseconds, 0 or above, not ${graceMs}`
      return Promise.reject(new RangeError(message))
    }
    this.#stopping ??= this.#stop(options.graceMs)
    return this.#stopping
  }

  /** Resets what is open and stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort()
    await this.stop({ graceMs: 0 })
  }

  /**
   * A fault was added, changed or removed.
   * @internal
   */
  faultChanged(): Promise<void> {
    for (const fault of this.#faults) if (fault.isRemoved) this.#faults.delete(fault)
    for (const relay of this.#relays.keys()) relay.faultsChanged(this.#faults)
    const followed = this.#transition.catch(ignore).then(() => this.#followDown())
    this.#transition = unobserved(followed)
    if (this.#isDown) this.#takeDown()
    return this.#transition
  }

  // ---- faults

  #enforce<Settings extends Fault>(fault: Settings): ActiveFault<Settings> {
    const active = new ActiveFault<Settings>(this.#lastFault + 1, fault, this)
    if (this.fault(active.name) !== undefined) {
      const name = JSON.stringify(active.name)
      throw new TypeError(`a fault of the name ${name} is in force; remove it, or change it`)
    }
    this.#lastFault++
    this.#faults.add(active)
    return active
  }

  get #isDown(): boolean {
    return this.#downFaults.length > 0
  }

  get #downFaults(): readonly ActiveFault[] {
    return this.faults.filter(({ kind }) => kind === 'down')
  }

  #takeDown(): void {
    for (const relay of this.#relays.keys()) relay.takeDown(this.#downFaults)
    this.abort()
  }

  /** Listens or not, as the faults are by now. */
  async #followDown(): Promise<void> {
    if (this.#serverOptions === undefined || this.#stopping !== undefined) return
    const isDown = this.#isDown
    if (isDown && this.#server !== undefined) {
      const server = this.#server
      this.#server = undefined
      await server.stop({ graceMs: 0 })
    } else if (!isDown && this.#server === undefined) {
      await this.#listen({ ...this.#serverOptions, ...this.#address, signal: undefined })
    }
  }

  // ---- connections

  async #listen(options: ServerOptions): Promise<void> {
    const { host, port, path, mode, backlog, maxConnections, signal, logger } = options
    const where = { host, port, path, mode, backlog, maxConnections, signal }
    this.#server = await startServer((client: Connection) => this.#serve(client, options), {
      ...where,
      logger,
      deadlines: CLIENT_DEADLINES,
      stopReads: false,
    })
    this.#address = this.#server.address
  }

  async #serve(client: Connection, options: ServerOptions): Promise<void> {
    const number = this.#accept(client)
    const { target: to, connectMs } = options
    const { signal } = this.#dialling
    let target: Connection
    try {
      signal.throwIfAborted()
      target = await openConnection({
        ...to,
        signal,
        logger: false,
        deadlines: { ...CLIENT_DEADLINES, connectMs },
      })
    } catch (error) {
      this.#tally.ended()
      if (!signal.aborted) {
        this.#tally.isUnreachable()
        this.#onEvent({ event: 'unreachable', connection: number, error })
      }
      client.abort()
      return
    }
    await this.#relay(number, client, target)
  }

  #accept(client: Connection): number {
    const connection = ++this.#lastConnection
    this.#tally.opened()
    this.#onEvent({ event: 'open', connection, client: describeAddress(client.remote) })
    return connection
  }

  async #relay(number: number, client: Connection, target: Connection): Promise<void> {
    const relay = new FaultRelay(client, target, {
      number,
      seed: this.seed,
      clock: this.#clock,
      maxHeldBytes: this.#maxHeldBytes,
      tally: this.#tally,
      tell: this.#onEvent,
    })
    const running = relay.run()
    this.#relays.set(relay, running)
    try {
      relay.faultsChanged(this.#faults)
      if (this.#isDown) {
        relay.takeDown(this.#downFaults)
      } else if (this.#stopping !== undefined && this.#server === undefined) {
        relay.reset()
      }
      await running
    } finally {
      this.#relays.delete(relay)
      this.#tally.ended()
    }
  }

  async #stop(graceMs: number | undefined): Promise<StopReport> {
    await this.#transition.catch(ignore)
    const report = (await this.#server?.stop({ graceMs })) ?? NOTHING_STOPPED
    this.#server = undefined
    this.abort()
    await Promise.allSettled(this.#relays.values())
    // At the end of the grace the server does not wait for the other ends of what it aborts; here they have ended, too.
    return { ...report, stragglers: [] }
  }
}

function ignore(): void {}
