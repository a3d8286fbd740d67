/** Dials, and runs the session of `standpipe connect` under its deadlines and signals. */
import { raceAbort } from '../concurrency/abort.js'
import { TimeoutError } from '../errors.js'
import { openConnection } from '../client/open-connection.js'
import { describeAddress, type Address, type Connection } from '../protocol/connection.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { defaultHistoryPath, History } from './history.js'
import { Interruption, onStopSignal } from './interruption.js'
import { killableLookUp } from './killable-look-up.js'
import { runPipeSession } from './pipe-session.js'
import { openStdout, printWords } from './stdio.js'
import { runTerminalSession } from './terminal-session.js'

/** The flags of `standpipe connect`; times in milliseconds, Infinity for no bound. */
export interface ConnectFlags {
  /** For connecting, the look-up of the name included. */
  connectTimeout: number
  /** Without a byte either way. */
  idleTimeout: number
  /** For everything. */
  timeout: number
  /** Where the lines typed at a terminal are kept; false to keep none. */
  history?: string | false
}

/**
 * @throws the errors of openConnection and of the session, for messages.ts to explain
 * @throws Interruption on SIGINT or SIGTERM
 */
export async function runConnect(address: Address, flags: ConnectFlags): Promise<ExitCode> {
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
  const connection = await openConnection({
    ...address,
    signal: ends.signal,
    lookup: killableLookUp,
    logger: false,
    deadlines: {
      connectMs: flags.connectTimeout,
      firstByteMs: flags.idleTimeout,
      idleMs: flags.idleTimeout,
    },
  })
  try {
    if (process.stdin.isTTY && process.stdout.isTTY) {
      await converse(connection, flags, ends.signal)
      return EXIT.done
    }
    const session = runPipeSession(connection, process.stdin, openStdout(), {
      idleTimeoutMs: flags.idleTimeout,
    })
    await raceAbort(session, ends.signal)
    return EXIT.done
  } finally {
    // Does nothing after a clean end; otherwise the peer should know that something was lost.
    connection.abort()
  }
}

/** The session of a person at a terminal. */
async function converse(
  connection: Connection,
  { history = defaultHistoryPath() }: ConnectFlags,
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
    signal,
  })
}
