/** The logger that the kit calls: the part of pino's interface that it needs, so that a pino logger fits as it is. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
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

function ignore(): void {}

function print(fields: object, message: string): void {
  const error = 'err' in fields ? fields.err : undefined
  const detail = error instanceof Error ? `\n${error.stack ?? error.message}` : ''
  process.stderr.write(`standpipe: ${message}${detail}\n`)
}
