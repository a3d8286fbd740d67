/** One exchange of the probe's, in memory. */
import { httpHandler } from '../../../src/http-mini/index.js'
import { Connection } from '../../../src/protocol/connection.js'
import { runHandler, type Handler } from '../../../src/protocol/handler.js'
import {
  exchangeInMemory,
  type Exchanged,
  type ServeTransport,
} from '../../support/http-exchange.js'
import type { HttpCase } from './http-case.js'
import { makeProbe, type SeenRequest } from './probe.js'

export interface Exchange extends Exchanged {
  readonly seen: readonly SeenRequest[]
}

type ExchangeOptions = Pick<HttpCase, 'after' | 'limits'> & { isLate?: boolean }

/** Sends these pieces to the probe, served by http-mini with all its defaults but for the case's limits. */
export async function exchange(
  pieces: readonly (Uint8Array | number)[],
  { after, limits, isLate }: ExchangeOptions = {},
): Promise<Exchange> {
  const probe = makeProbe({ isLate: isLate ?? false })
  const handler = httpHandler(probe.handler, limits === undefined ? {} : { limits })
  return await exchangeAndNote(handler, probe.seen, pieces, after)
}

/** The same with any other server, which notes itself what its application sees. */
export async function exchangeWith(
  makeServer: (seen: SeenRequest[]) => Handler,
  pieces: readonly (Uint8Array | number)[],
  after?: HttpCase['after'],
): Promise<Exchange> {
  const seen: SeenRequest[] = []
  return await exchangeAndNote(makeServer(seen), seen, pieces, after)
}

/** What was seen is copied at the end: cleaning up lets the reading of a body fail. */
async function exchangeAndNote(
  handler: Handler,
  live: readonly SeenRequest[],
  pieces: readonly (Uint8Array | number)[],
  after: HttpCase['after'],
): Promise<Exchange> {
  let seen: SeenRequest[] = []
  const exchanged = await exchangeInMemory(serveBy(handler), pieces, after, () => {
    seen = live.map((one) => ({ ...one }))
  })
  return { ...exchanged, seen }
}

function serveBy(handler: Handler): ServeTransport {
  return (transport, clock) => {
    const connection = new Connection(transport, { role: 'inbound', clock, logger: false })
    runHandler(connection, handler, () => {})
    return connection
  }
}
