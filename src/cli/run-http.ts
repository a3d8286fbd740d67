/** Runs `standpipe http`. */
import { statSync } from 'node:fs'
import type { HttpOptions } from '../http-mini/http-handler.js'
import { startHttpServer } from '../http-mini/start-http-server.js'
import { staticFiles } from '../http-mini/static-files.js'
import type { RefusalReason } from '../server/admission.js'
import { apiRoutes } from './api-routes.js'
import type { ExitCode } from './exit-codes.js'
import type { ListenAddress } from './listen-address.js'
import { runServer, type Log } from './run-server.js'
import { toServerOptions, type ServerFlags } from './server-flags.js'
import { UsageError } from './usage-error.js'

/** The flags of `standpipe http`; times in milliseconds, Infinity for a guard that is off. */
export interface HttpFlags extends ServerFlags {
  precompressed?: boolean
  headerTimeout: number
  keepAlive: number
}

/** What a peer that is not let in is told. */
const REFUSALS: Readonly<Record<RefusalReason, readonly [status: string, words: string]>> = {
  'max-connections': ['503 Service Unavailable', 'too many connections, try again later'],
  'max-per-address': ['429 Too Many Requests', 'too many connections from your address'],
  'backlog-full': ['503 Service Unavailable', 'too many connections, try again later'],
  denied: ['403 Forbidden', 'your address is not let in'],
  'not-allowed': ['403 Forbidden', 'your address is not let in'],
}

/**
 * Runs until a signal has stopped it.
 * @throws UsageError when there is no such folder; ListenError, OutputError
 */
export async function runHttp(
  address: ListenAddress,
  folder: string | undefined,
  flags: HttpFlags,
): Promise<ExitCode> {
  if (folder !== undefined && statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UsageError(`'${folder}' is no folder`, 'Give one whose files are to be sent.')
  }
  const files =
    folder === undefined ? undefined : staticFiles(folder, { precompressed: flags.precompressed })
  const { deadlines, ...options } = toServerOptions(flags)
  const guards = { '--header-timeout': flags.headerTimeout, '--keep-alive': flags.keepAlive }
  return await runServer(
    'http',
    flags,
    (log) =>
      startHttpServer(apiRoutes(files), {
        ...address,
        ...options,
        deadlines: {
          firstByteMs: deadlines.firstByteMs,
          headerMs: flags.headerTimeout,
          keepAliveMs: flags.keepAlive,
          bodyMs: deadlines.messageMs,
          writeStallMs: deadlines.writeStallMs,
          halfClosedMs: deadlines.halfClosedMs,
        },
        refusal: (reason) => toRefusal(...REFUSALS[reason]),
        onAnswer: accessLog(log),
        logger: log,
      }),
    guards,
  )
}

/** One record for each request, when it was answered. */
function accessLog(log: Log): HttpOptions['onAnswer'] {
  if (!log.isLevelEnabled('info')) return undefined
  return ({ method, target, connection }, { status, bytes, durationMs, isWhole }) => {
    const ms = Math.round(durationMs * 10) / 10
    const fields = { method, path: target, status, bytes, ms }
    connection.log.info(isWhole ? fields : { ...fields, cut: true }, 'answered')
  }
}

function toRefusal(status: string, words: string): string {
  const body = `${words}\n`
  const fields = [
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
  ]
  return `HTTP/1.1 ${status}\r\n${fields.join('\r\n')}\r\n\r\n${body}`
}
