/** Runs a server of the command line: starts it, says where it listens, and stops it at a signal. */
import { describeAddress, type Address } from '../protocol/connection.js'
import type { Server, StopReport } from '../server/start-server.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { createLogger } from './logging.js'
import type { ServerFlags } from './server-flags.js'
import { openStdout, printWords, ReaderLeftError } from './stdio.js'
import { StopSignals } from './stop-signals.js'

/** The log of a command. */
export type Log = Awaited<ReturnType<typeof createLogger>>

/** What a signal stops. */
export interface Running {
  /** How many connections are open. */
  open(): number
  stop(): Promise<StopReport>
  /** Resets what is open. */
  cut(): void
}

/** A guard by its flag, in milliseconds. */
type Guards = Readonly<Record<string, number>>

/**
 * Runs until a signal has stopped it. `guards` are those of the command's own; one that is off is warned of.
 * @throws ListenError, OutputError
 */
export async function runServer(
  command: string,
  flags: ServerFlags,
  start: (log: Log) => Promise<Server>,
  guards: Guards = {},
): Promise<ExitCode> {
  const log = await createLogger(flags)
  const signals = new StopSignals()
  const server = await start(log)
  warnOfGuardsOff({ ...sharedGuards(flags), ...guards }, log)
  await announce(command, server.address, flags)
  const running: Running = {
    open: () => server.stats.open,
    stop: () => server.stop(),
    cut: () => {
      server.abortClients()
    },
  }
  return await stopAtSignal(running, signals, flags, log)
}

/**
 * Says where a command listens: in words on stderr, or as an object on stdout.
 * @throws OutputError
 */
export async function announce(
  command: string,
  address: Address,
  { json }: Pick<ServerFlags, 'json'>,
): Promise<void> {
  const where = describeAddress(address)
  if (json !== true) {
    printWords(`standpipe ${command}: listening on ${where} (Ctrl+C stops it)`)
    return
  }
  const banner = { event: 'listening', address: where, ...address, pid: process.pid }
  const stdout = openStdout()
  try {
    await stdout.write(`${JSON.stringify(banner)}\n`)
    await stdout.flush()
  } catch (error) {
    if (!(error instanceof ReaderLeftError)) throw error
  }
}

/** Waits for a signal, then stops what runs; a second signal cuts at once. Gives the exit code. */
export async function stopAtSignal(
  running: Running,
  signals: StopSignals,
  { grace }: Pick<ServerFlags, 'grace'>,
  log: Log,
): Promise<ExitCode> {
  const signal = await signals.next()
  const open = running.open()
  log.info({ signal, open, graceMs: grace }, `${signal}: draining; a second signal cuts at once`)
  const again = signals.next()
  const outcome = await Promise.race([running.stop(), again])
  if (typeof outcome === 'string') {
    log.warn({ signal: outcome, open: running.open() }, `${outcome} again: cut at once`)
    running.cut()
    return EXIT.failed
  }
  const report = { ...outcome, durationMs: Math.round(outcome.durationMs) }
  if (report.aborted > 0 || report.stragglers.length > 0) {
    log.warn(report, `stopped; cut at the end of the grace: ${report.aborted}`)
    return EXIT.failed
  }
  log.info(report, 'stopped')
  return EXIT.done
}

function sharedGuards(flags: ServerFlags): Guards {
  return {
    '--idle-timeout': flags.idleTimeout,
    '--message-timeout': flags.messageTimeout,
    '--write-timeout': flags.writeTimeout,
    '--half-closed-timeout': flags.halfClosedTimeout,
  }
}

function warnOfGuardsOff(guards: Guards, log: Log): void {
  for (const [name, value] of Object.entries(guards)) {
    if (value === Infinity)
      log.warn({ flag: name }, `${name} is off: a peer may hold its connection for good`)
  }
}
