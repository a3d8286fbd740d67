/** Runs `standpipe proxy`: the fault proxy of standpipe/testing, its events as lines, and its statistics at the end. */
import { MAX_TIMER_MS } from '../concurrency/clock.js'
import type { Address } from '../protocol/connection.js'
import { FaultProxy } from '../testing/fault-proxy.js'
import type { FaultProxyEvent, FaultProxyStats } from '../testing/fault-tally.js'
import type { Fault } from '../testing/fault.js'
import { describeSystemError } from '../errors.js'
import type { ExitCode } from './exit-codes.js'
import { createLogger, type LogFlags } from './logging.js'
import { announce, stopAtSignal, type Log } from './run-server.js'
import { openStdout, printWords, ReaderLeftError, type Output } from './stdio.js'
import { StopSignals } from './stop-signals.js'

/** The flags of `standpipe proxy` that are no faults; times in milliseconds. */
export interface ProxyFlags extends LogFlags {
  seed?: number
  mode?: number
  maxConnections?: number
  maxHeld?: number
  connectTimeout: number
  grace: number
  json?: boolean
}

/** Runs until a signal has stopped it. @throws ListenError, OutputError */
export async function runProxy(
  from: Address,
  to: Address,
  faults: readonly Fault[],
  flags: ProxyFlags,
): Promise<ExitCode> {
  const log = await createLogger(flags)
  const signals = new StopSignals()
  const lines = flags.json === true ? new EventLines(openStdout()) : undefined
  const proxy = await FaultProxy.start({
    ...from,
    target: to,
    faults,
    seed: flags.seed,
    mode: flags.mode,
    maxConnections: flags.maxConnections,
    maxHeldBytes: flags.maxHeld,
    connectMs: flags.connectTimeout,
    logger: log,
    onEvent: (event) => {
      logEvent(event, log)
      lines?.print(toRecord(event))
    },
  })
  await announce('proxy', proxy.address, flags)
  log.info({ seed: proxy.seed, faults }, describeFaults(faults, proxy.seed))
  const running = {
    open: () => proxy.stats.open,
    stop: () => proxy.stop({ graceMs: flags.grace }),
    cut: () => {
      proxy.abort()
    },
  }
  // While it is down nothing listens, and nothing else would keep the process.
  const alive = setInterval(() => {}, MAX_TIMER_MS)
  const exitCode = await stopAtSignal(running, signals, flags, log)
  clearInterval(alive)
  const { stats, seed } = proxy
  if (lines === undefined) printWords(`standpipe proxy: ${describeStats(stats)}`)
  else await lines.end({ event: 'stats', seed, ...stats })
  return exitCode
}

/** Events that stdout has not taken: some hundred KiB. */
const MAX_WAITING_EVENTS = 1000

/** Objects on stdout, one a line. What a reader that is behind does not take is dropped, and counted. */
class EventLines {
  readonly #stdout: Output
  #waiting = 0
  #dropped = 0

  constructor(stdout: Output) {
    this.#stdout = stdout
  }

  print(record: object): void {
    if (this.#waiting === MAX_WAITING_EVENTS) {
      this.#dropped++
      return
    }
    this.#waiting++
    this.#stdout.write(`${JSON.stringify(record)}\n`).then(
      () => {
        this.#waiting--
      },
      // Whoever has left needs no more events; a full disk is told at the end.
      () => {},
    )
  }

  /** @throws OutputError */
  async end(record: object): Promise<void> {
    const dropped = this.#dropped === 0 ? {} : { droppedEvents: this.#dropped }
    try {
      await this.#stdout.write(`${JSON.stringify({ ...record, ...dropped })}\n`)
      await this.#stdout.flush()
    } catch (error) {
      if (!(error instanceof ReaderLeftError)) throw error
    }
  }
}

function toRecord(event: FaultProxyEvent): object {
  if (event.event === 'unreachable') return { ...event, ...toWords(event.error) }
  return event.event === 'close' ? { ...event, durationMs: Math.round(event.durationMs) } : event
}

function toWords(error: unknown): { error: string; code: string } {
  const { code, words } = describeSystemError(error)
  return { error: words, code }
}

function logEvent(event: FaultProxyEvent, log: Log): void {
  switch (event.event) {
    case 'open': {
      const { connection, client } = event
      log.debug({ connection, client }, 'connected')
      return
    }
    case 'unreachable':
      log.warn({ connection: event.connection, err: event.error }, 'the target is unreachable')
      return
    case 'fault': {
      // Not its `name`: that is the logger's in pino's records.
      const { connection, kind, direction } = event
      log.info({ connection, kind, direction }, `fault: ${event.name}`)
      return
    }
    default: {
      const { event: name, ...fields } = event
      log.info({ ...fields, durationMs: Math.round(event.durationMs) }, name)
    }
  }
}

function describeFaults(faults: readonly Fault[], seed: number): string {
  if (faults.length === 0) return 'no faults: everything passes as it is'
  return `faults: ${faults.map(({ kind }) => kind).join(', ')}; seed ${seed}`
}

function describeStats(stats: FaultProxyStats): string {
  const { accepted, unreachable, passedBytes, droppedBytes, applied } = stats
  const dropped = droppedBytes.toTarget + droppedBytes.toClient
  const faults = Object.entries(applied).map(([kind, count]) => `${kind} ${count}`)
  return [
    `connections: ${accepted}`,
    ...(unreachable > 0 ? [`target unreachable: ${unreachable}`] : []),
    `bytes to target: ${passedBytes.toTarget}`,
    `to client: ${passedBytes.toClient}`,
    ...(dropped > 0 ? [`dropped: ${dropped}`] : []),
    `faults: ${faults.length === 0 ? 'none' : faults.join(', ')}`,
  ].join(', ')
}
