/** Many clients that send their request octet by octet, and one that does not: it is served as if they were not there. */
import { once } from 'node:events'
import type net from 'node:net'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.js'
import { startHttpProcess } from '../support/http-process.js'
import { guardAgainstLeaks } from '../support/leak-guard.js'
import { dial, send } from '../support/wire.js'

guardAgainstLeaks()

const CLIENTS = 1000
const REQUESTS = 300
/** How many of the slow ones send an octet between two requests of the healthy one. */
const DRIPS = 50
/** Generous: it is a fraction of a millisecond where nothing else runs. */
const MAX_P99_MS = 50
const SLOW_HEAD = `GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ${'x'.repeat(1000)}`

async function ask(client: net.Socket): Promise<number> {
  const begunAt = performance.now()
  const answer = once(client, 'data')
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const [bytes] = (await answer) as [Buffer]
  expect(bytes.toString('latin1')).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhello$/)
  return performance.now() - begunAt
}

test('1,000 clients that drip their heads do not hold up one that is healthy', async () => {
  const { port, status } = await startHttpProcess()
  const slow: net.Socket[] = []
  for (let i = 0; i < CLIENTS; i++) {
    const client = dial({ port })
    await once(client, 'connect')
    await send(client, SLOW_HEAD.slice(0, 5))
    slow.push(client)
  }
  await eventually(async () => (await status()).open === CLIENTS, {
    what: 'all slow clients are there',
  })

  const healthy = dial({ port })
  await once(healthy, 'connect')
  healthy.resume()
  const latencies: number[] = []
  for (let i = 0; i < REQUESTS; i++) {
    for (let drip = 0; drip < DRIPS; drip++) {
      const at = i * DRIPS + drip
      const octet = 5 + Math.floor(at / CLIENTS)
      slow[at % CLIENTS]?.write(SLOW_HEAD.slice(octet, octet + 1))
    }
    latencies.push(await ask(healthy))
  }
  const p99 = latencies.toSorted((a, b) => a - b)[Math.floor(REQUESTS * 0.99)]
  expect(p99).toBeLessThan(MAX_P99_MS)
  expect((await status()).open).toBe(CLIENTS + 1)
}, 60_000)
