/**
 * The log of a command: pino on stderr, as JSON, or pretty on a terminal where pino-pretty is installed.
 *
 * It never blocks the server and never grows without bound: what a stuck reader of stderr does not take is
 * dropped beyond a cap, and counted.
 */
import type { DestinationStream, Logger } from 'pino'
import { describeSystemError, StandpipeError } from '../errors.js'

/** What `--log-level` takes. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
/** What `--log` takes. */
export const LOG_FORMATS = ['pretty', 'json'] as const

export interface LogFlags {
  logLevel: (typeof LOG_LEVELS)[number]
  /** Pretty on a terminal and JSON elsewhere, unless it is given. */
  log?: (typeof LOG_FORMATS)[number]
}

/** Log lines that stderr has not taken may hold so much memory. */
const MAX_WAITING_BYTES = 1024 * 1024

/** Makes the logger of a command. It fits as the `logger` of every option. */
export async function createLogger({ logLevel, log }: LogFlags): Promise<Logger> {
  const isPretty = (log ?? (process.stderr.isTTY ? 'pretty' : 'json')) === 'pretty'
  const toPretty = isPretty ? await loadPretty() : undefined
  const { pino, stdSerializers, stdTimeFunctions } = await import('pino')
  const logger = pino(
    {
      level: logLevel,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      serializers: {
        err: (error: unknown) => describeError(error) ?? stdSerializers.err(error as Error),
      },
      formatters: { level: (label) => ({ level: label }) },
    },
    stderrSink(toPretty ?? ((line) => line)),
  )
  if (log === 'pretty' && toPretty === undefined) {
    logger.warn('the log stays JSON: the optional package pino-pretty is not installed')
  }
  return logger
}

/** What became of a connection needs no stack; undefined for anything else, whose stack is what one wants to see. */
function describeError(error: unknown): object | undefined {
  if (!(error instanceof StandpipeError)) return undefined
  const { name: type, code, message, cause } = error
  return {
    type,
    code,
    message,
    cause: cause === undefined ? undefined : describeSystemError(cause).code,
  }
}

function stderrSink(format: (line: string) => string): DestinationStream {
  let dropped = 0
  return {
    write(line) {
      if (process.stderr.writableLength > MAX_WAITING_BYTES) {
        dropped++
        return
      }
      if (dropped > 0) {
        const message = 'log lines were dropped: the reader of stderr was too slow'
        const fields = { level: 'warn', time: new Date().toISOString(), pid: process.pid }
        process.stderr.write(format(`${JSON.stringify({ ...fields, dropped, msg: message })}\n`))
        dropped = 0
      }
      process.stderr.write(format(line))
    },
  }
}

/** Undefined where pino-pretty, an optional dependency, is not installed. */
async function loadPretty(): Promise<((line: string) => string) | undefined> {
  let module
  try {
    module = await import('pino-pretty')
  } catch {
    return undefined
  }
  return module.default.prettyFactory({
    colorize: process.stderr.isTTY && process.stderr.hasColors(),
    ignore: 'pid',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  })
}
