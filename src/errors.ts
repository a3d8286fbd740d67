/**
 * The errors of the kit: one base class, the closed union of codes, and the one place that knows errno.
 *
 * Match on `code`, never on the message. A class of its own exists only where it carries data.
 * Bad arguments are plain `TypeError` and `RangeError`; an abort rethrows the signal's own reason.
 * This file imports nothing.
 */

/** Every code that the kit raises. Each is a heading in docs/errors.md. */
export const ERROR_CODES = [
  'ERR_STANDPIPE_ADDRESS_IN_USE',
  'ERR_STANDPIPE_BROKEN',
  'ERR_STANDPIPE_BUSY',
  'ERR_STANDPIPE_CLOSED',
  'ERR_STANDPIPE_CONNECT',
  'ERR_STANDPIPE_DECODE',
  'ERR_STANDPIPE_HTTP',
  'ERR_STANDPIPE_INCOMPLETE_READ',
  'ERR_STANDPIPE_LIMIT_OVERRUN',
  'ERR_STANDPIPE_LISTEN',
  'ERR_STANDPIPE_LOOKUP',
  'ERR_STANDPIPE_PROTOCOL',
  'ERR_STANDPIPE_RESET',
  'ERR_STANDPIPE_SLOW_CONSUMER',
  'ERR_STANDPIPE_TIMED_OUT',
] as const

/** The code of a {@link StandpipeError}. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** The base of every error that the kit itself raises. */
export class StandpipeError extends Error {
  /** What happened, as a stable word: see docs/errors.md. */
  readonly code: ErrorCode
  /** Whether the same call, made again a little later on a fresh connection, may succeed. */
  readonly retryable: boolean

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; retryable?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.retryable = options.retryable ?? false
  }
}

/** We closed it: the connection, or its writing half, was ended on this side before the call could be done. */
export class ClosedError extends StandpipeError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('ERR_STANDPIPE_CLOSED', message, options)
  }
}

/** They broke it: the peer reset the connection, or the network lost it. `cause` has the errno. */
export class BrokenError extends StandpipeError {
  constructor(
    message: string,
    options: {
      cause?: unknown
      code?: 'ERR_STANDPIPE_BROKEN' | 'ERR_STANDPIPE_RESET'
    } = {},
  ) {
    super(options.code ?? 'ERR_STANDPIPE_BROKEN', message, { ...options, retryable: true })
  }
}

/** Two calls at once where the contract allows one, such as two reads of one reader. */
export class BusyError extends StandpipeError {
  constructor(message: string) {
    super('ERR_STANDPIPE_BUSY', message)
  }
}

/** The input ended before the read had what it was asked for. */
export class IncompleteReadError extends StandpipeError {
  /** The bytes that were there; they are consumed. */
  readonly partial: Buffer
  /** How many bytes were asked for, where that was known. */
  readonly expected: number | undefined

  constructor(partial: Buffer, expected: number | undefined, what: string) {
    const wanted = expected === undefined ? what : `${expected} bytes (${what})`
    super(
      'ERR_STANDPIPE_INCOMPLETE_READ',
      `the input ended after ${partial.length} bytes of ${wanted}`,
    )
    this.partial = partial
    this.expected = expected
  }
}

/** A line, a frame or a whole input is longer than its limit. */
export class LimitOverrunError extends StandpipeError {
  /** The limit in bytes. */
  readonly limit: number
  /** How many bytes of it had been seen when the limit was found to be passed. */
  readonly consumed: number
  /** Whether the end of the over-long piece (its separator) had been seen. */
  readonly found: boolean

  constructor(message: string, fields: { limit: number; consumed: number; found: boolean }) {
    super('ERR_STANDPIPE_LIMIT_OVERRUN', message)
    this.limit = fields.limit
    this.consumed = fields.consumed
    this.found = fields.found
  }
}

/** What a deadline was guarding. `call` is the `timeoutMs` of one call. */
export type TimeoutPhase =
  | 'connect'
  | 'proxy-header'
  | 'tls-handshake'
  | 'first-byte'
  | 'message'
  | 'idle'
  | 'write'
  | 'half-closed'
  | 'keep-alive'
  | 'grace'
  | 'call'

/** A deadline passed. */
export class TimeoutError extends StandpipeError {
  /** What the deadline was guarding. */
  readonly phase: TimeoutPhase
  /** How long it was, in milliseconds; undefined where the kernel kept it (keep-alive probes). */
  readonly timeoutMs: number | undefined

  constructor(
    message: string,
    phase: TimeoutPhase,
    timeoutMs: number | undefined,
    options: { cause?: unknown } = {},
  ) {
    super('ERR_STANDPIPE_TIMED_OUT', message, { ...options, retryable: true })
    this.phase = phase
    this.timeoutMs = timeoutMs
  }
}

/** A line or a frame that should be text is not valid UTF-8. */
export class DecodeError extends StandpipeError {
  /** The bytes that are not valid; they are consumed. */
  readonly bytes: Buffer

  constructor(message: string, bytes: Buffer) {
    super('ERR_STANDPIPE_DECODE', message)
    this.bytes = bytes
  }
}

/** One address that was tried, and what came of it. */
export interface ConnectAttempt {
  /** `127.0.0.1:8888`, `[::1]:8888` or `unix:/run/x.sock`. */
  readonly address: string
  /** The errno, or `ETIMEDOUT` where our own deadline ended the attempt. */
  readonly code: string
  /** How long the attempt took, in milliseconds. */
  readonly durationMs: number
}

