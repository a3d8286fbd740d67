/** More clients than there may be, more of one address than there may be, and more than there are descriptors. */
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import type { Handler } from '../../src/protocol/handler.js'
import { lineEcho } from '../../src/server/line-echo.js'
import type { ServerStats } from '../../src/server/start-server.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import type { LogRecord } from '../support/recording-logger.js'
import { run, type RunningProgram } from '../support/programs.js'
import { portOf } from '../support/serve.js'
import { dial, receiveAll, send } from '../support/wire.js'

guardAgainstLeaks()

const echo = lineEcho({ prefix: '' })

/** A client that notes what it receives and how it ends. */
class Client {
  readonly socket: net.Socket
  received = ''
  end: string | undefined

  constructor(address: { port: number }) {
    this.socket = dial(address)
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => {
      this.received += text
    })
    this.socket.on('end', () => this.#ended('end'))
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.#ended(error.code ?? ''))
    this.socket.resume()
  }

  #ended(how: string): void {
    this.end ??= how
    this.socket.end()
  }
}

function connect(count: number, address: { port: number }): Client[] {
  return Array.from({ length: count }, () => new Client(address))
}

const sum = (counts: Readonly<Record<string, number>> | readonly number[]): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

/** How many refusals a record tells of: its own, or those since the one before. */
function refusalsIn({ refused }: LogRecord['fields']): number {
  return refused === undefined ? 1 : sum(refused as Record<string, number>)
}

fault(
  'F16',
  'a flood above the cap is served exactly to the cap; the others get the refusal and an end, and the counters agree',
  async ({ serve, figure, log }) => {
    const cap = 100
    const surplus = 500
    let served = 0
    const handler: Handler = async (connection) => {
      served++
      await echo(connection)
    }
    const server = await serve(handler, { maxConnections: cap, refusal: 'busy\n' })
    const clients = connect(cap + surplus, { port: portOf(server.address) })
    const refused = (): Client[] => clients.filter(({ end }) => end !== undefined)
    await eventually(() => refused().length === surplus)
    expect(new Set(refused().map(({ received, end }) => received + end))).toEqual(
      new Set(['busy\nend']),
    )
    const admitted = clients.filter(({ end }) => end === undefined)
    for (const { socket } of admitted) socket.write('hello\n')
    await eventually(() => admitted.every(({ received }) => received === 'hello\n'))
    await eventually(() => server.stats.closedBy['not-admitted'] === surplus)
    expect(served).toBe(cap)
    expect(server.stats).toMatchObject({
      accepted: cap,
      open: cap,
      refused: { 'max-connections': surplus },
      closedBy: { 'not-admitted': surplus },
    })
    // Recovery: as soon as the others have gone.
    const releasedAt = performance.now()
    for (const { socket } of admitted) socket.end()
    await eventually(
      async () => {
        const next = dial(server.address)
        await send(next, 'again\n')
        next.end()
        return (await receiveAll(next)).bytes.toString() === 'again\n'
      },
      { timeoutMs: 1000, what: 'the next client is served' },
    )
    figure('recovered after', performance.now() - releasedAt, 'ms')
    figure('refused of 600', surplus)
    await eventually(() => server.stats.open === 0)
    const { accepted, refused: notAdmitted, closedBy } = server.stats
    expect(sum(closedBy)).toBe(accepted + sum(notAdmitted))
    // A flood is no flood of the log: one line a second at most, which together tell of each.
    await server.stop()
    const told = log.records.filter(({ level }) => level === 'warn')
    expect(told.length).toBeLessThan(20)
    expect(sum(told.map(({ fields }) => refusalsIn(fields)))).toBe(sum(notAdmitted))
  },
)

fault(
  'F16',
  'a flood that speaks before it listens is counted no less, and those within the cap notice nothing',
  async ({ serve }) => {
    const cap = 20
    const server = await serve(echo, { maxConnections: cap, refusal: 'busy\n' })
    const inside = connect(cap, { port: portOf(server.address) })
    await eventually(() => server.stats.open === cap)
    const outside = connect(200, { port: portOf(server.address) })
    for (const { socket } of [...inside, ...outside]) socket.write('hello\n')
    await eventually(() => outside.every(({ end }) => end !== undefined))
    await eventually(() => inside.every(({ received }) => received === 'hello\n'))
    // A refusal may be lost to those for whom there was no room to linger; a reply never goes to one.
    for (const { received } of outside) expect(['', 'busy\n']).toContain(received)
    expect(server.stats).toMatchObject({ accepted: cap, refused: { 'max-connections': 200 } })
    expect(inside.filter(({ end }) => end !== undefined)).toEqual([])
  },
)

