/** The logger that the kit calls: the part of pino's interface that it needs, so that a pino logger fits as it is. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** A logger that adds these fields to each record; where it is absent the kit adds them itself. */
  child?(fields: object): Logger
}

/** Prints faults on stderr and nothing else: what a library does that was given no logger. */
const stderrLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: print,
  error: print,
}

/** Prints nothing. */
const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** The logger that an option stands for: `false` is silence, nothing is faults on stderr. */
export function resolveLogger(option: Logger | false | undefined): Logger {
  if (option === false) return silentLogger
  return option ?? stderrLogger
}

/** A logger that adds `fields` to each record. */
export function childLogger(logger: Logger, fields: object): Logger {
  if (logger === silentLogger || logger === stderrLogger) return logger
  if (logger.child !== undefined) return logger.child(fields)
  const adding =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (more: object, message: string): void => {
      logger[level]({ ...fields, ...more }, message)
    }
  return {
    debug: adding('debug'),
    info: adding('info'),
    warn: adding('warn'),
    error: adding('error'),
  }
}

function ignore(): void {}

function print(fields: object, message: string): void {
  const error = 'err' in fields ? fields.err : undefined
  const detail = error instanceof Error ? `\n${error.stack ?? error.message}` : ''
  process.stderr.write(`standpipe: ${message}${detail}\n`)
}