/** No address could be connected to. */
export class ConnectError extends StandpipeError {
  /** Every address that was tried, in order. */
  readonly attempts: readonly ConnectAttempt[]

  constructor(message: string, attempts: readonly ConnectAttempt[], options: { cause?: unknown }) {
    super('ERR_STANDPIPE_CONNECT', message, { ...options, retryable: true })
    this.attempts = attempts
  }
}

/** The host's name could not be turned into an address. */
export class LookupError extends StandpipeError {
  /** The name. */
  readonly host: string

  constructor(host: string, options: { cause?: unknown } = {}) {
    const { words } = describeSystemError(options.cause)
    super('ERR_STANDPIPE_LOOKUP', `look up ${host}: ${words}`, { ...options, retryable: true })
    this.host = host
  }
}

/** The server could not listen. */
export class ListenError extends StandpipeError {
  /** Where it was to listen. */
  readonly address: string

  constructor(address: string, options: { cause?: unknown; words?: string } = {}) {
    const system = describeSystemError(options.cause)
    super(
      system.code === 'EADDRINUSE' ? 'ERR_STANDPIPE_ADDRESS_IN_USE' : 'ERR_STANDPIPE_LISTEN',
      `listen on ${address}: ${options.words ?? system.words}`,
      { ...options, retryable: system.code === 'EADDRINUSE' },
    )
    this.address = address
  }
}

/**
 * Who reads is slower than who writes: the cap on a peer's buffered output was reached, or a subscription held as many
 * messages as it may and was to be disconnected then.
 */
export class SlowConsumerError extends StandpipeError {
  /** What was buffered for the peer, in bytes; undefined for a subscription. */
  readonly bufferedBytes: number | undefined
  /** The cap, in bytes; undefined for a subscription. */
  readonly maxBufferedBytes: number | undefined
  /** How many messages a subscription held, which is its capacity; undefined for a peer. */
  readonly heldMessages: number | undefined

  constructor(bufferedBytes: number, maxBufferedBytes: number, advice?: string)
  constructor(subscription: { readonly heldMessages: number })
  constructor(
    waiting: number | { readonly heldMessages: number },
    maxBufferedBytes?: number,
    advice = 'await drain() between writes',
  ) {
    super(
      'ERR_STANDPIPE_SLOW_CONSUMER',
      typeof waiting === 'number'
        ? `the peer does not keep up: ${waiting} bytes are waiting, the cap is ${maxBufferedBytes}; ${advice}`
        : `the subscriber does not keep up: ${waiting.heldMessages} messages are waiting, as many as it may hold; ` +
            'read faster, raise capacity, or let it drop messages',
    )
    const isPeer = typeof waiting === 'number'
    this.bufferedBytes = isPeer ? waiting : undefined
    this.maxBufferedBytes = maxBufferedBytes
    this.heldMessages = isPeer ? undefined : waiting.heldMessages
  }
}

/** The peer's bytes break the rules of the framing. */
export class ProtocolError extends StandpipeError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('ERR_STANDPIPE_PROTOCOL', message, options)
  }
}

const SYSTEM_ERRORS: Record<string, string> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'the address is not on this machine',
  EAI_AGAIN: 'the name server did not answer',
  ECANCELED: 'cancelled',
  ECONNABORTED: 'aborted by the network',
  ECONNREFUSED: 'refused (nothing is listening)',
  ECONNRESET: 'reset by the peer',
  EHOSTUNREACH: 'the host cannot be reached',
  EFBIG: 'the file is as large as it may be',
  EINVAL: 'an invalid argument',
  EMFILE: 'this process has no descriptor left',
  ENAMETOOLONG: 'the path is too long',
  ENETDOWN: 'the network is down',
  ENETUNREACH: 'the network cannot be reached',
  ENOENT: 'no such file or folder',
  ENOSPC: 'no space is left',
  ENOTDIR: 'a part of the path is not a folder',
  ENOTFOUND: 'the name was not found',
  ENOTSOCK: 'not a socket',
  EPERM: 'not permitted',
  EPIPE: 'the peer has closed its receiving side',
  EROFS: 'the file system is read-only',
  ETIMEDOUT: 'no answer in time',
}

/** The errno of an error that Node raised, and what it means in words. The one place that translates errno. */
export function describeSystemError(error: unknown): { code: string; words: string } {
  const code =
    typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
      ? error.code
      : 'UNKNOWN'
  const words = SYSTEM_ERRORS[code] ?? (error instanceof Error ? error.message : String(error))
  return { code, words }
}

/**
 * The typed error for what ended an established connection: `ETIMEDOUT` is the kernel's keep-alive or
 * retransmission giving up ({@link TimeoutError}), everything else is {@link BrokenError}.
 */
export function connectionErrorFrom(error: unknown, where: string): BrokenError | TimeoutError {
  const { code, words } = describeSystemError(error)
  if (code === 'ETIMEDOUT') {
    return new TimeoutError(
      `${where}: the peer has vanished (no answer to keep-alive probes or data)`,
      'keep-alive',
      undefined,
      { cause: error },
    )
  }
  const isReset = code === 'ECONNRESET' || code === 'EPIPE'
  return new BrokenError(`${where}: ${words}`, {
    cause: error,
    code: isReset ? 'ERR_STANDPIPE_RESET' : 'ERR_STANDPIPE_BROKEN',
  })
}
