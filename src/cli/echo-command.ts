/** The flags of `standpipe echo`. What it does is loaded when it is done. */
import { Option, type Command } from 'commander'
import { DEFAULT_PREFIX } from '../server/line-echo.js'
import { DEFAULT_HOST } from '../server/listen.js'
import { parseBlocks, parsePort } from './address.js'
import { addFlags, durationFlag, flag } from './environment.js'
import { parseListenAddress, parseMode, type ListenAddress } from './listen-address.js'
import { LOG_FORMATS, LOG_LEVELS } from './logging.js'
import { parseCount, parseSize } from './units.js'
import type { EchoFlags } from './run-echo.js'
import { UsageError } from './usage-error.js'

const DEFAULT_PORT = 8888

const AFTER_HELP = `
The first SIGINT or SIGTERM stops it: what was received is answered, within the grace. A second cuts at once.
fd:3 is a listening socket that the process was started with; systemd is the one of its .socket unit, systemd:NAME the
one with that FileDescriptorName.
A duration is 500ms, 5s, 2m or 1h; off switches a timeout off.

Examples:
  standpipe echo
  standpipe echo 0.0.0.0:9000 --idle-timeout 10m
  standpipe echo unix:/run/echo.sock --mode 660 --prefix ''
  systemd-socket-activate -l 8888 standpipe echo systemd`

interface WhereFlags {
  host?: string
  port?: number
}

/** Adds `echo` to the program. */
export function defineEcho(program: Command): void {
  const timeout = (name: string, description: string, byDefault: string): Option =>
    durationFlag(name, description, byDefault, { off: true })
  const command = program
    .command('echo')
    .summary('run the line-echo server')
    .description('Answers each line with a prefix and the line.')
    .argument(
      '[address...]',
      'where to listen: HOST:PORT, :PORT, [::1]:PORT, unix:PATH, fd:3 or systemd',
    )
    .addHelpText('after', AFTER_HELP)
    .action(async (words: string[], flags: EchoFlags & WhereFlags) => {
      const address = chooseAddress(words, flags, command)
      if (flags.mode !== undefined && !('path' in address)) {
        throw new UsageError('--mode is for a Unix socket', 'Listen on unix:PATH, or leave it out.')
      }
      const { runEcho } = await import('./run-echo.js')
      process.exitCode = await runEcho(address, flags)
    })
  addFlags(command, [
    flag('--host <host>', 'the interface to listen on; 0.0.0.0 or :: for every one', String, {
      value: DEFAULT_HOST,
      shown: DEFAULT_HOST,
    }),
    flag('--port <port>', 'the port to listen on; 0 for any that is free', parsePort, {
      value: DEFAULT_PORT,
      shown: String(DEFAULT_PORT),
    }),
    flag('--mode <octal>', 'the permissions of a Unix socket, such as 660', parseMode),
    new Option('--prefix <text>', 'what each reply begins with').default(DEFAULT_PREFIX),
    flag('--limit <size>', 'the longest line; a longer one is refused', parseSize, {
      value: 65_536,
      shown: '64k',
    }),
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
    timeout('--idle-timeout', 'for a peer that is silent', '1h'),
    timeout('--message-timeout', 'for a line that has begun', '30s'),
    timeout('--write-timeout', 'for a peer that takes nothing of a reply', '5m'),
    timeout('--half-closed-timeout', 'for a peer to end when we have ended our half', '10s'),
    durationFlag('--grace', 'for what was received to be answered at a stop', '10s', {
      zero: true,
    }),
    durationFlag('--drain-delay', 'go on accepting for so long at a stop', '0s', { zero: true }),
    new Option('--log-level <level>', 'what is logged').choices(LOG_LEVELS).default('info'),
    new Option('--log <format>', 'how (default: pretty on a terminal, else json)').choices(
      LOG_FORMATS,
    ),
    new Option('--json', 'say where it listens as one JSON object on standard output'),
  ])
}

function chooseAddress(
  words: readonly string[],
  flags: WhereFlags,
  command: Command,
): ListenAddress {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT } = flags
  if (words.length === 0) return { host, port }
  const name = ['host', 'port'].find((one) => command.getOptionValueSource(one) === 'cli')
  if (name === undefined) return parseListenAddress(words, process.env)
  throw new UsageError(
    `'${words.join(' ')}' and --${name} both say where to listen`,
    'Give either an address, or --host and --port.',
  )
}
