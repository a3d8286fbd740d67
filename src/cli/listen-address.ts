/**
 * Where a server of the command line listens: an address, or a socket that was handed down by its number (`fd:3`)
 * or as systemd names it (`systemd`, `systemd:NAME`).
 */
import type { Address } from '../protocol/connection.js'
import { activatedSockets, type ActivatedSocket } from '../server/socket-activation.js'
import { parseAddress } from './address.js'
import { UsageError } from './usage-error.js'

/** An address, or a socket that another process has opened. */
export type ListenAddress = Address | { readonly fd: number }

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Parses the words that say where to listen.
 * @throws UsageError naming the value and what to write instead
 */
export function parseListenAddress(words: readonly string[], env: Environment): ListenAddress {
  const [word = '', ...more] = words
  const isDescriptor = word.startsWith('fd:')
  if (!isDescriptor && !/^systemd(?::|$)/.test(word)) return parseAddress(words)
  if (more.length > 0) {
    throw new UsageError(`'${words.join(' ')}' is more than one address`, 'Write one of the two.')
  }
  return { fd: isDescriptor ? parseDescriptor(word) : activated(word, env).fd }
}

/**
 * The permissions of a Unix socket, in octal as chmod takes them.
 * @throws UsageError unless it is a number from 0 to 777
 */
export function parseMode(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text) || parseInt(text, 8) > 0o777) {
    throw new UsageError(`'${text}' is no mode of a file`, 'Write three octal digits: 660.')
  }
  return parseInt(text, 8)
}

function parseDescriptor(word: string): number {
  const number = word.slice('fd:'.length)
  if (!/^\d{1,7}$/.test(number)) {
    throw new UsageError(`'${word}' names no descriptor`, 'Write fd:3 or another number.')
  }
  return Number(number)
}

function activated(word: string, env: Environment): ActivatedSocket {
  const sockets = socketsOf(env)
  const name = word.slice('systemd:'.length)
  const found = word === 'systemd' ? sockets[0] : sockets.find((one) => one.name === name)
  if (found !== undefined) return found
  if (sockets.length === 0) {
    throw new UsageError(
      `'${word}': no socket was handed to this process`,
      'Start it from a .socket unit, or with systemd-socket-activate.',
    )
  }
  const names = sockets.map((one) => one.name ?? `fd:${one.fd}`).join(', ')
  throw new UsageError(`'${word}': no socket of that name was handed down`, `There is ${names}.`)
}

function socketsOf(env: Environment): ActivatedSocket[] {
  try {
    return activatedSockets(env)
  } catch (error) {
    throw new UsageError((error as RangeError).message, 'The variables are set by systemd.')
  }
}
