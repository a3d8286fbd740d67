/**
 * A test of a row of the table of faults (`fault-table.ts`): its name begins with the row's id, what all rows have in
 * common is checked behind it, and what it measures can be written to a file.
 *
 * Common to all: no rejection that nobody handled; within 1 s afterwards every connection that the test opened is closed,
 * and was told to be so once, every call of the kit that waited has settled, and no socket, listener, process or timer is
 * left; of a server of the scene each connection that ended by a fault has one line in its log, and the counters by
 * reason add up to all connections that came.
 *
 * `STANDPIPE_FIGURES=FILE npx vitest run test/faults` appends a line of JSON for each figure and each test that passes;
 * `npm run docs:reliability` makes a page of them.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { promiseHooks } from 'node:v8'
import { expect, onTestFinished, test } from 'vitest'
import { setUnawaitedHook } from '../../src/concurrency/unawaited.js'
import {
  startServer,
  type CloseRecord,
  type Connection,
  type Handler,
  type Server,
  type ServerOptions,
} from '../../src/index.js'
import { CONNECTION_CLOSE_CHANNEL, CONNECTION_OPEN_CHANNEL } from '../../src/observe/index.js'
import type { FaultId } from '../faults/fault-table.js'
import { eventually } from './eventually.js'
import { RecordingLogger } from './recording-logger.js'

/** What a figure is in. */
export type FigureUnit = 'ms' | 'bytes' | ''

/** What the test of a fault has at hand. */
export interface FaultScene {
  /** Starts a server on a free port unless told where, with a log that is checked at the end; it is stopped then. */
  readonly serve: (handler: Handler, options?: ServerOptions) => Promise<Server>
  /** What the logs of the scene's servers have, all together. */
  readonly log: RecordingLogger
  /** Notes something that was measured: `figure('cut after', 1003, 'ms')`. */
  readonly figure: (what: string, value: number, unit?: FigureUnit) => void
}

export interface FaultOptions {
  timeoutMs?: number
  /** Why it cannot be run here; undefined when it can. */
  skip?: string | undefined
}

const FAULT_KINDS: ReadonlySet<string> = new Set(['reset', 'timed-out', 'failed', 'handler-failed'])
/** Settled ones are thrown out when so many are kept. */
const MAX_KEPT_CALLS = 1000

/** Defines the test of a row: `fault('F04', 'a client that says nothing is …', async (scene) => …)`. */
export function fault(
  id: FaultId,
  passesWhen: string,
  play: (scene: FaultScene) => Promise<void>,
  { timeoutMs, skip }: FaultOptions = {},
): void {
  const name = `${id}: ${passesWhen}`
  if (skip !== undefined) {
    test.skip(`${name} (${skip})`, () => {})
    return
  }
  test(
    name,
    async () => {
      const scene = new Scene(id)
      onTestFinished(() => scene.check())
      await play(scene)
    },
    timeoutMs,
  )
}

class Scene implements FaultScene {
  readonly log = new RecordingLogger()
  readonly #id: FaultId
  readonly #servers: Server[] = []
  readonly #connections = new ConnectionWatch()
  readonly #calls = new CallWatch()

  constructor(id: FaultId) {
    this.#id = id
  }

  readonly serve = async (handler: Handler, options: ServerOptions = {}): Promise<Server> => {
    const server = await startServer(handler, { logger: this.log, ...options })
    this.#servers.push(server)
    onTestFinished(async () => {
      server.abortClients()
      await server.stop({ graceMs: 100 })
    })
    return server
  }

  readonly figure = (what: string, value: number, unit: FigureUnit = ''): void => {
    this.#note({ what, value, unit })
  }

  /** What is common to all rows. */
  async check(): Promise<void> {
    try {
      const what = 'connections are closed and calls have settled'
      await eventually(() => this.#checkNow(), { timeoutMs: 1000, what })
      for (const server of this.#servers) this.#checkCounters(server)
      this.#note({ passed: true })
    } finally {
      this.#connections.stop()
      this.#calls.stop()
    }
  }

  #note(fields: object): void {
    const file = process.env['STANDPIPE_FIGURES']
    if (file === undefined || file === '') return
    appendFileSync(file, `${JSON.stringify({ id: this.#id, ...fields })}\n`)
  }

  #checkNow(): void {
    expect({ open: this.#connections.open(), pending: this.#calls.pending() }).toEqual({
      open: [],
      pending: [],
    })
    expect(this.#connections.closedTwice).toBe(0)
  }

  #checkCounters({ stats }: Server): void {
    expect(sum(stats.closedBy)).toBe(stats.accepted + sum(stats.refused))
    expect(sum(stats.timedOutBy)).toBe(stats.closedBy['timed-out'] ?? 0)
    for (const close of stats.recentCloses) {
      if (FAULT_KINDS.has(close.reason.kind)) this.#checkLog(close)
    }
  }

  #checkLog({ id, reason }: CloseRecord): void {
    const lines = this.log.records.filter(({ fields }) => fields['conn'] === id)
    expect(lines.map(({ level }) => level)).toEqual([
      reason.kind === 'handler-failed' ? 'error' : 'info',
    ])
  }
}

/** Which connections of the kit are open, and whether each was told to be closed once. */
class ConnectionWatch {
  closedTwice = 0
  readonly #open = new Set<Connection>()
  readonly #closed = new WeakSet<Connection>()

  constructor() {
    subscribe(CONNECTION_OPEN_CHANNEL, this.#onOpen)
    subscribe(CONNECTION_CLOSE_CHANNEL, this.#onClose)
  }

  open(): string[] {
    return [...this.#open].map(({ id, role, state }) => `${role} ${id}: ${state}`)
  }

  stop(): void {
    unsubscribe(CONNECTION_OPEN_CHANNEL, this.#onOpen)
    unsubscribe(CONNECTION_CLOSE_CHANNEL, this.#onClose)
  }

  readonly #onOpen = (message: unknown): void => {
    this.#open.add((message as { connection: Connection }).connection)
  }

  readonly #onClose = (message: unknown): void => {
    const { connection } = message as { connection: Connection }
    this.#open.delete(connection)
    if (this.#closed.has(connection)) this.closedTwice++
    this.#closed.add(connection)
  }
}

/** The promises that the kit hands out, until they settle. It waits for none, so that what is unhandled stays so. */
class CallWatch {
  readonly #calls = new Map<Promise<unknown>, string>()
  readonly #stopHook = promiseHooks.onSettled((promise: Promise<unknown>) => {
    this.#calls.delete(promise)
  }) as () => void

  constructor() {
    setUnawaitedHook((promise, call) => {
      if (this.#calls.size >= MAX_KEPT_CALLS) this.pending()
      this.#calls.set(promise, call)
      return promise
    })
  }

  /** The names of those that wait. */
  pending(): string[] {
    for (const promise of this.#calls.keys()) {
      if (!inspect(promise, { depth: 0 }).includes('<pending>')) this.#calls.delete(promise)
    }
    return [...this.#calls.values()]
  }

  stop(): void {
    setUnawaitedHook(undefined)
    this.#stopHook()
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}
