/** Runs `standpipe echo`: listens, says where, and stops at a signal. */
import { describeAddress, type Address, type Connection } from '../protocol/connection.js'
import type { Handler } from '../protocol/handler.js'
import type { RefusalReason } from '../server/admission.js'
import { lineEcho } from '../server/line-echo.js'
import { startServer, type Server } from '../server/start-server.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { onStopSignal, type StopSignal } from './interruption.js'
import type { ListenAddress } from './listen-address.js'
import { createLogger, type LogFlags } from './logging.js'
import { openStdout, printWords, ReaderLeftError } from './stdio.js'

/** The flags of `standpipe echo`; times in milliseconds, Infinity for a guard that is off. */
export interface EchoFlags extends LogFlags {
  prefix: string
  /** The permissions of a Unix socket. */
  mode?: number
  /** In bytes. */
  limit: number
  maxConnections?: number
  maxPerAddress?: number
  allow?: readonly string[]
  deny?: readonly string[]
  idleTimeout: number
  messageTimeout: number
  writeTimeout: number
  halfClosedTimeout: number
  grace: number
  drainDelay: number
  json?: boolean
}

/** What a peer that is not let in is told. */
const REFUSALS: Readonly<Record<RefusalReason, string>> = {
  'max-connections': 'Error: too many connections, try again later\n',
  'max-per-address': 'Error: too many connections from your address\n',
  'backlog-full': 'Error: too many connections, try again later\n',
  denied: 'Error: your address is not let in\n',
  'not-allowed': 'Error: your address is not let in\n',
}

type Log = Awaited<ReturnType<typeof createLogger>>

/** Runs until a signal has stopped it. @throws ListenError, OutputError */
export async function runEcho(address: ListenAddress, flags: EchoFlags): Promise<ExitCode> {
  const log = await createLogger(flags)
  const signals = new StopSignals()
  const server = await startServer(withLog(lineEcho({ prefix: flags.prefix }), log), {
    ...address,
    mode: flags.mode,
    limit: flags.limit,
    maxConnections: flags.maxConnections,
    maxConnectionsPerAddress: flags.maxPerAddress,
    allow: flags.allow,
    deny: flags.deny,
    refusal: (reason) => REFUSALS[reason],
    onLimit: ({ limit }) => `Error: line longer than ${limit} bytes\n`,
    deadlines: {
      firstByteMs: flags.idleTimeout,
      idleMs: flags.idleTimeout,
      messageMs: flags.messageTimeout,
      writeStallMs: flags.writeTimeout,
      halfClosedMs: flags.halfClosedTimeout,
    },
    graceMs: flags.grace,
    drainDelayMs: flags.drainDelay,
    logger: log,
  })
  warnOfGuardsOff(flags, log)
  await announce(server.address, flags)
  return await stopAtSignal(server, signals, flags, log)
}

async function announce(address: Address, { json }: EchoFlags): Promise<void> {
  const where = describeAddress(address)
  if (json !== true) {
    printWords(`standpipe echo: listening on ${where} (Ctrl+C stops it)`)
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

async function stopAtSignal(
  server: Server,
  signals: StopSignals,
  { grace }: EchoFlags,
  log: Log,
): Promise<ExitCode> {
  const signal = await signals.next()
  const open = server.stats.open
  log.info({ signal, open, graceMs: grace }, `${signal}: draining; a second signal cuts at once`)
  const again = signals.next()
  const outcome = await Promise.race([server.stop(), again])
  if (typeof outcome === 'string') {
    log.warn({ signal: outcome, open: server.stats.open }, `${outcome} again: cut at once`)
    server.abortClients()
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

/** The signals that end the server, one after the other. */
class StopSignals {
  readonly #arrived: StopSignal[] = []
  #waiting: ((signal: StopSignal) => void) | undefined
  #lastInterruptAt = -Infinity

  constructor() {
    onStopSignal((signal) => {
      if (signal === 'SIGINT' && this.#isEchoOfNpm()) return
      const waiting = this.#waiting
      this.#waiting = undefined
      if (waiting === undefined) this.#arrived.push(signal)
      else waiting(signal)
    })
  }

  next(): Promise<StopSignal> {
    return new Promise((resolve) => {
      const signal = this.#arrived.shift()
      if (signal === undefined) this.#waiting = resolve
      else resolve(signal)
    })
  }

  /** One Ctrl+C under `npm start` comes twice: from the terminal, and from npm, which passes its own on. */
  #isEchoOfNpm(): boolean {
    if (process.env['npm_lifecycle_event'] === undefined) return false
    const now = performance.now()
    if (now - this.#lastInterruptAt < NPM_ECHO_MS) return true
    this.#lastInterruptAt = now
    return false
  }
}

/** npm takes a few milliseconds, a person some hundred. */
const NPM_ECHO_MS = 200

/** Tells of each connection: that it came (debug), and what it came to (info). */
function withLog(handler: Handler, log: Log): Handler {
  if (!log.isLevelEnabled('info')) return handler
  return (connection: Connection) => {
    connection.log.debug({}, 'connected')
    void connection.closed.then(({ reason, bytesRead, bytesWritten, durationMs }) => {
      const fields = { bytesIn: bytesRead, bytesOut: bytesWritten, ms: Math.round(durationMs) }
      connection.log.info({ ...fields, reason: reason.kind, phase: reason.phase }, 'closed')
    })
    return handler(connection)
  }
}

function warnOfGuardsOff(flags: EchoFlags, log: Log): void {
  const guards = {
    '--idle-timeout': flags.idleTimeout,
    '--message-timeout': flags.messageTimeout,
    '--write-timeout': flags.writeTimeout,
    '--half-closed-timeout': flags.halfClosedTimeout,
  }
  for (const [name, value] of Object.entries(guards)) {
    if (value === Infinity)
      log.warn({ flag: name }, `${name} is off: a peer may hold its connection for good`)
  }
}
