/**
 * What the exit status of every command means: one table, close to curl's numbers where curl has one.
 * It knows no errors; messages.ts says which error gives which code.
 */
export const EXIT = {
  /** Done. */
  done: 0,
  /** It ran but failed: cannot bind, a connection was cut at the end of the grace, a second signal. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The host's name was not found. */
  nameNotFound: 6,
  /** No address could be connected to. */
  couldNotConnect: 7,
  /** HTTP status 400 or above, with `--fail`. */
  httpError: 22,
  /** The output could not be written. */
  couldNotWrite: 23,
  /** A deadline passed. */
  timedOut: 28,
  /** The TLS handshake failed. */
  tlsFailed: 35,
  /** The connection was reset, or cut in the middle of something. */
  broken: 56,
  /** The peer's certificate is not trusted. */
  certificate: 60,
  /** Ctrl+C ended a client: 128 + SIGINT. */
  interrupted: 130,
  /** SIGTERM ended a client: 128 + SIGTERM. */
  terminated: 143,
} as const

/** The exit status of a command. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
