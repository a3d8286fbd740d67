import { onTestFinished } from 'vitest'
import type { Address } from '../../src/protocol/connection.js'
import type { Handler } from '../../src/protocol/handler.js'
import { startServer, type Server, type ServerOptions } from '../../src/server/start-server.js'

/** Starts a server, silent unless told otherwise, on a free port unless told where; it is stopped when the test is over. */
export async function serve(handler: Handler, options: ServerOptions = {}): Promise<Server> {
  const server = await startServer(handler, { logger: false, ...options })
  onTestFinished(async () => {
    server.abortClients()
    await server.stop({ graceMs: 100 })
  })
  return server
}

/** The port of an address that has one. */
export function portOf(address: Address): number {
  if ('port' in address) return address.port
  throw new Error(`${address.path} has no port`)
}
