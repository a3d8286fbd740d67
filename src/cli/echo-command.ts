/** The flags of `standpipe echo`. What it does is loaded when it is done. */
import { Option, type Command } from 'commander'
import { DEFAULT_PREFIX } from '../server/line-echo.js'
import { addFlags, flag } from './environment.js'
import type { EchoFlags } from './run-echo.js'
import {
  ADDRESS_HELP,
  chooseAddress,
  guardFlags,
  SERVER_HELP,
  whereFlags,
  type ServerFlagDefaults,
} from './server-flags.js'
import { parseSize } from './units.js'

const DEFAULTS: ServerFlagDefaults = {
  port: 8888,
  idleTimeout: '1h',
  writeTimeout: '5m',
  message: 'for a line that has begun',
  grace: 'for what was received to be answered at a stop',
}

const AFTER_HELP = `
The first SIGINT or SIGTERM stops it: what was received is answered, within the grace. A second cuts at once.
${SERVER_HELP}

Examples:
  standpipe echo
  standpipe echo 0.0.0.0:9000 --idle-timeout 10m
  standpipe echo unix:/run/echo.sock --mode 660 --prefix ''
  systemd-socket-activate -l 8888 standpipe echo systemd`

/** Adds `echo` to the program. */
export function defineEcho(program: Command): void {
  const command = program
    .command('echo')
    .summary('run the line-echo server')
    .description('Answers each line with a prefix and the line.')
    .argument('[address...]', ADDRESS_HELP)
    .addHelpText('after', AFTER_HELP)
    .action(async (words: string[], flags: EchoFlags) => {
      const address = chooseAddress(words, flags, command)
      const { runEcho } = await import('./run-echo.js')
      process.exitCode = await runEcho(address, flags)
    })
  addFlags(command, [
    ...whereFlags(DEFAULTS),
    new Option('--prefix <text>', 'what each reply begins with').default(DEFAULT_PREFIX),
    flag('--limit <size>', 'the longest line; a longer one is refused', parseSize, {
      value: 65_536,
      shown: '64k',
    }),
    ...guardFlags(DEFAULTS),
  ])
}
