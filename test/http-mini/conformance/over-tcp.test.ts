/** Every case once over TCP, against the server as it is started. */
import { once } from 'node:events'
import type net from 'node:net'
import { describe, expect, test } from 'vitest'
import { FakeClock, loopTurns } from '../../../src/testing/fake-clock.js'
import { eventually } from '../../support/eventually.js'
import { parseReplies } from '../../support/http-replies.js'
import { guardAgainstLeaks } from '../../support/leak-guard.js'
import { serveHttp } from '../../support/serve-http.js'
import { dial, send } from '../../support/wire.js'
import { topics } from './cases/index.js'
import type { Exchange } from './exchange.js'
import type { HttpCase } from './http-case.js'
import { differenceOf } from './outcome.js'
import { makeProbe } from './probe.js'

guardAgainstLeaks()

async function overTcp(one: HttpCase): Promise<Exchange> {
  const clock = new FakeClock()
  const probe = makeProbe()
  const { port, server } = await serveHttp(probe.handler, { clock, limits: one.limits ?? {} })
  const client = dial({ port })
  await once(client, 'connect')
  const heard = listen(client)
  const bytes = Buffer.from(one.bytes, 'latin1')
  // Who is refused early may see its own writing fail; what it was told is what counts.
  await send(client, bytes).catch(() => {})
  if (one.after === 'end') client.end()
  if (typeof one.after === 'number') {
    await eventually(
      () => server.connections.size === 0 || allRead(server.connections, bytes.length),
    )
    await clock.advance(one.after)
  }
  const isThere = (): boolean => {
    if (one.left === 'closed') return heard.left !== 'open'
    const { replies } = parseReplies(Buffer.concat(heard.chunks), probe.seen, false)
    return replies.length >= one.replies.length && allRead(server.connections, bytes.length)
  }
  await eventually(isThere, { what: `${one.replies.length} answers, ${one.left}` }).catch(() => {})
  // Nothing more may come.
  await loopTurns(6)
  return { bytes: Buffer.concat(heard.chunks), left: heard.left, seen: probe.seen }
}

function allRead(connections: ReadonlySet<{ bytesRead: number }>, count: number): boolean {
  return [...connections].some(({ bytesRead }) => bytesRead >= count)
}

interface Heard {
  readonly chunks: Buffer[]
  left: Exchange['left']
}

function listen(client: net.Socket): Heard {
  const heard: Heard = { chunks: [], left: 'open' }
  client.on('data', (chunk: Buffer) => heard.chunks.push(chunk))
  client.on('end', () => {
    if (heard.left === 'open') heard.left = 'closed'
  })
  client.on('error', () => {
    if (heard.left === 'open') heard.left = 'reset'
  })
  client.resume()
  return heard
}

describe.each(topics)('Over TCP: %s', (_topic, cases) => {
  test.each(cases)('$name ($clause)', async (one) => {
    expect(differenceOf(one, await overTcp(one), 'over TCP')).toBeUndefined()
  })
})