fault(
  'F16',
  'peers that speak before they listen get the refusal all the same, as far as there is room to linger',
  async ({ serve }) => {
    const server = await serve(echo, { maxConnections: 1, refusal: 'busy\n' })
    const [inside] = connect(1, { port: portOf(server.address) })
    await eventually(() => server.stats.open === 1)
    const outside = Array.from({ length: 20 }, () => dial(server.address))
    await Promise.all(
      outside.map(async (client) => {
        const received = receiveAll(client)
        await send(client, 'hello\n'.repeat(10_000))
        expect(await received).toEqual({ end: 'end', bytes: Buffer.from('busy\n') })
        // Unread, any of it would have made the end a reset, which may overtake the refusal.
        await send(client, 'I see')
        client.end()
      }),
    )
    await eventually(() => server.stats.closedBy['not-admitted'] === 20)
    expect(server.stats.lossyCloses).toBe(0)
    inside?.socket.end()
    await eventually(() => server.stats.open === 0)
  },
)

fault(
  'F17',
  'a flood from one address is held to its own cap, and other addresses are unaffected',
  async ({ serve, figure }) => {
    const server = await serve(echo, {
      host: '0.0.0.0',
      maxConnectionsPerAddress: 5,
      refusal: (reason) => `${reason}\n`,
    })
    const { port } = server.address as { port: number }
    const flood = connect(100, { port })
    await eventually(() => flood.filter(({ end }) => end !== undefined).length === 95)
    const refused = flood.filter(({ end }) => end !== undefined)
    expect(new Set(refused.map(({ received, end }) => received + end))).toEqual(
      new Set(['max-per-address\nend']),
    )
    const from = performance.now()
    const other = net.connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    onTestFinished(() => void other.destroy())
    other.end('hello\n')
    expect((await receiveAll(other)).bytes.toString()).toBe('hello\n')
    expect(server.stats.refused).toEqual({ 'max-per-address': 95 })
    // Those of the flood that are within the cap are served, and when one leaves another may come.
    const admitted = flood.filter(({ end }) => end === undefined)
    for (const { socket } of admitted) socket.write('hello\n')
    await eventually(() => admitted.every(({ received }) => received === 'hello\n'))
    expect(server.stats.accepted).toBe(6)
    admitted[0]?.socket.end()
    await recovers(port)
    figure('another address served after', performance.now() - from, 'ms')
  },
)

interface ChildReport {
  readonly stats: ServerStats
  readonly maxConnections: number
}

const program = fileURLToPath(new URL('../support/programs/echo-server.mjs', import.meta.url))

async function start(
  options: object,
): Promise<{ child: RunningProgram; port: number; report: () => Promise<ChildReport> }> {
  const withLog = JSON.stringify({ logger: null, refusal: 'busy\n', ...options })
  const child = run('sh', [
    '-c',
    'ulimit -n 64; exec "$0" "$@"',
    process.execPath,
    program,
    withLog,
  ])
  const { port } = JSON.parse(await child.nextLine()) as { port: number }
  return {
    child,
    port,
    async report() {
      child.child.stdin.write('\n')
      return JSON.parse(await child.nextLine()) as ChildReport
    },
  }
}

async function recovers(port: number): Promise<void> {
  await eventually(
    async () => {
      const next = dial({ port })
      await send(next, 'again\n')
      next.end()
      return (await receiveAll(next)).bytes.toString() === 'again\n'
    },
    { timeoutMs: 1000, what: 'the next client is served' },
  )
}

fault(
  'F18',
  'a server with 64 descriptors says so, refuses aloud whom it cannot serve, and loses nobody in silence',
  async ({ figure }) => {
    const { child, port, report } = await start({})
    const { maxConnections } = await report()
    expect(maxConnections).toBeGreaterThan(10)
    expect(maxConnections).toBeLessThan(52)
    expect(child.stderr()).toMatch(
      new RegExp(
        `at most ${maxConnections} connections instead of 1024: this process may have 64 descriptors, and has \\d+ open`,
      ),
    )
    const clients = connect(200, { port })
    const surplus = clients.length - maxConnections
    await eventually(() => clients.filter(({ end }) => end !== undefined).length === surplus)
    const refused = clients.filter(({ end }) => end !== undefined)
    expect(new Set(refused.map(({ received, end }) => received + end))).toEqual(
      new Set(['busy\nend']),
    )
    const admitted = clients.filter(({ end }) => end === undefined)
    for (const { socket } of admitted) socket.write('hello\n')
    await eventually(() => admitted.every(({ received }) => received === 'hello\n'))
    expect((await report()).stats).toMatchObject({
      accepted: maxConnections,
      open: maxConnections,
      refused: { 'max-connections': surplus },
    })
    figure('served with 64 descriptors', maxConnections)
    for (const { socket } of admitted) socket.destroy()
    await recovers(port)
  },
)

fault(
  'F18',
  'a server with 64 descriptors and no cap survives running out of them, and recovers',
  async () => {
    const { child, port, report } = await start({ maxConnections: 1e6 })
    expect((await report()).maxConnections).toBe(1e6)
    expect(child.stderr()).toContain(
      'maxConnections is 1000000, but this process may have 64 descriptors',
    )
    const clients = connect(100, { port })
    await eventually(() => clients.filter(({ end }) => end !== undefined).length > 30)
    for (const { socket } of clients) socket.destroy()
    await recovers(port)
  },
)
