/**
 * Ten thousand connections that do nothing: what they cost, and that they stand in nobody's way. And fifty thousand
 * that come and go: nothing of them stays.
 */
import { expect } from 'vitest'
import { readFileSync } from 'node:fs'
import { openConnection } from '../../src/client/open-connection.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { runProgram, type RunningProgram } from '../support/programs.js'

guardAgainstLeaks()

const COUNT = 10_000
const KIB = 1024

const PASSING = 50_000
const WARM_UP = 20_000
/** V8's young generation has its full size from the start: when it grows to it is chance, and looks like a leak. */
const FULL_SIZE = ['--min-semi-space-size=16', '--max-semi-space-size=16']
const LOOKS = 5

interface Status {
  readonly open: number
  readonly rss: number
  readonly heap: number
  readonly timers: number
  /** Everything that could keep the process alive. */
  readonly resources: number
  readonly listeners: number
}

async function statusOf(server: RunningProgram): Promise<Status> {
  server.child.stdin.write('\n')
  return JSON.parse(await server.nextLine()) as Status
}

/** What so many idle connections cost a server, in bytes for each. */
async function hold(which: 'kit' | 'raw'): Promise<{
  server: RunningProgram
  clients: RunningProgram
  port: number
  eachBytes: number
  timers: number
}> {
  const server = runProgram('measured-server.mjs', [which])
  const port = Number(await server.nextLine())
  const before = await statusOf(server)
  const clients = runProgram('idle-clients.mjs', [`${port}`, `${COUNT}`])
  expect(await clients.nextLine()).toBe('open')
  const held = await eventually(
    async () => {
      const status = await statusOf(server)
      return status.open === COUNT && status
    },
    { timeoutMs: 20_000, intervalMs: 50, what: 'all are accepted' },
  )
  const { rss, timers } = held as Status
  return { server, clients, port, eachBytes: (rss - before.rss) / COUNT, timers }
}

async function end({ server, clients }: { server: RunningProgram; clients: RunningProgram }) {
  server.child.stdin.end()
  const ended = JSON.parse(await server.nextLine()) as { stopMs: number; report?: object }
  const resets = Number(await clients.nextLine())
  return { ...ended, resets }
}

fault(
  'F45',
  '10,000 idle connections cost a few KiB each, echo goes on, and all are closed within 5 s at the stop',
  async ({ figure }) => {
    const raw = await hold('raw')
    await end(raw)
    const kit = await hold('kit')
    const aboveRaw = kit.eachBytes - raw.eachBytes
    expect(aboveRaw).toBeLessThanOrEqual(6 * KIB)
    // At most one timer a connection, and few more.
    expect(kit.timers).toBeLessThanOrEqual(COUNT + 10)

    const from = performance.now()
    const connection = await openConnection({ port: kit.port })
    connection.writer.write('hello\n')
    expect(await connection.reader.readLine()).toBe('hello')
    const echoMs = performance.now() - from
    expect(echoMs).toBeLessThan(1000)
    await connection.close()

    const { stopMs, resets, report } = await end(kit)
    expect(stopMs).toBeLessThanOrEqual(5000)
    expect(resets).toBe(0)
    expect(report).toMatchObject({ drained: COUNT, aborted: 0, stragglers: [] })
    figure('memory for each, above node:net', aboveRaw, 'bytes')
    figure('a new client is answered after', echoMs, 'ms')
    figure('stopped after', stopMs, 'ms')
  },
  { timeoutMs: 90_000, skip: tooFewDescriptors() },
)

/** Lets so many clients come and go, and gives what the server is like when the last has gone. */
async function passBy(server: RunningProgram, port: number, count: number): Promise<Status> {
  const clients = runProgram('passing-clients.mjs', [`${port}`, `${count}`])
  expect(JSON.parse(await clients.nextLine())).toEqual({ answered: count, failures: [] })
  await eventually(async () => (await statusOf(server)).open === 0)
  // How much a collection gives back to the system varies.
  const looks: Status[] = []
  for (let i = 0; i < LOOKS; i++) looks.push(await statusOf(server))
  return looks.reduce((least, look) => (look.rss < least.rss ? look : least))
}

fault(
  'F66',
  '50,000 connections that are opened, used for a line and closed leave no memory, no listener and no timer',
  async ({ figure }) => {
    const server = runProgram('measured-server.mjs', ['kit'], FULL_SIZE)
    const port = Number(await server.nextLine())
    const before = await passBy(server, port, WARM_UP)
    const after = await passBy(server, port, PASSING)
    const growth = after.rss - before.rss
    expect(growth).toBeLessThan(10 * 1024 * KIB)
    expect(after.heap - before.heap).toBeLessThan(1024 * KIB)
    const { timers, resources, listeners } = before
    expect(after).toMatchObject({ timers, resources, listeners })
    server.child.stdin.end()
    const { report } = JSON.parse(await server.nextLine()) as { report: object }
    expect(report).toMatchObject({ aborted: 0, stragglers: [] })
    figure(`memory after ${PASSING.toLocaleString('en-GB')}`, growth, 'bytes')
  },
  { timeoutMs: 120_000 },
)

/** Why there cannot be as many connections here. */
function tooFewDescriptors(): string | undefined {
  try {
    const [, limit = '0'] =
      /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    const isEnough = limit === 'unlimited' || Number(limit) > COUNT + 100
    return isEnough ? undefined : `it needs ${COUNT} descriptors, and may have ${limit}`
  } catch {
    return 'it needs the limits of /proc'
  }
}
