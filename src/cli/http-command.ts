/** The flags of `standpipe http`. What it does is loaded when it is done. */
import { Option, type Command } from 'commander'
import { addFlags, durationFlag } from './environment.js'
import type { HttpFlags } from './run-http.js'
import {
  ADDRESS_HELP,
  chooseAddress,
  guardFlags,
  SERVER_HELP,
  whereFlags,
  type ServerFlagDefaults,
} from './server-flags.js'

const DEFAULTS: ServerFlagDefaults = {
  port: 8080,
  idleTimeout: '5m',
  writeTimeout: '60s',
  message: 'for a body that has begun, and 1s more for each 16 KiB of it',
  grace: 'for what was asked to be answered at a stop',
}

const AFTER_HELP = `
It answers / with a welcome, /api/data with data and the query that asked for them, and /api/slow?delay=2 after so many
seconds, all as JSON; with a folder also with the files in it, except hidden ones.
The first SIGINT or SIGTERM stops it: what was asked is answered, within the grace. A second cuts at once.
${SERVER_HELP}

Examples:
  standpipe http
  standpipe http ./public --port 8000
  standpipe http --listen unix:/run/http.sock --mode 660
  curl 'http://127.0.0.1:8080/api/data?page=2'`

/** Adds `http` to the program. */
export function defineHttp(program: Command): void {
  const command = program
    .command('http')
    .summary('run the API server, with the files of a folder')
    .description('Answers HTTP/1.1 requests: a small API, and the files of a folder.')
    .argument('[folder]', 'whose files are sent')
    .addHelpText('after', AFTER_HELP)
    .action(async (folder: string | undefined, flags: HttpFlags & { listen?: string }) => {
      const address = chooseAddress(
        flags.listen === undefined ? [] : [flags.listen],
        flags,
        command,
      )
      const { runHttp } = await import('./run-http.js')
      process.exitCode = await runHttp(address, folder, flags)
    })
  addFlags(command, [
    new Option('--listen <address>', ADDRESS_HELP),
    ...whereFlags(DEFAULTS),
    new Option('--precompressed', 'send NAME.br or NAME.gz for NAME to who takes it'),
    durationFlag('--header-timeout', 'for the head of a request that has begun', '10s', {
      off: true,
    }),
    durationFlag('--keep-alive', 'for the next request on a connection', '5s', { off: true }),
    ...guardFlags(DEFAULTS),
  ])
}
