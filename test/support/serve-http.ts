import { onTestFinished } from 'vitest'
import type { HttpApp } from '../../src/http-mini/http-handler.js'
import type { HttpHandler } from '../../src/http-mini/http-response.js'
import { startHttpServer, type HttpServerOptions } from '../../src/http-mini/start-http-server.js'
import type { Server } from '../../src/server/start-server.js'
import { portOf } from './serve.js'

export interface ServedHttp {
  readonly server: Server
  readonly port: number
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
}

/** Serves HTTP, silent unless told otherwise, on a free port; it is stopped when the test is over. */
export async function serveHttp(
  app: HttpHandler | HttpApp,
  options: HttpServerOptions = {},
): Promise<ServedHttp> {
  const server = await startHttpServer(app, { logger: false, ...options })
  onTestFinished(async () => {
    server.abortClients()
    await server.stop({ graceMs: 100 })
  })
  const port = portOf(server.address)
  return { server, port, origin: `http://127.0.0.1:${port}` }
}
