/** A stop while many clients talk: nobody loses an answer, nobody gets one twice, nobody is reset. */
import { once } from 'node:events'
import net from 'node:net'
import { expect } from 'vitest'
import { lineEcho } from '../../src/server/line-echo.js'
import { startEcho } from '../support/command.js'
import { eventually } from '../support/eventually.js'
import { fault } from '../support/fault.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { PipeliningClient } from '../support/pipelining-client.js'
import { portOf } from '../support/serve.js'
import { dial } from '../support/wire.js'

guardAgainstLeaks()

const CLIENTS = 50
const TIMES = 100
const GRACE_MS = 5000

function dialMany(port: number, prefix: string): PipeliningClient[] {
  return Array.from(
    { length: CLIENTS },
    (_, i) => new PipeliningClient(dial({ port }), { name: `client ${i}`, prefix }),
  )
}

/** How many lines each client knows the server to have received; some, or there would be nothing to lose. */
function linesReceived(clients: PipeliningClient[]): number[] {
  for (const { received, answered } of clients) expect(received).toBeGreaterThanOrEqual(answered)
  const received = clients.map((client) => client.received)
  expect(Math.max(...received)).toBeGreaterThan(0)
  return received
}

/** How many of the lines that the server had received when it was told to stop it did not answer before its end. */
async function linesLost(clients: PipeliningClient[], received: number[]): Promise<number> {
  const ends = await Promise.all(clients.map(async ({ ended }) => await ended))
  expect(new Set(ends)).toEqual(new Set(['end']))
  expect(clients.flatMap(({ wrong }) => wrong ?? [])).toEqual([])
  return clients
    .map(({ answered }, i) => Math.max(0, (received[i] ?? 0) - answered))
    .reduce((sum, lost) => sum + lost)
}

async function isRefused(port: number): Promise<boolean> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  return error.code === 'ECONNREFUSED'
}

fault(
  'F40',
  'Server.stop() under the load of 50 pipelining clients answers every line that was received, once and in order',
  async ({ serve, log }) => {
    const server = await serve(lineEcho({ prefix: '' }))
    const port = portOf(server.address)
    const clients = dialMany(port, '')
    await eventually(() => clients.every(({ answered }) => answered > 100))
    const received = linesReceived(clients)
    const stopped = server.stop()
    expect(await linesLost(clients, received)).toBe(0)
    expect(await isRefused(port)).toBe(true)
    expect(await stopped).toMatchObject({ drained: CLIENTS, aborted: 0, stragglers: [] })
    expect(log.records).toEqual([])
  },
)

fault(
  'F40',
  `SIGTERM while 50 clients pipeline, ${TIMES} times, each a little later: every line that was received is answered once and in order, then the end; exit 0`,
  async ({ figure }) => {
    for (let time = 0; time < TIMES; time++) {
      const { command, port } = await startEcho(['--grace', `${GRACE_MS}ms`])
      const clients = dialMany(port, 'Server received: ')
      const answered = () => clients.reduce((sum, client) => sum + client.answered, 0)
      await eventually(() => answered() > 40 * time, { timeoutMs: 10_000 })
      const received = linesReceived(clients)
      const from = performance.now()
      command.kill('SIGTERM')
      const lost = await linesLost(clients, received)
      expect(lost).toBe(0)
      expect(await isRefused(port)).toBe(true)
      const { code, stderr } = await command.ended
      expect(code).toBe(0)
      const tookMs = performance.now() - from
      expect(tookMs).toBeLessThan(GRACE_MS)
      expect(stderr).toContain('"msg":"stopped"')
      expect(stderr).not.toMatch(/"level":"(?:warn|error)"/)
      figure(`stopped, ${TIMES} times, after`, tookMs, 'ms')
      figure('lines lost', lost)
    }
  },
  { timeoutMs: 180_000 },
)
