/** The flags of `standpipe connect`. What it does is loaded when it is done. */
import { Option, type Command } from 'commander'
import { parseAddress } from './address.js'
import { addFlags, durationFlag } from './environment.js'
import type { ConnectFlags } from './run-connect.js'
import { UsageError } from './usage-error.js'

const AFTER_HELP = `
In a pipe the bytes are exact. The end of the input ends our half of the connection; the answer is then
waited for, however long it takes. At a terminal a line is sent at Enter, Ctrl+D ends our half, Ctrl+C leaves,
and control characters of the peer are shown as ^[ and the like. A line that begins with a space is not kept in
the history.

Examples:
  printf 'Hello\\nWorld\\n' | standpipe connect :8888
  standpipe connect example.com 7 --idle-timeout 30s
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
      const { runConnect } = await import('./run-connect.js')
      process.exitCode = await runConnect(address, flags)
    })
  addFlags(command, [
    durationFlag(
      '--connect-timeout',
      'how long connecting may take, the look-up of the name included; or off',
      '10s',
      { off: true },
    ),
    durationFlag('--idle-timeout', 'end after so long without a byte either way', 'off', {
      off: true,
    }),
    durationFlag('--timeout', 'end after so long in all', 'off', { off: true }),
    new Option(
      '--history <file>',
      'where lines typed at a terminal are kept (default: ~/.local/state/standpipe/history)',
    ),
    new Option('--no-history', 'keep no lines'),
  ])
}
