/**
 * Connects to whichever of several addresses answers first, after RFC 8305 ("Happy Eyeballs").
 *
 *     0 ms    first address ──────────────────────────── (a black hole)
 *     250 ms      second address ── refused
 *     262 ms                        third address ── connected: the others are destroyed
 *
 * No attempt is given up for being slow, as Node's own race does (NodeJS `autoSelectFamily`): it goes on until
 * one has won, all have failed, or the race is cancelled. The race knows no deadline, no names and no words.
 *
 * Invariant: when it is over no socket but the winner's is left, and none of its listeners on that.
 */
import net from 'node:net'
import type { Address } from '../protocol/connection.js'
import type { Clock } from '../concurrency/clock.js'

/** After so long without an answer the next address is tried as well: the delay that RFC 8305 recommends. */
export const STAGGER_MS = 250

/** One address that is being tried, or was. */
export interface RaceAttempt {
  readonly address: Address
  readonly startedAt: number
  /** What ended it, and when; undefined while it is under way. */
  failure: { readonly error: unknown; readonly at: number } | undefined
}

/** Who is told how the race ended: one of the two, once, and neither after `cancel()`. */
export interface RaceHost {
  /** In the same turn as the socket's `connect`: from here on the socket is the host's. */
  won(socket: net.Socket): void
  /** Every address has failed. */
  lost(): void
}

/** An attempt and its socket. */
interface Runner {
  readonly socket: net.Socket
  readonly onConnect: () => void
  readonly onError: (error: Error) => void
}

export class Race {
  readonly #addresses: readonly Address[]
  readonly #clock: Clock
  readonly #connect: (address: Address) => net.Socket
  readonly #host: RaceHost
  readonly #attempts: RaceAttempt[] = []
  readonly #runners = new Set<Runner>()
  #timer: unknown
  #isOver = false

  /** @param connect Begins to connect, and gives the socket at once. */
  constructor(
    addresses: readonly Address[],
    clock: Clock,
    connect: (address: Address) => net.Socket,
    host: RaceHost,
  ) {
    this.#addresses = addresses
    this.#clock = clock
    this.#connect = connect
    this.#host = host
  }

  /** Every address that was tried, in order. */
  get attempts(): readonly RaceAttempt[] {
    return this.#attempts
  }

  /** The addresses whose turn has not come. */
  get untried(): readonly Address[] {
    return this.#addresses.slice(this.#attempts.length)
  }

  /** Tries the first address. */
  start(): void {
    this.#tryNext()
  }

  /** Ends every attempt; the host hears no more. */
  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopStagger()
    for (const { socket, onConnect, onError } of this.#runners) {
      socket.removeListener('connect', onConnect)
      // An attempt that is under way may still report its end.
      socket.on('error', ignore)
      socket.removeListener('error', onError)
      socket.destroy()
    }
    this.#runners.clear()
  }

  #tryNext(): void {
    const address = this.#addresses[this.#attempts.length]
    if (address === undefined) return
    const attempt: RaceAttempt = { address, startedAt: this.#clock.now(), failure: undefined }
    this.#attempts.push(attempt)
    this.#stopStagger()
    if (this.#attempts.length < this.#addresses.length) {
      this.#timer = this.#clock.setTimeout(() => {
        this.#tryNext()
      }, STAGGER_MS)
    }
    let socket: net.Socket
    try {
      socket = this.#connect(address)
    } catch (error) {
      this.#failed(attempt, error)
      return
    }
    const runner: Runner = {
      socket,
      onConnect: () => {
        this.#forget(runner)
        this.cancel()
        this.#host.won(socket)
      },
      onError: (error) => {
        this.#forget(runner)
        this.#failed(attempt, error)
      },
    }
    this.#runners.add(runner)
    socket.on('connect', runner.onConnect)
    socket.on('error', runner.onError)
  }

  #failed(attempt: RaceAttempt, error: unknown): void {
    attempt.failure = { error, at: this.#clock.now() }
    if (this.#attempts.length < this.#addresses.length) {
      this.#tryNext()
    } else if (this.#runners.size === 0) {
      this.#isOver = true
      this.#host.lost()
    }
  }

  #forget(runner: Runner): void {
    this.#runners.delete(runner)
    runner.socket.removeListener('connect', runner.onConnect)
    runner.socket.removeListener('error', runner.onError)
  }

  #stopStagger(): void {
    if (this.#timer === undefined) return
    this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/**
 * The addresses with their families taking turns, beginning with that of the first: RFC 8305, section 4. The
 * resolver knows the routes and puts IPv6 first where there is one; one broken family then costs one stagger.
 */
export function interleaveFamilies(addresses: readonly string[]): string[] {
  const isFirstFamily = (address: string): boolean =>
    net.isIPv6(address) === net.isIPv6(addresses[0] ?? '')
  const ours = addresses.filter(isFirstFamily)
  const others = addresses.filter((address) => !isFirstFamily(address))
  const turns = Array.from({ length: Math.max(ours.length, others.length) }, (_, i) => [
    ...ours.slice(i, i + 1),
    ...others.slice(i, i + 1),
  ])
  return turns.flat()
}

function ignore(): void {}
