/**
 * Addresses as people write them: `HOST PORT`, `HOST:PORT`, `:PORT`, `PORT`, `[::1]:PORT`, `unix:PATH`.
 *
 * It looks nothing up and dials nothing. A host may be any text here: whether it exists is found out later.
 */
import { isIPv6 } from 'node:net'
import type { Address } from '../protocol/connection.js'
import { AddressList } from '../server/admission.js'
import { UsageError } from './usage-error.js'

/** What `:PORT` means, to listen and to connect. */
const LOOPBACK = '127.0.0.1'
const EXAMPLES = 'Write HOST:PORT, :PORT, [::1]:PORT or unix:PATH.'

/**
 * Parses the words that stand for one address.
 * @throws UsageError naming the value and what to write instead
 */
export function parseAddress(words: readonly string[]): Address {
  const [first = '', second, ...rest] = words
  if (second === undefined) return parseOne(first)
  if (rest.length > 0) {
    throw new UsageError(`'${words.join(' ')}' is more than one address`, 'Write one HOST:PORT.')
  }
  if (/^(?:unix|tls):/.test(first) || /^\d+$/.test(first) || /^:\d+$/.test(first)) {
    throw new UsageError(`'${words.join(' ')}' is more than one address`, 'Write one of the two.')
  }
  return { host: parseHost(first, words.join(' ')), port: parsePort(second) }
}

/**
 * A port as people write it, 0 included.
 * @throws UsageError unless it is a whole number from 0 to 65535
 */
export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new UsageError(`'${text}' is no port`, 'Write a number from 0 to 65535.')
  }
  return port
}

function parseOne(text: string): Address {
  if (text.startsWith('unix:')) return { path: parsePath(text) }
  if (text.startsWith('tls:')) {
    throw new UsageError(`'${text}': TLS is not available yet`, 'Write HOST:PORT for plain TCP.')
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    throw new UsageError(`'${text}' is a URL, and an address is wanted`, EXAMPLES)
  }
  if (text === '') throw new UsageError(`'' is no address`, EXAMPLES)
  if (/^\d+$/.test(text)) return { host: LOOPBACK, port: parsePort(text) }
  const colon = text.lastIndexOf(':')
  const isBracketed = text.startsWith('[')
  if (colon < 0 || (isBracketed && text.endsWith(']'))) {
    throw new UsageError(`'${text}' has no port`, `Write ${text}:8888.`)
  }
  const host = text.slice(0, colon)
  const port = text.slice(colon + 1)
  if (host === '') return { host: LOOPBACK, port: parsePort(port) }
  if (host.includes(':') && !isBracketed) {
    const readings = [
      ...(isIPv6(host) ? [`[${host}]:${port}`] : []),
      ...(isIPv6(text) ? [`[${text}]:PORT`] : []),
    ]
    const hint = readings.length === 0 ? EXAMPLES : `Write ${readings.join(' or ')}.`
    throw new UsageError(`'${text}' has more than one colon and no brackets`, hint)
  }
  return { host: parseHost(host, text), port: parsePort(port) }
}

function parseHost(host: string, text: string): string {
  const bare = /^\[([^[\]]*)\]$/.exec(host)?.[1] ?? host
  if (bare === '' || /[\s[\]/]/.test(bare) || (bare !== host && !bare.includes(':'))) {
    throw new UsageError(`'${text}' has no valid host`, EXAMPLES)
  }
  return bare
}

function parsePath(text: string): string {
  const path = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '')
  if (path === '') throw new UsageError(`'${text}' has no path`, 'Write unix:/run/echo.sock.')
  return path
}

/**
 * Addresses and CIDR blocks with commas between them: `10.0.0.0/8,::1`.
 * @throws UsageError when one is none
 */
export function parseBlocks(text: string): string[] {
  const blocks = text.split(',').map((block) => block.trim())
  for (const block of blocks) {
    try {
      void new AddressList('allow', [block])
    } catch {
      throw new UsageError(
        `'${block}' is no address and no block of addresses`,
        'Write one or several with commas: 10.0.0.0/8,::1.',
      )
    }
  }
  return blocks
}
