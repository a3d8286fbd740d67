/**
 * The logger that the kit calls, and what stands between the two: a logger is the program's, and one that throws must
 * not keep a connection from its end, or a server from its stop.
 */
import { inspect } from 'node:util'

/**
 * The part of pino's interface that the kit needs, so that a pino logger fits as it is. Where one throws, or gives a
 * promise that rejects, the kit goes on: it tells of that on stderr, once, and prints warnings and errors there in its
 * place.
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** A logger that adds these fields to each record; where it is absent the kit adds them itself. */
  child?(fields: object): Logger
}

type Level = 'debug' | 'info' | 'warn' | 'error'

/** Prints faults on stderr and nothing else: what a library does that was given no logger. */
const stderrLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: print,
  error: print,
}

/** Prints nothing. */
const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** A program's logger, none of whose failures gets out. */
class GuardedLogger implements Logger {
  readonly #logger: Logger
  readonly #fields: object | undefined
  /** Shared with all children: it is told once that they fail. */
  readonly #health: { hasFailed: boolean }

  constructor(logger: Logger, fields?: object, health = { hasFailed: false }) {
    this.#logger = logger
    this.#fields = fields
    this.#health = health
  }

  debug(fields: object, message: string): void {
    this.#tell('debug', fields, message)
  }

  info(fields: object, message: string): void {
    this.#tell('info', fields, message)
  }

  warn(fields: object, message: string): void {
    this.#tell('warn', fields, message)
  }

  error(fields: object, message: string): void {
    this.#tell('error', fields, message)
  }

  child(fields: object): Logger {
    const all = { ...this.#fields, ...fields }
    try {
      const child = this.#logger.child?.(all)
      if (child !== undefined) return new GuardedLogger(child, undefined, this.#health)
    } catch (error) {
      this.#tellFailure(error)
    }
    return new GuardedLogger(this.#logger, all, this.#health)
  }

  #tell(level: Level, fields: object, message: string): void {
    const failed = (error: unknown): void => {
      this.#tellFailure(error)
      stderrLogger[level](fields, message)
    }
    try {
      const all = this.#fields === undefined ? fields : { ...this.#fields, ...fields }
      // What its type calls void may be the promise of an async function.
      const told: unknown = this.#logger[level](all, message)
      if (told instanceof Promise) told.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  #tellFailure(err: unknown): void {
    if (this.#health.hasFailed) return
    this.#health.hasFailed = true
    print({ err }, 'the logger failed; warnings and errors that it does not take are printed here')
  }
}

/** The logger that an option stands for: `false` is silence, nothing is faults on stderr. It never throws. */
export function resolveLogger(option: Logger | false | undefined): Logger {
  if (option === false) return silentLogger
  if (option === undefined) return stderrLogger
  return isOurs(option) ? option : new GuardedLogger(option)
}

/** A logger that adds `fields` to each record, of one that `resolveLogger` gave. */
export function childLogger(logger: Logger, fields: object): Logger {
  return logger.child?.(fields) ?? logger
}

function isOurs(logger: Logger): boolean {
  return logger === silentLogger || logger === stderrLogger || logger instanceof GuardedLogger
}

function ignore(): void {}

function print(fields: object, message: string): void {
  const { stderr } = process
  stderr.write(`standpipe: ${message}${detailOf(fields)}\n`, (error) => {
    // Who reads stderr has gone. Node tells so by an event as well, which ends the process where nobody listens.
    if (error && stderr.listenerCount('error') === 0) stderr.once('error', ignore)
  })
}

/** The error of a record on lines of its own, where it has one. */
function detailOf(fields: object): string {
  if (!('err' in fields)) return ''
  const { err } = fields
  try {
    return err instanceof Error ? `\n${err.stack ?? err.message}` : `\n${inspect(err)}`
  } catch {
    return '\nan error that cannot be looked at'
  }
}
