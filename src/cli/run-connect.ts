/** Dials, and runs the session of `standpipe connect` under its deadlines and signals. */
import { raceAbort } from '../concurrency/abort.js'
import { retry, type FailedAttempt } from '../concurrency/retry.js'
import { TimeoutError } from '../errors.js'
import { openConnection } from '../client/open-connection.js'
import { describeAddress, type Address, type Connection } from '../protocol/connection.js'
import type { ConnectMode, ModeFlags } from './connect-mode.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { showReceived, showSent } from './hex-view.js'
import { defaultHistoryPath, History } from './history.js'
import { Interruption, onStopSignal } from './interruption.js'
import { killableLookUp } from './killable-look-up.js'
import { runLineSession } from './line-session.js'
import { toLine } from './messages.js'
import { runPipeSession } from './pipe-session.js'
import { reportProbe } from './probe.js'
import { Spool } from './spool.js'
import { openStdout, printWords } from './stdio.js'
import { runTerminalSession } from './terminal-session.js'
import { toCrlf } from './to-crlf.js'

/** The flags of `standpipe connect`; times in milliseconds, Infinity for no bound. */
export interface ConnectFlags extends ModeFlags {
  /** For connecting, the look-up of the name included. */
  connectTimeout: number
  /** Without a byte either way. */
  idleTimeout: number
  /** For everything, however often connecting is tried. */
  timeout: number
  /** How often connecting is tried again; Infinity for no bound. */
  retry: number
  /** Whether an LF of the input is sent as CRLF. */
  crlf?: boolean
  /** Whether what is printed is one JSON object a line. */
  json?: boolean
  /** The longest line, in bytes, where lines matter. */
  limit: number
  /** Where the lines typed at a terminal are kept; false to keep none. */
  history?: string | false
}

/** The longest that the first pause of --retry can be; each next one can be twice as long … */
const FIRST_PAUSE_MS = 250
/** … up to this, so that a server that comes back is found soon. */
const LONGEST_PAUSE_MS = 10_000

/**
 * @throws the errors of openConnection and of the session, for messages.ts to explain
 * @throws Interruption on SIGINT or SIGTERM
 */
export async function runConnect(
  address: Address,
  mode: ConnectMode,
  flags: ConnectFlags,
): Promise<ExitCode> {
  const ends = new AbortController()
  onStopSignal((signal) => {
    ends.abort(new Interruption(signal))
  })
  if (flags.timeout !== Infinity) {
    const message = `connect ${describeAddress(address)}: not done within ${flags.timeout} ms`
    const error = new TimeoutError(message, 'call', flags.timeout)
    setTimeout(() => {
      ends.abort(error)
    }, flags.timeout)
  }
  let startedAt = 0
  const dial = (): Promise<Connection> => {
    startedAt = performance.now()
    return openConnection({
      ...address,
      signal: ends.signal,
      lookup: killableLookUp,
      logger: false,
      ...(mode === 'lines' ? { limit: flags.limit } : {}),
      deadlines: {
        connectMs: flags.connectTimeout,
        firstByteMs: flags.idleTimeout,
        idleMs: flags.idleTimeout,
      },
    })
  }
  const connection = await retry(dial, {
    maxAttempts: flags.retry + 1,
    baseMs: FIRST_PAUSE_MS,
    maxDelayMs: LONGEST_PAUSE_MS,
    signal: ends.signal,
    onAttempt: (failed) => {
      tellOfRetry(failed, flags.retry)
    },
  })
  if (mode === 'probe') {
    const { json = false } = flags
    const ms = performance.now() - startedAt
    await raceAbort(reportProbe(connection, openStdout(), { ms, json }), ends.signal)
    // The peer need not end as well: the process does, and the kernel sees to the rest.
    void connection.close()
    return EXIT.done
  }
  try {
    if (mode === 'pipe' && process.stdin.isTTY && process.stdout.isTTY) {
      await converse(connection, flags, ends.signal)
    } else {
      await raceAbort(runSession(connection, mode, flags), ends.signal)
    }
    return EXIT.done
  } finally {
    // Does nothing after a clean end; otherwise the peer should know that something was lost.
    connection.abort()
  }
}

/** Says that connecting has failed, and when it is tried again; of the last failure the exit tells. */
function tellOfRetry({ attempt, error, delayMs }: FailedAttempt, retries: number): void {
  if (delayMs === undefined) return
  const count = retries === Infinity ? attempt : `${attempt} of ${retries + 1}`
  const { message } = error as Error
  printWords(toLine(`attempt ${count}: ${message}; again in ${delayMs} ms`))
}

async function runSession(
  connection: Connection,
  mode: Exclude<ConnectMode, 'probe'>,
  flags: ConnectFlags,
): Promise<void> {
  const { crlf = false, json = false, limit, idleTimeout: idleTimeoutMs } = flags
  const input = crlf ? toCrlf(process.stdin) : process.stdin
  const output = new Spool(openStdout())
  switch (mode) {
    case 'pipe':
      await runPipeSession(connection, input, output, { idleTimeoutMs })
      return
    case 'hex':
      await runPipeSession(connection, showSent(input, output), showReceived(output), {
        idleTimeoutMs,
      })
      return
    case 'lines':
      await runLineSession(connection, input, output, {
        json,
        limit,
        terminator: crlf ? '\r\n' : '\n',
      })
  }
}

/** The session of a person at a terminal. */
async function converse(
  connection: Connection,
  { history = defaultHistoryPath(), crlf = false }: ConnectFlags,
  signal: AbortSignal,
): Promise<void> {
  const where = describeAddress(connection.remote)
  printWords(`standpipe connect: connected to ${where} (Ctrl+D ends, Ctrl+C leaves)`)
  const warn = (message: string): void => {
    printWords(`standpipe connect: ${message}`)
  }
  await runTerminalSession(connection, {
    input: process.stdin,
    screen: process.stdout,
    output: openStdout(),
    history: new History(history === false ? undefined : history, warn),
    lineEnd: crlf ? '\r\n' : '\n',
    signal,
  })
}
