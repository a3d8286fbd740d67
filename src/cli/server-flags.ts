/** The flags that every server of the command line has, and what they are as options of a server. */
import { Option, type Command } from 'commander'
import { DEFAULT_HOST } from '../protocol/address.js'
import type { ServerOptions } from '../server/start-server.js'
import { parseBlocks, parsePort } from './address.js'
import { durationFlag, flag } from './environment.js'
import { parseListenAddress, parseMode, type ListenAddress } from './listen-address.js'
import { LOG_FORMATS, LOG_LEVELS, type LogFlags } from './logging.js'
import { parseCount } from './units.js'
import { UsageError } from './usage-error.js'

/** The flags of a server; times in milliseconds, Infinity for a guard that is off. */
export interface ServerFlags extends LogFlags {
  /** The permissions of a Unix socket. */
  mode?: number
  maxConnections?: number
  maxPerAddress?: number
  allow?: readonly string[]
  deny?: readonly string[]
  idleTimeout: number
  messageTimeout: number
  writeTimeout: number
  halfClosedTimeout: number
  grace: number
  drainDelay: number
  json?: boolean
}

/** What a command says of the flags that it shares with others. */
export interface ServerFlagDefaults {
  port: number
  idleTimeout: string
  writeTimeout: string
  /** What `--message-timeout` is for. */
  message: string
  /** What is done at a stop within the grace. */
  grace: string
}

/** What a command says of its argument. */
export const ADDRESS_HELP =
  'where to listen: HOST:PORT, :PORT, [::1]:PORT, unix:PATH, fd:3 or systemd'

/** What a command says below its flags. */
export const SERVER_HELP = `fd:3 is a listening socket that the process was started with; systemd is the one of its .socket unit, systemd:NAME the
one with that FileDescriptorName.
A duration is 500ms, 5s, 2m or 1h; off switches a timeout off.`

/** Where a server listens. */
export function whereFlags({ port }: ServerFlagDefaults): Option[] {
  return [
    flag('--host <host>', 'the interface to listen on; 0.0.0.0 or :: for every one', String, {
      value: DEFAULT_HOST,
      shown: DEFAULT_HOST,
    }),
    flag('--port <port>', 'the port to listen on; 0 for any that is free', parsePort, {
      value: port,
      shown: String(port),
    }),
    modeFlag(),
  ]
}

export function modeFlag(): Option {
  return flag('--mode <octal>', 'the permissions of a Unix socket, such as 660', parseMode)
}

/** @throws UsageError when `--mode` is given for what is no Unix socket */
export function checkMode(mode: number | undefined, address: ListenAddress): void {
  if (mode === undefined || 'path' in address) return
  throw new UsageError('--mode is for a Unix socket', 'Listen on unix:PATH, or leave it out.')
}

/** Whom it lets in, how long it waits for them, how it stops, and what it tells. */
export function guardFlags({
  idleTimeout,
  writeTimeout,
  message,
  grace,
}: ServerFlagDefaults): Option[] {
  const timeout = (name: string, description: string, byDefault: string): Option =>
    durationFlag(name, description, byDefault, { off: true })
  return [
    flag(
      '--max-connections <count>',
      'connections at once (default: what descriptors allow)',
      parseCount,
    ),
    flag(
      '--max-per-address <count>',
      'connections at once of one address (default: off)',
      parseCount,
    ),
    flag('--allow <blocks>', 'let in these alone: 10.0.0.0/8,::1', parseBlocks),
    flag('--deny <blocks>', 'keep these out, also where --allow has them', parseBlocks),
    timeout('--idle-timeout', 'for a peer that is silent', idleTimeout),
    timeout('--message-timeout', message, '30s'),
    timeout('--write-timeout', 'for a peer that takes nothing of a reply', writeTimeout),
    timeout('--half-closed-timeout', 'for a peer to end when we have ended our half', '10s'),
    durationFlag('--grace', grace, '10s', { zero: true }),
    durationFlag('--drain-delay', 'go on accepting for so long at a stop', '0s', { zero: true }),
    ...logFlags(),
    new Option('--json', 'say where it listens as one JSON object on standard output'),
  ]
}

/** What a server tells, and how. */
export function logFlags(): Option[] {
  return [
    new Option('--log-level <level>', 'what is logged').choices(LOG_LEVELS).default('info'),
    new Option('--log <format>', 'how (default: pretty on a terminal, else json)').choices(
      LOG_FORMATS,
    ),
  ]
}

/**
 * Where the words or the flags of a command line say that it listens.
 * @throws UsageError when both do, when the words are no address, and when `--mode` is given for a port
 */
export function chooseAddress(
  words: readonly string[],
  flags: ServerFlags,
  command: Command,
): ListenAddress {
  const address = toAddress(words, command)
  checkMode(flags.mode, address)
  return address
}

function toAddress(words: readonly string[], command: Command): ListenAddress {
  const { host, port } = command.opts<{ host: string; port: number }>()
  if (words.length === 0) return { host, port }
  const name = ['host', 'port'].find((one) => command.getOptionValueSource(one) === 'cli')
  if (name === undefined) return parseListenAddress(words, process.env)
  throw new UsageError(
    `'${words.join(' ')}' and --${name} both say where to listen`,
    'Give either an address, or --host and --port.',
  )
}

/** The options of a server that the flags stand for. */
export function toServerOptions(
  flags: ServerFlags,
): Pick<
  ServerOptions,
  | 'mode'
  | 'maxConnections'
  | 'maxConnectionsPerAddress'
  | 'allow'
  | 'deny'
  | 'graceMs'
  | 'drainDelayMs'
> & { deadlines: NonNullable<ServerOptions['deadlines']> } {
  return {
    mode: flags.mode,
    maxConnections: flags.maxConnections,
    maxConnectionsPerAddress: flags.maxPerAddress,
    allow: flags.allow,
    deny: flags.deny,
    deadlines: {
      firstByteMs: flags.idleTimeout,
      idleMs: flags.idleTimeout,
      messageMs: flags.messageTimeout,
      writeStallMs: flags.writeTimeout,
      halfClosedMs: flags.halfClosedTimeout,
    },
    graceMs: flags.grace,
    drainDelayMs: flags.drainDelay,
  }
}
