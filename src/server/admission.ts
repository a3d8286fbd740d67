/**
 * Who is let in: a cap on connections, a cap for each address, and lists of addresses. It decides and counts,
 * and has no sockets; what becomes of those that are refused is the business of refusals.ts.
 *
 * Invariant: each `admit` that gave no reason is followed by exactly one `release` of the same address, and in
 * between the connection counts.
 */
import net from 'node:net'
import type { Descriptors } from './descriptors.js'

/**
 * Why a connection was refused: the server has as many as it may have, or as many from that address; the
 * address is on the list `deny`, or not on the list `allow`; or nobody takes the connections out of the iteration.
 */
export type RefusalReason =
  'max-connections' | 'max-per-address' | 'denied' | 'not-allowed' | 'backlog-full'

export interface AdmissionOptions {
  /**
   * How many connections there may be at once, those that linger included; `Infinity` for no cap.
   * @default 80 % of the descriptors that are free at the start, but at least 1 and at most 1024
   */
  maxConnections?: number | undefined
  /** How many there may be from one address. Unix sockets have no addresses. @default no cap */
  maxConnectionsPerAddress?: number | undefined
  /** Addresses (`::1`) and CIDR blocks (`10.0.0.0/8`) that alone are let in; an empty list lets nobody in. @default all */
  allow?: readonly string[] | undefined
  /** Addresses and CIDR blocks that are not let in, also where `allow` has them. @default none */
  deny?: readonly string[] | undefined
}

const DEFAULT_MAX_CONNECTIONS = 1024
/** The share of the free descriptors that connections may take. The rest is for what the program opens besides. */
const SHARE = 0.8
/** How many refused connections may linger at once. */
const MAX_LINGERING_REFUSALS = 64

/** Decides on each connection. */
export class Admission {
  /** The cap that is in force. */
  readonly maxConnections: number
  /** How many refused connections may linger: they take descriptors, too. */
  readonly maxLingeringRefusals: number
  /** What an operator should know at the start, with its numbers: the cap is lower, or higher, than would be well. */
  readonly warning: { readonly fields: object; readonly message: string } | undefined

  readonly #maxPerAddress: number
  readonly #allow: AddressList | undefined
  readonly #deny: AddressList | undefined
  readonly #open = new Map<string, number>()
  #size = 0

  /**
   * @param descriptors What the process has at the start; undefined where it is not known to have a limit.
   * @throws RangeError for a cap that is no whole number above 0, and for a block that is none
   * @throws TypeError for a list that is no array of strings
   */
  constructor(options: AdmissionOptions, descriptors: Descriptors | undefined) {
    const { maxConnections, maxConnectionsPerAddress = Infinity } = options
    checkCap('maxConnections', maxConnections)
    checkCap('maxConnectionsPerAddress', maxConnectionsPerAddress)
    const free = descriptors === undefined ? Infinity : descriptors.limit - descriptors.open
    this.maxConnections = maxConnections ?? defaultCap(free)
    const spare = this.maxConnections === Infinity ? free * (1 - SHARE) : free - this.maxConnections
    // Half of what connections leave: the rest is the program's.
    this.maxLingeringRefusals = Math.max(1, Math.min(MAX_LINGERING_REFUSALS, Math.floor(spare / 2)))
    this.warning = warningOf(maxConnections, this.maxConnections, descriptors)
    this.#maxPerAddress = maxConnectionsPerAddress
    this.#allow = options.allow === undefined ? undefined : new AddressList('allow', options.allow)
    this.#deny = options.deny === undefined ? undefined : new AddressList('deny', options.deny)
  }

  /** How many were admitted and not released. */
  get size(): number {
    return this.#size
  }

