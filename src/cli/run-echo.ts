/** Runs `standpipe echo`. */
import type { Connection } from '../protocol/connection.js'
import type { Handler } from '../protocol/handler.js'
import type { RefusalReason } from '../server/admission.js'
import { lineEcho } from '../server/line-echo.js'
import { startServer } from '../server/start-server.js'
import type { ExitCode } from './exit-codes.js'
import type { ListenAddress } from './listen-address.js'
import { runServer, type Log } from './run-server.js'
import { toServerOptions, type ServerFlags } from './server-flags.js'

/** The flags of `standpipe echo`. */
export interface EchoFlags extends ServerFlags {
  prefix: string
  /** In bytes. */
  limit: number
}

/** What a peer that is not let in is told. */
const REFUSALS: Readonly<Record<RefusalReason, string>> = {
  'max-connections': 'Error: too many connections, try again later\n',
  'max-per-address': 'Error: too many connections from your address\n',
  'backlog-full': 'Error: too many connections, try again later\n',
  denied: 'Error: your address is not let in\n',
  'not-allowed': 'Error: your address is not let in\n',
}

/** Runs until a signal has stopped it. @throws ListenError, OutputError */
export function runEcho(address: ListenAddress, flags: EchoFlags): Promise<ExitCode> {
  return runServer('echo', flags, (log) =>
    startServer(withLog(lineEcho({ prefix: flags.prefix }), log), {
      ...address,
      ...toServerOptions(flags),
      limit: flags.limit,
      refusal: (reason) => REFUSALS[reason],
      onLimit: ({ limit }) => `Error: line longer than ${limit} bytes\n`,
      logger: log,
    }),
  )
}

/** Tells of each connection: that it came (debug), and what it came to (info). */
function withLog(handler: Handler, log: Log): Handler {
  if (!log.isLevelEnabled('info')) return handler
  return (connection: Connection) => {
    connection.log.debug({}, 'connected')
    void connection.closed.then(({ reason, bytesRead, bytesWritten, durationMs }) => {
      const fields = { bytesIn: bytesRead, bytesOut: bytesWritten, ms: Math.round(durationMs) }
      connection.log.info({ ...fields, reason: reason.kind, phase: reason.phase }, 'closed')
    })
    return handler(connection)
  }
}
