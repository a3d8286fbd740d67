/** The flags of `standpipe connect`. What it does is loaded when it is done. */
import { Option, type Command } from 'commander'
import { DEFAULT_LIMIT } from '../protocol/line-style.js'
import { parseAddress } from './address.js'
import { chooseMode } from './connect-mode.js'
import { addFlags, durationFlag, flag } from './environment.js'
import type { ConnectFlags } from './run-connect.js'
import { parseRetries, parseSize } from './units.js'
import { UsageError } from './usage-error.js'

const AFTER_HELP = `
In a pipe the bytes are exact, but for --crlf. The end of the input ends our half of the connection; the answer is then
waited for, however long it takes. At a terminal a line is sent at Enter, Ctrl+D ends our half, Ctrl+C leaves, and control
characters of the peer are shown as ^[ and the like. A line that begins with a space is not kept in the history.

With --lines our half is ended only after the last reply, and a peer that ends before it is exit 56. A line of the
peer that comes before any was sent, such as a greeting, is printed too; with --json its line and ms are null.

Examples:
  printf 'Hello\\nWorld\\n' | standpipe connect :8888
  standpipe connect example.com 7 --idle-timeout 30s
  standpipe connect :8888 --probe --retry forever --timeout 1m
  standpipe connect :8888 --lines --json < questions > answers
  standpipe connect unix:/run/echo.sock < request > reply`

/** Adds `connect` to the program. */
export function defineConnect(program: Command): void {
  const command = program
    .command('connect')
    .summary('join a connection with standard input and output')
    .description('Connects, sends what comes on standard input, and prints what the peer sends.')
    .argument('<address...>', 'HOST PORT, HOST:PORT, :PORT, [::1]:PORT or unix:PATH')
    .addHelpText('after', AFTER_HELP)
    .action(async (words: string[], flags: ConnectFlags) => {
      const address = parseAddress(words)
      if ('port' in address && address.port === 0) {
        throw new UsageError(
          `'${words.join(' ')}': port 0 cannot be connected to`,
          'Write the port that the server listens on.',
        )
      }
      const mode = chooseMode(flags, command)
      const { runConnect } = await import('./run-connect.js')
      process.exitCode = await runConnect(address, mode, flags)
    })
  addFlags(command, [
    new Option(
      '--lines',
      'pair each line of the input with a line of the peer, and end with the last',
    ),
    new Option(
      '--json',
      'print JSON: with --lines an object { line, reply, ms } for each pair, with --probe one in all',
    ),
    flag('--limit <size>', 'with --lines: the longest line', parseSize, {
      value: DEFAULT_LIMIT,
      shown: '64k',
    }),
    new Option('--hex', 'show what goes and what comes in hexadecimal'),
    new Option('--probe', 'only connect, print the address and the time, and send nothing'),
    new Option('--crlf', 'send CRLF where a line of the input ends in LF'),
    durationFlag(
      '--connect-timeout',
      'how long connecting may take each time, the look-up of the name included; or off',
      '10s',
      { off: true },
    ),
    durationFlag('--idle-timeout', 'end after so long without a byte either way', 'off', {
      off: true,
    }),
    durationFlag('--timeout', 'end after so long in all, retries included', 'off', { off: true }),
    flag(
      '--retry <count>',
      'try so often again when connecting fails, or forever, with pauses that grow up to 10s',
      parseRetries,
      { value: 0, shown: '0' },
    ),
    new Option(
      '--history <file>',
      'where lines typed at a terminal are kept (default: ~/.local/state/standpipe/history)',
    ),
    new Option('--no-history', 'keep no lines'),
  ])
}