  /**
   * Lets a connection in, which then counts, and gives undefined; or gives the reason why it is refused.
   * `host` is the peer's address as the socket tells it. Without one (a Unix socket) the rules for addresses
   * do not apply; on TCP an unknown address (`'unknown'`: the peer has reset the connection before it was
   * accepted) is on no list and counts for none.
   */
  admit(host: string | undefined): RefusalReason | undefined {
    const address = this.#addressOf(host)
    if (address !== undefined) {
      if (this.#deny?.has(address) === true) return 'denied'
      if (this.#allow?.has(address) === false) return 'not-allowed'
    }
    if (this.#size >= this.maxConnections) return 'max-connections'
    if (this.#isCounted(address)) {
      const open = this.#open.get(address) ?? 0
      if (open >= this.#maxPerAddress) return 'max-per-address'
      this.#open.set(address, open + 1)
    }
    this.#size++
    return undefined
  }

  /** A connection that was admitted is gone. */
  release(host: string | undefined): void {
    this.#size--
    const address = this.#addressOf(host)
    if (!this.#isCounted(address)) return
    const open = this.#open.get(address) ?? 0
    if (open > 1) this.#open.set(address, open - 1)
    else this.#open.delete(address)
  }

  /** The address that rules apply to; undefined where there are none, or nothing for them to apply to. */
  #addressOf(host: string | undefined): string | undefined {
    const hasRules =
      this.#allow !== undefined || this.#deny !== undefined || this.#maxPerAddress !== Infinity
    return hasRules && host !== undefined ? normalizeAddress(host) : undefined
  }

  #isCounted(address: string | undefined): address is string {
    return this.#maxPerAddress !== Infinity && address !== undefined && net.isIP(address) !== 0
  }
}

/** What a default cap is with so many descriptors free. */
export function defaultCap(freeDescriptors: number): number {
  return Math.max(1, Math.min(DEFAULT_MAX_CONNECTIONS, Math.floor(freeDescriptors * SHARE)))
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** One spelling for one peer: an IPv4 address that an IPv6 socket reports is IPv4, and the zone is left out. */
export function normalizeAddress(host: string): string {
  const mapped = MAPPED.exec(host)?.[1]
  if (mapped !== undefined) return mapped
  const zoneAt = host.indexOf('%')
  return zoneAt === -1 ? host : host.slice(0, zoneAt)
}

/** Addresses and blocks. Two lists, because Node's own matches an IPv4 address with `::/0`. */
export class AddressList {
  readonly #ipv4 = new net.BlockList()
  readonly #ipv6 = new net.BlockList()

  /** @throws RangeError for a block that is none, TypeError for a list that is no array of strings */
  constructor(option: 'allow' | 'deny', blocks: readonly string[]) {
    if (!Array.isArray(blocks)) {
      throw new TypeError(`${option} must be an array of addresses, not ${typeof blocks}`)
    }
    for (const block of blocks as readonly unknown[]) this.#add(option, block)
  }

  /** Whether the address, as `normalizeAddress` spells it, is in one of the blocks. */
  has(address: string): boolean {
    switch (net.isIP(address)) {
      case 4:
        return this.#ipv4.check(address, 'ipv4')
      case 6:
        return this.#ipv6.check(address, 'ipv6')
      default:
        return false
    }
  }

  #add(option: string, block: unknown): void {
    if (typeof block !== 'string') {
      throw new TypeError(`${option} must be an array of strings, not of ${typeof block}`)
    }
    const [, host = '', bitsText] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(block) ?? []
    const isIPv6 = net.isIP(host) === 6
    const maxBits = isIPv6 ? 128 : 32
    const bits = bitsText === undefined ? maxBits : Number(bitsText)
    if (net.isIP(host) === 0 || bits > maxBits) {
      throw new RangeError(
        `${option} must hold addresses such as ::1 or blocks such as 10.0.0.0/8, not ${JSON.stringify(block)}`,
      )
    }
    const mapped = bits >= 96 ? MAPPED.exec(host)?.[1] : undefined
    if (mapped !== undefined) this.#ipv4.addSubnet(mapped, bits - 96, 'ipv4')
    else if (isIPv6) this.#ipv6.addSubnet(host, bits, 'ipv6')
    else this.#ipv4.addSubnet(host, bits, 'ipv4')
  }
}

function checkCap(name: string, value: number | undefined): void {
  if (value === undefined || value === Infinity) return
  if (!(Number.isInteger(value) && value >= 1)) {
    throw new RangeError(`${name} must be a whole number above 0, or Infinity, not ${value}`)
  }
}

function warningOf(
  wanted: number | undefined,
  cap: number,
  descriptors: Descriptors | undefined,
): Admission['warning'] {
  if (descriptors === undefined) return undefined
  const { limit, open } = descriptors
  const fields = { maxConnections: cap, descriptorLimit: limit, descriptorsOpen: open }
  const numbers = `this process may have ${limit} descriptors, and has ${open} open`
  if (wanted === undefined) {
    if (cap === DEFAULT_MAX_CONNECTIONS) return undefined
    const message = `at most ${cap} connections instead of ${DEFAULT_MAX_CONNECTIONS}: ${numbers}. Raise the limit (ulimit -n)`
    return { fields, message }
  }
  if (wanted <= limit - open) return undefined
  const what = wanted === Infinity ? 'connections are not capped' : `maxConnections is ${wanted}`
  const message = `${what}, but ${numbers}: connections beyond that are lost in silence. Raise the limit (ulimit -n), or lower maxConnections`
  return { fields, message }
}
