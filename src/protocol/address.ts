/**
 * Where an end of a connection is, how that is written, and what can be a host and a port. It looks nothing up.
 */
import type { Transport } from './transport.js'

export interface TcpAddress {
  readonly host: string
  readonly port: number
}

export interface UnixAddress {
  readonly path: string
}

/** Where an end of a connection is. */
export type Address = TcpAddress | UnixAddress

/** Where is listened and dialled unless it is said. */
export const DEFAULT_HOST = '127.0.0.1'

/** @throws TypeError for what is no text, and for an empty one: Node takes that for localhost, or for every interface */
export function checkHost(host: unknown): void {
  if (typeof host === 'string' && host !== '') return
  throw new TypeError(
    `host must be an address or a name, not ${host === '' ? 'an empty string' : typeof host}`,
  )
}

/** @throws RangeError for what is no port; `least` is 0 where that stands for any that is free, else 1 */
export function checkPort(port: number | undefined, least: 0 | 1): asserts port is number {
  if (port !== undefined && Number.isInteger(port) && port >= least && port <= 65_535) return
  throw new RangeError(`port must be a whole number from ${least} to 65535, not ${port}`)
}

/** Our end, as the transport knows it; undefined where it does not (any more). A first look costs 2 µs. */
export function localAddressOf({ localAddress, localPort }: Transport): TcpAddress | undefined {
  return toTcpAddress(localAddress, localPort)
}

/** The peer's, likewise. */
export function remoteAddressOf({ remoteAddress, remotePort }: Transport): TcpAddress | undefined {
  return toTcpAddress(remoteAddress, remotePort)
}

function toTcpAddress(host: string | undefined, port: number | undefined): TcpAddress | undefined {
  return host === undefined || port === undefined ? undefined : { host, port }
}

/** `127.0.0.1:8888`, `[::1]:8888`, `unix:/run/x.sock`, or `an unknown address`. */
export function describeAddress(address: Address | undefined): string {
  if (address === undefined) return 'an unknown address'
  if ('path' in address) return `unix:${address.path}`
  return address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`
}

/** As asyncio's `get_extra_info` gives it: `[host, port]`, or the path. */
export function toAsyncioName(address: Address | undefined): unknown {
  if (address === undefined) return undefined
  return 'path' in address ? address.path : [address.host, address.port]
}
